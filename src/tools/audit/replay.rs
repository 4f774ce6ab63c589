//! `segue audit replay`: whether what is served follows from the log.

use std::time::{Duration, Instant};

use anyhow::bail;
use domain::{AccessCall, Asked};
use eventing::Position;
use projectors::{At, FoldedProjection, ProjectionKind, Replayed, Watcher};
use serde::Serialize;
use workers::{CheckAll, Checked, CheckedPublications, PublicationCheck, Recomputer};

use crate::Outcome;
use crate::access;
use crate::output::{Output, counted, table, watching};
use crate::stack::Stack;
use crate::tools::audit::moment;

/// How many publications of companions are counted again when nothing is said: counting takes minutes each where there are
/// very many listeners.
const PUBLICATIONS_DEFAULT: usize = 20;

/// What to replay.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ReplayArguments {
    /// Goes no further than this position or RFC 3339 time.
    #[arg(long, value_name = "POSITION|TIME")]
    until: Option<At>,
    /// Counts so many of the latest publications of companions again.
    #[arg(long, value_name = "COUNT", default_value_t = PUBLICATIONS_DEFAULT)]
    companions: usize,
}

/// Replayed views, playlists and companions.
#[derive(Serialize)]
pub(crate) struct Replay {
    identical: bool,
    /// How far the log was replayed.
    until: Position,
    views: Views,
    playlists: Checked,
    companions: CheckedPublications,
    seconds: f64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Views {
    Compared(Replayed),
    Folded(Folded),
}

/// Views as of a past position, which no live views can be compared with.
#[derive(Serialize)]
struct Folded {
    /// Why they were not compared.
    not_compared: String,
    events: u64,
    projections: Vec<FoldedProjection>,
    took: Duration,
}

pub(crate) async fn run(
    stack: &Stack,
    output: Output,
    arguments: &ReplayArguments,
) -> anyhow::Result<Outcome> {
    let until = match arguments.until {
        Some(at) => Some(moment(stack, "--until", at).await?.position),
        None => None,
    };
    let replay = tokio::select! {
        replay = replay_until(stack, until, arguments.companions) => replay?,
        // Leaving this way takes the temporary folder along.
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            bail!("interrupted; nothing was changed")
        }
    };
    let asked = Asked {
        until: until.map(Position::get),
        ..Asked::all()
    };
    access::record(stack, AccessCall::HistoryReplay, asked).await?;
    output.print(&replay, Replay::text)?;
    Ok(if replay.identical {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

/// Folds the log again, compares every view and counts companions again along the way; then computes every playlist again and
/// compares its bytes.
pub(crate) async fn replay(stack: &Stack) -> anyhow::Result<Replay> {
    replay_until(stack, None, PUBLICATIONS_DEFAULT).await
}

async fn replay_until(
    stack: &Stack,
    until: Option<Position>,
    publications_max: usize,
) -> anyhow::Result<Replay> {
    let started = Instant::now();
    let head = match until {
        Some(until) => until,
        None => stack.log.head().await?,
    };
    let check = PublicationCheck::begin(&stack.log, head, publications_max).await?;
    let mut following = check.follow();
    let watcher = Watcher {
        folded: following.folded.take(),
        ..Watcher::default()
    };
    let read = watcher.read.clone();
    let reading = async {
        let views = views(stack, until, head, watcher).await?;
        anyhow::Ok((views, following.finish().await?))
    };
    let (views, companions) = watching("events read", Some(head.get()), &read, reading).await?;
    let playlists = playlists(stack, head).await?;
    let identical = views.is_sound() && playlists.differences == 0 && companions.differences == 0;
    Ok(Replay {
        identical,
        until: head,
        views,
        playlists,
        companions,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Compares the live views, unless they stand beyond `until`: a view keeps no past.
async fn views(
    stack: &Stack,
    until: Option<Position>,
    head: Position,
    watcher: Watcher,
) -> anyhow::Result<Views> {
    let beyond = match until {
        Some(until) => beyond(stack, until).await?,
        None => None,
    };
    let Some(not_compared) = beyond else {
        let replayed = projectors::replay_watched(&stack.views, &stack.log, &stack.keys, watcher).await?;
        return Ok(Views::Compared(replayed));
    };
    let started = Instant::now();
    let folded = projectors::fold_watched(&stack.log, &stack.keys, head, watcher).await?;
    let projections = tokio::task::spawn_blocking(move || folded.digests()).await??;
    Ok(Views::Folded(Folded {
        not_compared,
        events: head.get(),
        projections,
        took: started.elapsed(),
    }))
}

/// Says why the live views cannot be compared as of `until`; nothing when they can.
async fn beyond(stack: &Stack, until: Position) -> anyhow::Result<Option<String>> {
    let reader = stack.views.reader();
    for kind in ProjectionKind::ALL {
        let checkpoint = reader.checkpoint(kind).await?;
        if checkpoint > until {
            return Ok(Some(format!(
                "the live views of {kind} stand at position {checkpoint}, beyond {until}, and a view keeps no past"
            )));
        }
    }
    Ok(None)
}

async fn playlists(stack: &Stack, until: Position) -> anyhow::Result<Checked> {
    let recomputer = Recomputer::new(stack.log.clone(), stack.keys.clone(), stack.registry.clone());
    let how = CheckAll {
        until: Some(until),
        ..CheckAll::default()
    };
    let checking = recomputer.check_all(&how);
    Ok(watching("playlists computed again", None, &how.answers, checking).await?)
}

impl Views {
    fn is_sound(&self) -> bool {
        match self {
            Self::Compared(replayed) => replayed.is_identical(),
            Self::Folded(_) => true,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Compared(replayed) => compared_text(replayed),
            Self::Folded(folded) => folded.text(),
        }
    }

    fn read(&self) -> (u64, Duration) {
        match self {
            Self::Compared(replayed) => (replayed.events, replayed.took),
            Self::Folded(folded) => (folded.events, folded.took),
        }
    }
}

impl Folded {
    fn text(&self) -> String {
        let row =
            |folded: &FoldedProjection| vec![folded.projection.to_owned(), short(&folded.digests.views)];
        let rows: Vec<_> = self.projections.iter().map(row).collect();
        let digests = table(&["projection", "replayed"], &rows);
        format!("{digests}\nviews not compared: {}", self.not_compared)
    }
}

fn short(digest: &domain::Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

fn compared_text(replayed: &Replayed) -> String {
    let row = |projection: &projectors::replay::ReplayedProjection| {
        let verdict = if projection.differences == 0 {
            "identical"
        } else {
            "DIFFERS"
        };
        vec![
            projection.projection.to_owned(),
            projection.checkpoint.get().to_string(),
            short(&projection.live.views),
            short(&projection.replayed.views),
            verdict.to_owned(),
        ]
    };
    let rows: Vec<_> = replayed.projections.iter().map(row).collect();
    let header = ["projection", "checkpoint", "live", "replayed", "verdict"];
    let text = table(&header, &rows);
    match replayed.first_difference() {
        Some(first) => format!("{text}\nfirst difference: {first}"),
        None => text,
    }
}

impl Replay {
    /// True when views, playlists and companions are what the log gives.
    pub(crate) fn is_identical(&self) -> bool {
        self.identical
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = vec![self.views.text()];
        lines.extend(playlists_text(&self.playlists));
        lines.extend(companions_text(&self.companions));
        let (events, took) = self.views.read();
        let rate = events as f64 / took.as_secs_f64().max(1e-9);
        lines.push(format!(
            "{events} events folded in {:.2} s ({rate:.0}/s), everything in {:.2} s, up to position {}",
            took.as_secs_f64(),
            self.seconds,
            self.until
        ));
        lines.join("\n")
    }
}

fn playlists_text(playlists: &Checked) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match &playlists.first_difference {
        None => format!(
            "{} computed again, all byte for byte the same",
            counted(playlists.computed, "playlist")
        ),
        Some(first) => format!(
            "{} not what the history gives, {} the same; the first is {} at position {}: {}",
            counted(playlists.differences, "playlist"),
            playlists.computed,
            first.stream,
            first.position,
            first.words
        ),
    });
    let others = [
        (
            playlists.failures,
            "failed, and the history gives the same reason",
        ),
        (playlists.pending, "not answered yet"),
        (
            playlists.erased,
            "of people who were forgotten, not computed again",
        ),
    ];
    let told = others.iter().filter(|(count, _)| *count > 0);
    lines.extend(told.map(|(count, what)| format!("{} {what}", counted(*count, "request"))));
    lines
}

fn companions_text(companions: &CheckedPublications) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(first) = &companions.first_difference {
        lines.push(format!(
            "{} not what the log gives; the first, at position {}: {}",
            publications(companions.differences),
            first.position,
            first.words
        ));
    }
    let others = [
        (companions.counted, "counted again, all the same"),
        (companions.empty, "empty, for there were too few listeners"),
        (
            companions.not_reproducible,
            "with likes of people who were forgotten since, which nobody can count again",
        ),
        (
            companions.left_out,
            "left out, the earliest ones: see --companions",
        ),
    ];
    let told = others.iter().filter(|(count, _)| *count > 0);
    lines.extend(told.map(|(count, what)| format!("{} {what}", publications(*count))));
    lines
}

fn publications(count: u64) -> String {
    counted(count, "publication") + " of companions"
}
