//! `segue audit`: whether what is served follows from the log.

use domain::PlaylistId;
use eventing::{EventFilter, Position};
use projectors::Replayed;
use serde::Serialize;
use workers::{Recomputed, Recomputer};

use crate::Outcome;
use crate::cli::AuditCommand;
use crate::output::{Output, Progress, table};
use crate::settings::Settings;
use crate::stack::Stack;

const GENERATED: &str = "playlist.generated";
const PAGE: usize = 200;

/// Replayed views and playlists.
#[derive(Serialize)]
pub(crate) struct Replay {
    identical: bool,
    views: Replayed,
    playlists: Playlists,
}

/// What computing every generated playlist again came to.
#[derive(Serialize)]
struct Playlists {
    computed: u64,
    /// Made by rules that this program does not have.
    other_generators: u64,
    first_difference: Option<String>,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: AuditCommand,
) -> anyhow::Result<Outcome> {
    let AuditCommand::Replay = command;
    let stack = Stack::open(settings).await?;
    let replay = replay(&stack).await?;
    output.print(&replay, Replay::text)?;
    Ok(if replay.identical {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}

/// Folds the log again and compares every view, then computes every playlist again and compares its bytes.
pub(crate) async fn replay(stack: &Stack) -> anyhow::Result<Replay> {
    let views = projectors::replay(&stack.views, &stack.log, &stack.keys).await?;
    let playlists = recompute_all(stack).await?;
    let identical = views.is_identical() && playlists.first_difference.is_none();
    Ok(Replay {
        identical,
        views,
        playlists,
    })
}

/// Stops at the first playlist that does not come out as it was recorded.
async fn recompute_all(stack: &Stack) -> anyhow::Result<Playlists> {
    let recomputer = Recomputer::new(stack.log.clone(), stack.keys.clone(), stack.registry.clone());
    let mut progress = Progress::of("playlists computed again");
    let mut playlists = Playlists {
        computed: 0,
        other_generators: 0,
        first_difference: None,
    };
    let mut after = Position::START;
    loop {
        let filter = EventFilter {
            event_type: Some(GENERATED.to_owned()),
            ..EventFilter::after(after, PAGE)
        };
        let events = stack.log.read_filtered(filter).await?;
        for event in &events {
            after = event.position;
            match recomputer.check(PlaylistId::new(event.stream.uuid())).await? {
                Recomputed::Same { .. } => playlists.computed += 1,
                Recomputed::Erased => {}
                Recomputed::OtherGenerator { .. } => playlists.other_generators += 1,
                _ => {
                    playlists.first_difference = Some(event.stream.to_string());
                    return Ok(playlists);
                }
            }
            progress.at(playlists.computed);
        }
        if events.len() < PAGE {
            return Ok(playlists);
        }
    }
}

impl Replay {
    /// True when views and playlists are what the log gives.
    pub(crate) fn is_identical(&self) -> bool {
        self.identical
    }

    pub(crate) fn text(&self) -> String {
        let short = |digest: &str| digest.chars().take(16).collect::<String>();
        let row = |projection: &projectors::replay::ReplayedProjection| {
            let verdict = if projection.differences == 0 {
                "identical"
            } else {
                "DIFFERS"
            };
            vec![
                projection.projection.to_owned(),
                projection.checkpoint.get().to_string(),
                short(&projection.live.views.to_string()),
                short(&projection.replayed.views.to_string()),
                verdict.to_owned(),
            ]
        };
        let rows: Vec<_> = self.views.projections.iter().map(row).collect();
        let mut text = table(
            &["projection", "checkpoint", "live", "replayed", "verdict"],
            &rows,
        );
        if let Some(first) = self.views.first_difference() {
            text += &format!("\nfirst difference: {first}");
        }
        text += &match &self.playlists.first_difference {
            None => format!(
                "\n{} playlists computed again, all byte for byte the same",
                self.playlists.computed
            ),
            Some(first) => format!("\nfirst playlist that differs: {first}"),
        };
        text += &format!(
            "\n{} events read in {:.2} s",
            self.views.events,
            self.views.took.as_secs_f64()
        );
        text
    }
}
