//! `segue model`: base models, fitted, published, listed and shown.

mod known;
mod list;
mod publish;
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
    let stack = Stack::open(settings).await?;
    match command {
        ModelCommand::Train { file, publish } => train::run(&stack, output, &file, publish).await?,
        ModelCommand::Publish { what } => publish::run(&stack, output, &what).await?,
        ModelCommand::List => list::run(&stack, output).await?,
        ModelCommand::Show { what } => show::run(&stack, output, what.as_deref()).await?,
    }
    Ok(Outcome::Done)
}
