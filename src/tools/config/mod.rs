//! `segue config check`: what the settings come to, where each comes from, and what is wrong with them. Nothing is made or changed.
//!
//! The command line is read twice: here every setting as it stands, so that one that makes no sense hides no other; and
//! whatever makes sense as the program reads it.

mod check;
mod connect;
mod finding;
mod given;
mod report;

use clap::Args;

pub(crate) use self::given::{Given, asked};
use self::report::Report;
use crate::Outcome;
use crate::output::Output;
use crate::roles::Role;

/// What is checked besides the settings.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArguments {
    /// Connects to every server that is named, for a few seconds at most, and says whether it can be used.
    #[arg(long)]
    connect: bool,
    /// What the process is to do: `serve` runs all roles in one process.
    #[arg(long, value_enum, default_value_t)]
    role: RoleArgument,
}

/// The command that is to be started with these settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RoleArgument {
    /// All roles.
    #[default]
    Serve,
    /// The REST interface.
    Rest,
    /// The views of accounts.
    Usermanagement,
    /// The views of taste and playlists.
    Classifier,
}

impl RoleArgument {
    fn roles(self) -> &'static [Role] {
        match self {
            Self::Serve => Role::ALL,
            Self::Rest => &[Role::Rest],
            Self::Usermanagement => &[Role::Usermanagement],
            Self::Classifier => &[Role::Classifier],
        }
    }
}

/// Checks and prints; refused when something is wrong.
pub(crate) async fn run(given: Given) -> anyhow::Result<Outcome> {
    let effective = given.effective()?;
    let mut findings = check::all(&given, &effective);
    let connections = match given.arguments.connect {
        true => connect::all(&effective).await,
        false => Vec::new(),
    };
    findings.extend(connections.iter().filter_map(connect::Connection::finding));
    let report = Report::new(&given, &effective, findings, connections);
    Output::new(given.format).print(&report, Report::text)?;
    Ok(if report.ok {
        Outcome::Done
    } else {
        Outcome::Refused
    })
}
