//! The one binary: parses the command line, reads configuration, composes roles.
//!
//! Exit status: 0 done; 1 refused or failed, the reason on standard error; 2 wrong usage; `audit` has more.

mod access;
mod cli;
mod hosts;
mod logging;
mod measures;
mod output;
mod probes;
mod roles;
mod sealing;
mod serve;
mod settings;
mod stack;
mod tools;
mod traces;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, ConfigCommand, TopologyCommand};
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
    /// The same, of a kind that has an exit status of its own.
    Exit(u8),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match tools::config::asked(std::env::args_os()) {
        // Settings that are checked need not be such that the program can start with them.
        Some(asked) => tools::config::run(asked).await,
        None => {
            let cli = Cli::parse();
            start_logging(&cli);
            run(cli).await
        }
    };
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::FAILURE,
        Ok(Outcome::Exit(status)) => ExitCode::from(status),
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn start_logging(cli: &Cli) {
    let level = match cli.command {
        // The demo tells a story; what the server says of itself would stand between its lines.
        Some(Command::Demo) => "warn",
        // Lines would stand in the midst of its screen.
        Some(Command::Top(_)) => return,
        _ => "info",
    };
    logging::start(cli.settings.log_format, level);
}

async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let Cli {
        settings,
        serving,
        command,
    } = cli;
    let output = Output::new(settings.format);
    let settings = settings.with_secrets_read()?;
    match command {
        None => serve_with_demo_catalogue(&settings, &serving).await,
        Some(Command::Serve) => serve::run(&settings, &serving, Role::ALL).await,
        Some(Command::Rest) => serve::run(&settings, &serving, &[Role::Rest]).await,
        Some(Command::Usermanagement) => serve::run(&settings, &serving, &[Role::Usermanagement]).await,
        Some(Command::Classifier) => serve::run(&settings, &serving, &[Role::Classifier]).await,
        Some(Command::Accounts(command)) => tools::accounts::run(&settings, output, command).await,
        Some(Command::Audit(command)) => tools::audit::run(&settings, output, command).await,
        Some(Command::Backup(arguments)) => tools::backup::run(&settings, output, arguments).await,
        Some(Command::Catalogue(command)) => tools::catalogue::run(&settings, output, command).await,
        // `asked` has taken it before, unless the arguments are such that only the strict reading understands them.
        Some(Command::Config(ConfigCommand::Check(_))) => {
            anyhow::bail!("the settings cannot be told one by one: an argument is no text")
        }
        Some(Command::DeadLetters(command)) => tools::dead_letters::run(&settings, output, command).await,
        Some(Command::Demo) => tools::demo::run(output).await,
        Some(Command::Keys(command)) => tools::keys::run(&settings, output, command).await,
        Some(Command::Migrate) => tools::migrate::run(&settings, output).await,
        Some(Command::Model(command)) => tools::model::run(&settings, output, command).await,
        Some(Command::Projections(command)) => tools::projections::run(&settings, output, command).await,
        Some(Command::Restore(arguments)) => tools::restore::run(&settings, output, arguments).await,
        Some(Command::Settings) => tools::settings::run(output),
        Some(Command::Top(arguments)) => tools::top::run(&settings, output, arguments).await,
        Some(Command::Topology(TopologyCommand::Apply)) => tools::topology::apply(&settings, output).await,
    }
}

/// What `segue` alone does: a newcomer gets something to play with.
async fn serve_with_demo_catalogue(settings: &Settings, serving: &Serving) -> anyhow::Result<Outcome> {
    tools::catalogue::ensure_demo(settings).await?;
    serve::run(settings, serving, Role::ALL).await
}
