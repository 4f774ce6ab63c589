//! `segue projections`: how far the views are, and making them anew.

use std::str::FromStr;

use projectors::{ProjectionKind, ProjectionStatus, Rebuilt};
use serde::Serialize;

use crate::Outcome;
use crate::cli::ProjectionsCommand;
use crate::output::{Output, remark, table};
use crate::settings::Settings;
use crate::stack::Stack;

#[derive(Serialize)]
struct Status {
    head: u64,
    projections: Vec<ProjectionStatus>,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: ProjectionsCommand,
) -> anyhow::Result<Outcome> {
    let stack = Stack::open(settings).await?;
    match command {
        ProjectionsCommand::Status => output.print(&status(&stack).await?, Status::text)?,
        ProjectionsCommand::Rebuild { projection } => {
            output.print(&rebuild(&stack, projection.as_deref()).await?, |rebuilt| {
                rebuilt_text(rebuilt)
            })?;
        }
    }
    Ok(Outcome::Done)
}

async fn status(stack: &Stack) -> anyhow::Result<Status> {
    let reader = stack.views.reader();
    let mut projections = Vec::new();
    for kind in ProjectionKind::ALL {
        projections.push(reader.status(kind).await?);
    }
    Ok(Status {
        head: stack.log.head().await?.get(),
        projections,
    })
}

async fn rebuild(stack: &Stack, projection: Option<&str>) -> anyhow::Result<Vec<Rebuilt>> {
    let kinds = match projection {
        Some(name) => vec![ProjectionKind::from_str(name)?],
        None => ProjectionKind::ALL.to_vec(),
    };
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    remark(&format!("rebuilding {}", names.join(", ")));
    Ok(projectors::rebuild_together(&stack.views, &stack.log, &stack.keys, &kinds).await?)
}

impl Status {
    fn text(&self) -> String {
        let row = |status: &ProjectionStatus| {
            let generation = status
                .generation
                .map_or_else(|| "none".to_owned(), |generation| generation.to_string());
            let state = match (status.building, status.is_current) {
                (Some(_), _) => "rebuilding",
                (None, true) => "live",
                (None, false) => "not built",
            };
            let checkpoint = status.checkpoint.get();
            let behind = self.head.saturating_sub(checkpoint);
            let numbers = [checkpoint, behind, status.views].map(|number| number.to_string());
            let [checkpoint, behind, views] = numbers;
            vec![
                status.projection.to_owned(),
                state.to_owned(),
                generation,
                checkpoint,
                behind,
                views,
            ]
        };
        let rows: Vec<_> = self.projections.iter().map(row).collect();
        let header = [
            "projection",
            "state",
            "generation",
            "checkpoint",
            "behind",
            "views",
        ];
        format!("log head {}\n{}", self.head, table(&header, &rows))
    }
}

fn rebuilt_text(rebuilt: &[Rebuilt]) -> String {
    let line = |rebuilt: &Rebuilt| {
        let seconds = rebuilt.took.as_secs_f64();
        let rate = rebuilt.events as f64 / seconds.max(1e-9);
        let differences = match &rebuilt.first_difference {
            None => "no difference to the views it replaces".to_owned(),
            Some(first) => format!("{} differences, the first: {first}", rebuilt.differences),
        };
        format!(
            "{}: generation {} at position {}, {} events in {seconds:.2} s ({rate:.0}/s), {differences}",
            rebuilt.projection,
            rebuilt.generation,
            rebuilt.position.get(),
            rebuilt.events
        )
    };
    rebuilt.iter().map(line).collect::<Vec<_>>().join("\n")
}
