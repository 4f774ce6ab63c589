//! The command line: every setting is a flag and an environment variable.

mod audit;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::audit::{
    ExportArguments, KeygenArguments, ProveArguments, TilesArguments, VerifyArguments, WitnessArguments,
};
use crate::settings::{Serving, Settings};
use crate::tools::audit::as_of::AsOfArguments;
use crate::tools::audit::diff::DiffArguments;
use crate::tools::audit::explain::ExplainCommand;
use crate::tools::audit::history::HistoryArguments;
use crate::tools::audit::replay::ReplayArguments;
use crate::tools::config::CheckArguments;
use crate::tools::top::TopArguments;

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
    /// Copies log, keys and models of the embedded stack into a folder, while it runs or not.
    Backup(BackupArguments),
    /// Imports, generates and lists catalogues.
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Says what the settings come to, and what is wrong with them.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Lists, retries and skips events that a consumer set aside.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Walks through the whole story on a temporary folder and prints it.
    Demo,
    /// Makes a master key, and replaces the present one.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Brings the database of `DATABASE_URL` to the shape that this program needs.
    Migrate,
    /// Trains, evaluates, publishes, takes back, lists, shows and compares models.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Shows and rebuilds the views.
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Checks a backup and puts it into the data folder, which no server may use meanwhile.
    Restore(RestoreArguments),
    /// Lists every setting: its flag, its environment variable, its default, what it does.
    Settings,
    /// Shows rates, lags, the log and its last events live, in a terminal.
    ///
    /// Keys: q ends, p stands still, arrows and Tab turn pages. Without a terminal one frame is printed.
    Top(TopArguments),
    /// The exchange, queues and bindings of the broker.
    #[command(subcommand)]
    Topology(TopologyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints every setting with its value and where it comes from, the form of each part, and what is wrong.
    ///
    /// Makes and changes nothing. Exit status: 0 when the program would start so, 1 when something is wrong.
    Check(CheckArguments),
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
    /// Forgets a person for good: the account, what they rated, played and asked for. Cannot be taken back.
    Erase {
        /// The user name, or the account's id.
        name: String,
        /// Says that it is meant.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes a new master key in a file that does not exist yet, readable by its owner alone.
    Generate {
        /// The file.
        file: PathBuf,
    },
    /// Wraps every person's key under another master key. The log is not touched.
    ///
    /// Processes that run meanwhile must be started again with the new key. Until then they refuse what they have no key in
    /// memory for. After a crash, the same command goes on.
    Rotate {
        /// File that holds the new master key: 64 hexadecimal digits.
        #[arg(long, value_name = "FILE")]
        new_key_file: PathBuf,
    },
}

/// Where a backup goes, and what is in it.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The folder to make. It must not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Puts the master key into the backup as well. Without it the backup opens nobody's records by itself.
    #[arg(long)]
    pub(crate) with_master_key: bool,
}

/// What is restored, and over what.
#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// A folder that `backup` made.
    pub(crate) from: PathBuf,
    /// Replaces a data folder that is in use. It is kept under another name, and whoever was forgotten there stays so.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Goes on to sign with the audit key of the backup, into an empty folder: only if nothing was signed after the backup was
    /// made, as when an instance moves. Otherwise that key is retired, and the next start makes a new one.
    #[arg(long, conflicts_with = "replace")]
    pub(crate) keep_audit_key: bool,
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
    /// Shows a stream as it was at a position or a time.
    AsOf(AsOfArguments),
    /// Signs a checkpoint of the whole log and prints it.
    Checkpoint,
    /// Says what changed between two positions or times.
    Diff(DiffArguments),
    /// Says how something came about.
    #[command(subcommand)]
    Explain(ExplainCommand),
    /// Writes the records to a file that can be verified without the log. What is sealed stays sealed.
    Export(ExportArguments),
    /// Lists what was recorded, follows it, or shows one request and all that it caused.
    ///
    /// What listeners did is opened; identities stay sealed. With `--format json` each event is a line.
    History(HistoryArguments),
    /// Makes the key that checkpoints are signed with, and prints its public half.
    Keygen(KeygenArguments),
    /// Proves that a record is in the log, as a file; or checks such a file.
    Prove(ProveArguments),
    /// Folds the log again and compares every view and every playlist with the live ones.
    ///
    /// Runs beside a working instance. The first difference of each kind is told with its cause.
    Replay(ReplayArguments),
    /// Writes the log's tree and records as files that any web server can serve (C2SP tlog-tiles).
    Tiles(TilesArguments),
    /// Verifies an export, or the live log.
    ///
    /// Exit status: 0 verified; 1 could not run; 2 wrong usage; 3 unreadable: not an export, or of an unknown version;
    /// 4 corrupt: a record or what is kept beside it was changed; 5 truncated; 6 unsigned: no or a wrong signature;
    /// 7 inconsistent: another root, an old checkpoint of another history, or another log.
    Verify(VerifyArguments),
    /// Cosigns the newest checkpoint of a log, once it is proved consistent with the last one that was cosigned.
    Witness(WitnessArguments),
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
    Train(TrainArguments),
    /// Predicts each listener's later ratings from the first ones, with a model and with the neutral one.
    ///
    /// After 0, 5, 10, 20 and 50 ratings the later ones are predicted, without those of artists that were rated already:
    /// area under the ROC curve, negative log-likelihood in nats, Brier score and expected calibration error.
    Evaluate(EvaluateArguments),
    /// Publishes a model, so that later playlists use it.
    Publish {
        /// A file that holds it, or its fingerprint (the beginning is enough).
        what: String,
    },
    /// Publishes again the model that was current before, so that later playlists use it.
    ///
    /// Going back twice is going back once: after it, `--to` names an earlier model.
    Rollback {
        /// Goes back to this model of the registry (the beginning of its fingerprint is enough).
        #[arg(long, value_name = "MODEL")]
        to: Option<String>,
    },
    /// Lists the models that lie in the registry or were published.
    List,
    /// Shows what listeners like together, as it is current.
    Companions {
        /// Lists the companions of this artist.
        #[arg(long, value_name = "NAME")]
        artist: Option<String>,
    },
    /// Shows one model, and whether the registry's copy is sound.
    Show {
        /// Its fingerprint (the beginning is enough); the current one when absent.
        what: Option<String>,
    },
    /// Compares ours with others on ratings and playlists, and writes a report.
    Compare(CompareArguments),
}

/// What models are compared on, and where the report goes.
#[derive(Debug, Args)]
#[group(id = "compared", required = true, multiple = true, args = ["ratings", "playlists"])]
pub(crate) struct CompareArguments {
    /// Ratings: the columns of a catalogue, `rating` (like, neutral or dislike), and optionally `listener`.
    #[arg(long, value_name = "FILE")]
    pub(crate) ratings: Option<PathBuf>,
    /// A folder with `catalogue.csv` and `playlist_tracks.csv` (or `.csv.gz`).
    #[arg(long, value_name = "DIR")]
    pub(crate) playlists: Option<PathBuf>,
    /// The report; its plots go to the folder of the same name without ending.
    #[arg(long, value_name = "FILE", default_value = "docs/model-report.md")]
    pub(crate) out: PathBuf,
    /// The seed of every split and draw.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Fewer draws and playlists, for a first look.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Keeps results here, and goes on from those that are here already. When absent, they stand beside the report
    /// until it is written.
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// The ratings; columns `rating` (like, dislike or neutral), the features, and optionally `listener`.
    pub(crate) file: PathBuf,
    /// Publishes the model, so that later playlists use it; without this it is kept in the registry.
    #[arg(long)]
    pub(crate) publish: bool,
    /// How much a listener's genre log-odds count, 0 to 10; they do not where this is absent.
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) genre_weight: Option<f64>,
    /// A rating's weight halves with its age in so many days, 1 to 36500; ratings do not age where this is absent.
    #[arg(long, value_name = "DAYS")]
    pub(crate) half_life_days: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    /// A file that holds the model, or its fingerprint (the beginning is enough); the current one when absent.
    pub(crate) model: Option<String>,
    /// The ratings, as `train` reads them; a listener's lines in the order in which they were rated.
    #[arg(long, value_name = "FILE")]
    pub(crate) ratings: PathBuf,
    /// Takes so many random orders of each listener's ratings in place of the file's order, 1 to 1000.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) draws: Option<u32>,
    /// Seed of the random orders.
    #[arg(long, default_value_t = 1, requires = "draws")]
    pub(crate) seed: u64,
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
