//! The one binary: parses the command line, reads configuration, composes roles.
//!
//! Exit status: 0 done; 1 refused or failed, the reason on standard error; 2 wrong usage.

mod cli;
mod hosts;
mod logging;
mod output;
mod probes;
mod roles;
mod serve;
mod settings;
mod stack;
mod tools;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, TopologyCommand};
use crate::output::Output;
use crate::roles::Role;
use crate::settings::{Serving, Settings};

/// What a command came to, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// The answer is no; what was printed says why.
    Refused,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // The demo tells a story; what the server says of itself would stand between its lines.
    let level = match cli.command {
        Some(Command::Demo) => "warn",
        _ => "info",
    };
    logging::start(cli.settings.log_format, level);
    match run(cli).await {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::FAILURE,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let Cli {
        settings,
        serving,
        command,
    } = cli;
    let output = Output::new(settings.format);
    match command {
        None => serve_with_demo_catalogue(&settings, &serving).await,
        Some(Command::Serve) => serve::run(&settings, &serving, Role::ALL).await,
        Some(Command::Rest) => serve::run(&settings, &serving, &[Role::Rest]).await,
        Some(Command::Usermanagement) => serve::run(&settings, &serving, &[Role::Usermanagement]).await,
        Some(Command::Classifier) => serve::run(&settings, &serving, &[Role::Classifier]).await,
        Some(Command::Accounts(command)) => tools::accounts::run(&settings, output, command).await,
        Some(Command::Audit(command)) => tools::audit::run(&settings, output, command).await,
        Some(Command::Catalogue(command)) => tools::catalogue::run(&settings, output, command).await,
        Some(Command::DeadLetters(command)) => tools::dead_letters::run(&settings, output, command).await,
        Some(Command::Demo) => tools::demo::run(output).await,
        Some(Command::Migrate) => tools::migrate::run(&settings, output).await,
        Some(Command::Model(command)) => tools::model::run(&settings, output, command).await,
        Some(Command::Projections(command)) => tools::projections::run(&settings, output, command).await,
        Some(Command::Topology(TopologyCommand::Apply)) => tools::topology::apply(&settings, output).await,
    }
}

/// What `segue` alone does: a newcomer gets something to play with.
async fn serve_with_demo_catalogue(settings: &Settings, serving: &Serving) -> anyhow::Result<Outcome> {
    tools::catalogue::ensure_demo(settings).await?;
    serve::run(settings, serving, Role::ALL).await
}
