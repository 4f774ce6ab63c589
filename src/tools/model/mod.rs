//! `segue model`: models, fitted, evaluated, published, taken back, listed, shown and compared; and companions, shown.

mod companions;
mod compare;
mod evaluate;
mod known;
mod list;
mod publish;
mod ratings;
mod rollback;
mod show;
mod train;

use crate::Outcome;
use crate::cli::ModelCommand;
use crate::output::Output;
use crate::settings::Settings;
use crate::stack::Stack;

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: ModelCommand,
) -> anyhow::Result<Outcome> {
    // Compares files and needs no log.
    if let ModelCommand::Compare(arguments) = &command {
        // The computation is long, so this thread gives its other work away.
        tokio::task::block_in_place(|| compare::run(output, arguments))?;
        return Ok(Outcome::Done);
    }
    let stack = Stack::open(settings).await?;
    match command {
        ModelCommand::Compare(_) => {}
        ModelCommand::Train(arguments) => train::run(&stack, output, &arguments).await?,
        ModelCommand::Evaluate(arguments) => evaluate::run(&stack, output, &arguments).await?,
        ModelCommand::Rollback { to } => rollback::run(&stack, output, to.as_deref()).await?,
        ModelCommand::Publish { what } => publish::run(&stack, output, &what).await?,
        ModelCommand::List => list::run(&stack, output).await?,
        ModelCommand::Companions { artist } => companions::run(&stack, output, artist.as_deref()).await?,
        ModelCommand::Show { what } => show::run(&stack, output, what.as_deref()).await?,
    }
    Ok(Outcome::Done)
}
