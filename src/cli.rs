//! The command line: every setting is a flag and an environment variable.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::{Serving, Settings};

/// Personal playlists from an event log that can prove them.
///
/// Without a command, Segue serves everything in one process and fills an empty data folder with a demo catalogue.
#[derive(Debug, Parser)]
#[command(name = "segue", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) serving: Serving,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serves everything in this process.
    Serve,
    /// Serves the REST interface alone, and publishes the log to the broker.
    Rest,
    /// Keeps the views of accounts and sessions.
    Usermanagement,
    /// Keeps the views of taste and playlists, and makes playlists.
    Classifier,
    /// Creates accounts and grants roles.
    #[command(subcommand)]
    Accounts(AccountsCommand),
    /// Replays the history and compares it with what is live.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Imports, generates and lists catalogues.
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Lists, retries and skips events that a consumer set aside.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Walks through the whole story on a temporary folder and prints it.
    Demo,
    /// Brings the database of `DATABASE_URL` to the shape that this program needs.
    Migrate,
    /// Trains, publishes, lists and shows base models.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Shows and rebuilds the views.
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// The exchange, queues and bindings of the broker.
    #[command(subcommand)]
    Topology(TopologyCommand),
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum TopologyCommand {
    /// Makes everything exist that the roles need. Changes nothing that is there.
    Apply,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// Creates an account; the password is the first line of standard input.
    Create {
        /// The user name, 3 to 64 characters.
        name: String,
        /// What the account may do.
        #[arg(long, default_value = "listener")]
        role: RoleArgument,
    },
    /// Grants a role to an account.
    Grant {
        /// The user name.
        name: String,
        /// What the account may do from now on.
        role: RoleArgument,
    },
}

/// A role as the command line spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArgument {
    /// Rates and asks for playlists.
    Listener,
    /// Reads the history.
    Auditor,
    /// Runs the service.
    Operator,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Folds the log again and compares every view and every playlist with the live ones.
    Replay,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogueCommand {
    /// Imports a CSV file, plain or gzip; all lines or none.
    Import {
        /// The file, as `tracks.csv` or `tracks.csv.gz`.
        file: PathBuf,
        /// Leaves out the lines that cannot be read instead of refusing the file.
        #[arg(long)]
        skip_rejected: bool,
        /// Reads and reports, and changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Makes a plausible demo catalogue: the same for the same count and seed.
    Generate {
        /// How many tracks, 1 to 1,000,000.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        tracks: u32,
        /// Seed of the generator.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Writes a CSV file instead of importing.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Lists the versions that were imported.
    List,
    /// Shows one version, or one track of the current one.
    Show {
        /// Digest of a version (its beginning is enough), or a track's id.
        what: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Lists the events set aside.
    List,
    /// Shows one in full.
    Show(DeadLetterName),
    /// Hands it to its consumer again.
    Retry(DeadLetterName),
    /// Gives it up, so that later events of its stream go on.
    Skip(DeadLetterName),
}

/// Names a dead letter, as `dead-letters list` prints it.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeadLetterName {
    /// The consumer that set it aside.
    pub(crate) consumer: String,
    /// The event's stream.
    pub(crate) stream: String,
    /// The event's version in its stream.
    pub(crate) version: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Fits a base model on likes and dislikes (CSV: listener, track features, rating).
    Train {
        /// The ratings; columns `rating` (like or dislike), the features, and optionally `listener`.
        file: PathBuf,
        /// Publishes the model, so that later playlists use it; without this it is kept in the registry.
        #[arg(long)]
        publish: bool,
    },
    /// Publishes a model, so that later playlists use it.
    Publish {
        /// A file that holds it, or its fingerprint (the beginning is enough).
        what: String,
    },
    /// Lists the models that lie in the registry or were published.
    List,
    /// Shows one model, and whether the registry's copy is sound.
    Show {
        /// Its fingerprint (the beginning is enough); the current one when absent.
        what: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionsCommand {
    /// Says how far each projection is.
    Status,
    /// Folds the log into a new generation, compares it with the live one and switches.
    Rebuild {
        /// Name of a projection; all when absent.
        projection: Option<String>,
    },
}
