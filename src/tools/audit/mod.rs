//! `segue audit`: what auditors ask of the log.

pub(crate) mod as_of;
mod checkpoint;
pub(crate) mod diff;
pub(crate) mod explain;
mod export;
mod fault;
mod given;
pub(crate) mod history;
mod keygen;
mod prove;
mod replace;
pub(crate) mod replay;
mod tiles;
mod told;
mod verify;
mod witness;

use anyhow::Context;
use projectors::{At, Moment};

use crate::Outcome;
use crate::cli::AuditCommand;
use crate::output::Output;
use crate::settings::Settings;
use crate::stack::Stack;

pub(crate) use told::told;

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: AuditCommand,
) -> anyhow::Result<Outcome> {
    let stack = || Stack::open(settings);
    match command {
        AuditCommand::AsOf(arguments) => as_of::run(&stack().await?, output, &arguments).await,
        AuditCommand::Checkpoint => checkpoint::run(&stack().await?, settings, output).await,
        AuditCommand::Diff(arguments) => diff::run(&stack().await?, output, &arguments).await,
        AuditCommand::Explain(what) => explain::run(&stack().await?, output, what).await,
        AuditCommand::Export(arguments) => export::run(&stack().await?, settings, output, &arguments).await,
        AuditCommand::History(arguments) => history::run(&stack().await?, output, &arguments).await,
        AuditCommand::Keygen(arguments) => keygen::run(settings, output, &arguments),
        AuditCommand::Prove(arguments) => prove::run(settings, output, &arguments).await,
        AuditCommand::Replay(arguments) => replay::run(&stack().await?, output, &arguments).await,
        AuditCommand::Tiles(arguments) => tiles::run(&stack().await?, settings, output, &arguments).await,
        AuditCommand::Verify(arguments) => verify::run(settings, output, &arguments).await,
        AuditCommand::Witness(arguments) => witness::run(output, &arguments).await,
    }
}

/// The point of the log that an argument names.
async fn moment(stack: &Stack, argument: &'static str, at: At) -> anyhow::Result<Moment> {
    let now = std::time::SystemTime::now().into();
    at.find(&stack.log, now).await.context(argument)
}
