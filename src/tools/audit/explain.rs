//! `segue audit explain`: how something came about, in words.

use domain::{AccessCall, Asked, PlaylistId, Rating, access::StreamName};
use projectors::Count;
use projectors::as_of::Contribution;
use workers::explain::{ExplainedTrack, RatingEffect, RatingThatMattered, Recomputation, Rules, Step};
use workers::{Explained, Explainer};

use crate::Outcome;
use crate::access;
use crate::output::{Output, counted, watching};
use crate::stack::Stack;

/// Contributions that are told of a track, for a person; JSON has all.
const CONTRIBUTIONS_TOLD: usize = 5;

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum ExplainCommand {
    /// Tells how a playlist came about: command, request, ratings, model, catalogue, scores and rules.
    Playlist {
        /// The playlist's id.
        id: PlaylistId,
    },
}

pub(crate) async fn run(stack: &Stack, output: Output, what: ExplainCommand) -> anyhow::Result<Outcome> {
    let ExplainCommand::Playlist { id } = what;
    let explainer = Explainer::new(
        stack.log.clone(),
        stack.keys.clone(),
        stack.registry.clone(),
        stack.catalogues.clone(),
    );
    let tried = Count::default();
    let explaining = explainer.explain(id, &tried);
    let explained = watching("ratings left out in turn", None, &tried, explaining).await?;
    let asked = Asked::stream(StreamName::parse(&id.stream_name())?);
    access::record(stack, AccessCall::PlaylistExplain, asked).await?;
    output.print(&explained, text)?;
    Ok(match explained.recomputation {
        Recomputation::Differs { .. } | Recomputation::GeneratorUnknown { .. } => Outcome::Refused,
        Recomputation::Same | Recomputation::Pending => Outcome::Done,
    })
}

fn text(explained: &Explained) -> String {
    let mut parts = vec![heading(explained), chain(explained)];
    parts.push(sources(explained));
    parts.extend(ratings(explained));
    parts.extend(explained.rules.as_ref().map(|rules| rules_text(explained, rules)));
    if !explained.tracks.is_empty() {
        let tracks: Vec<_> = explained.tracks.iter().map(track).collect();
        parts.push(format!("Tracks\n{}", tracks.join("\n")));
    }
    parts.extend(failure(explained));
    parts.push(verdict(&explained.recomputation));
    parts.join("\n\n")
}

fn heading(explained: &Explained) -> String {
    let name = explained
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" \"{name}\""));
    format!(
        "Playlist {}{name} of account {}: {}",
        explained.playlist, explained.owner, explained.status
    )
}

fn chain(explained: &Explained) -> String {
    let command = &explained.command;
    let mut lines = vec![format!(
        "Chain\n  a client asked at {}; correlation {}",
        command.requested_at.format("%Y-%m-%d %H:%M:%S%.3f UTC"),
        command.correlation_id
    )];
    lines.extend(explained.events.iter().map(step));
    lines.join("\n")
}

fn step(step: &Step) -> String {
    let cause = step
        .causation_id
        .map_or_else(String::new, |cause| format!(", caused by {cause}"));
    format!(
        "  position {}: {} {}, recorded at {}{cause}",
        step.position,
        step.event_type,
        step.id,
        step.recorded_at.format("%Y-%m-%d %H:%M:%S%.6f UTC")
    )
}

fn sources(explained: &Explained) -> String {
    let mut lines = vec!["Made from what stood before the request".to_owned()];
    lines.push(format!(
        "  the listener's stream up to version {}",
        explained.listener_version
    ));
    lines.push(match &explained.catalogue {
        Some(used) => format!(
            "  catalogue {} with {} tracks, imported at position {}",
            used.version, used.tracks, used.position
        ),
        None => "  no catalogue".to_owned(),
    });
    lines.push(match &explained.model {
        Some(used) => format!(
            "  base model {} ({}, trained on {}), published at position {}",
            used.fingerprint, used.kind, used.trained_on, used.position
        ),
        None => "  no published base model: a neutral one was used".to_owned(),
    });
    if let Some(used) = &explained.companions {
        lines.push(format!(
            "  companions {} of {} listeners up to position {}, published at position {}",
            used.digest, used.listeners, used.as_of, used.position
        ));
    }
    lines.join("\n")
}

fn ratings(explained: &Explained) -> Option<String> {
    let ratings = explained
        .ratings
        .as_ref()
        .filter(|ratings| ratings.standing > 0)?;
    let mut lines = vec![format!(
        "Ratings that mattered most ({} of {} left out in turn)",
        ratings.tried, ratings.standing
    )];
    lines.extend(ratings.strongest.iter().map(rating));
    Some(lines.join("\n"))
}

fn rating(mattered: &RatingThatMattered) -> String {
    format!(
        "  {} {} at position {}: {:+.4} on an average track of the playlist",
        said(mattered.rating),
        named(&mattered.track, mattered.name.as_deref(), &mattered.artists),
        mattered.position,
        mattered.mean_effect
    )
}

fn said(rating: Rating) -> &'static str {
    match rating {
        Rating::Like => "liked",
        Rating::Dislike => "disliked",
    }
}

fn named(track: &domain::TrackId, name: Option<&str>, artists: &[String]) -> String {
    let by = if artists.is_empty() {
        String::new()
    } else {
        format!(" by {}", artists.join(", "))
    };
    format!("{}{by}", name.unwrap_or(track.as_str()))
}

fn rules_text(explained: &Explained, rules: &Rules) -> String {
    let (request, pool) = (&explained.request, rules.pool);
    let mut lines = vec![format!(
        "Rules of generator {}\n  {} tracks asked for, {} returned; of {} in the catalogue {} passed the hard rules and {} the caps",
        rules.generator, rules.requested, rules.returned, pool.initial, pool.after_filtering, pool.after_caps
    )];
    if let Some(left_out) = rules.left_out {
        lines.push(format!(
            "  left out: {} songs rated already (disliked ones among them), {} heard too recently, {} outside the minimums and maximums",
            left_out.rated, left_out.heard, left_out.bounds
        ));
    }
    lines.push(format!(
        "  at most {} of one artist",
        counted(rules.max_per_artist.into(), "track")
    ));
    if let Some(days) = request.not_heard_since_days {
        lines.push(format!("  nothing that was heard in the {days} days before"));
    }
    let bounds = [
        ("at least", &request.minimums),
        ("at most", &request.maximums),
        ("near", &request.targets),
    ];
    for (word, values) in bounds {
        lines.extend(
            values
                .iter()
                .map(|(feature, value)| format!("  {feature} {word} {value}")),
        );
    }
    if rules.diversity {
        lines.push("  tracks that sound like those chosen already gave way to others".to_owned());
    }
    lines.push(order(explained, rules));
    lines.push(if rules.exploration > 0.0 {
        format!(
            "  exploration {}, drawn with seed {}",
            rules.exploration, rules.random_seed
        )
    } else {
        format!("  no exploration; seed {}", rules.random_seed)
    });
    if let Some(from) = rules.learned_from {
        lines.push(format!(
            "  learned from {} liked and {} disliked tracks of the catalogue",
            from.liked, from.disliked
        ));
    }
    lines.extend(rules.notes.iter().map(|note| format!("  note: {note}")));
    lines.join("\n")
}

fn order(explained: &Explained, rules: &Rules) -> String {
    let how = match rules.order {
        domain::Order::Score => "best first",
        domain::Order::Shuffle => "shuffled by the seed",
        domain::Order::Smooth => "neighbours fit: tempo, key, energy, artists apart",
    };
    let arc = explained.request.arc.map_or_else(String::new, |arc| {
        let arc = serde_json::to_value(arc).unwrap_or_default();
        format!(", the energy's arc: {}", arc.as_str().unwrap_or_default())
    });
    let fit = rules.arrangement.map_or_else(String::new, |fit| {
        format!("; costs {}, the greedy order {}", fit.objective, fit.greedy)
    });
    format!("  order: {how}{arc}{fit}")
}

fn track(track: &ExplainedTrack) -> String {
    let item = &track.item;
    let name = named(&item.track, item.name.as_deref(), &item.artists);
    let mut lines = vec![format!("  {}. {name}: score {}", item.position, item.score)];
    let told = [
        item.rank.map(|rank| format!("rank {rank}")),
        item.propensity
            .map(|propensity| format!("chosen with probability {propensity}")),
        (!track.reason.is_empty()).then(|| track.reason.clone()),
    ];
    let told: Vec<_> = told.into_iter().flatten().collect();
    if !told.is_empty() {
        lines.push(format!("     {}", told.join("; ")));
    }
    lines.push(format!("     {}", contributions(&item.contributions)));
    if !track.because.is_empty() {
        let because: Vec<_> = track.because.iter().map(effect).collect();
        lines.push(format!("     because of: {}", because.join(", ")));
    }
    lines.join("\n")
}

/// The largest, and what the others come to.
fn contributions(contributions: &[Contribution]) -> String {
    let mut sorted: Vec<_> = contributions.iter().collect();
    sorted.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let (told, others) = sorted.split_at(CONTRIBUTIONS_TOLD.min(sorted.len()));
    let mut parts: Vec<_> = told
        .iter()
        .map(|share| format!("{} {:+.4}", share.feature, share.contribution))
        .collect();
    if !others.is_empty() {
        let rest: f64 = others.iter().map(|share| share.contribution).sum();
        parts.push(format!("{} others {rest:+.4}", others.len()));
    }
    parts.join(", ")
}

fn effect(effect: &RatingEffect) -> String {
    let name = effect.name.as_deref().unwrap_or(effect.track.as_str());
    format!("{} {name} ({:+.4})", said(effect.rating), effect.effect)
}

fn failure(explained: &Explained) -> Option<String> {
    let failed = explained.failure.as_ref()?;
    let detail = failed
        .detail
        .as_ref()
        .map_or_else(String::new, |detail| format!(": {detail}"));
    Some(format!("It failed for {}{detail}", failed.reason))
}

fn verdict(recomputation: &Recomputation) -> String {
    match recomputation {
        Recomputation::Same => "Computed again from the log: the same bytes".to_owned(),
        Recomputation::Differs { words, .. } => format!("Computed again from the log: IT DIFFERS: {words}"),
        Recomputation::GeneratorUnknown { generator } => {
            format!("Not computed again: this program does not have generator {generator}")
        }
        Recomputation::Pending => "There is no answer yet".to_owned(),
    }
}
