//! What `segue audit` takes, where it is more than a word.

use std::path::PathBuf;

use clap::Args;

/// A new key.
#[derive(Debug, Args)]
pub(crate) struct KeygenArguments {
    /// Name of the log, or of the witness: no spaces, no `+`. A log's is `segue-` and eight random digits when absent.
    #[arg(long, value_name = "NAME", required_if_eq("witness", "true"))]
    pub(crate) origin: Option<String>,
    /// The new file of the secret key; it is never overwritten. A log's is `audit.key` in the data folder when absent.
    #[arg(long, value_name = "FILE", required_if_eq("witness", "true"))]
    pub(crate) out: Option<PathBuf>,
    /// Makes the key of a witness, which cosigns checkpoints of other people's logs.
    #[arg(long)]
    pub(crate) witness: bool,
}

/// An export.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The file; compressed if its name ends in `.gz`; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Exports the records up to this position; all when absent.
    #[arg(long, value_name = "POSITION")]
    pub(crate) until: Option<u64>,
}

/// What to verify, and against what.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The export, plain or gzip; without it the live log is verified.
    pub(crate) file: Option<PathBuf>,
    /// The log's public key, or a file that holds it.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// A checkpoint from an earlier time: the history must begin with the one that it is of.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// A public key that signed the log before the present one, or a file that holds it: for earlier checkpoints.
    #[arg(long = "older-key", value_name = "KEY")]
    pub(crate) older_keys: Vec<String>,
}

/// A proof to make, or to check.
#[derive(Debug, Args)]
pub(crate) struct ProveArguments {
    /// The position of the record.
    #[arg(required_unless_present = "verify", conflicts_with_all = ["verify", "key", "record"])]
    pub(crate) position: Option<u64>,
    /// The file of the proof, as `record.tlog-proof`; standard output when absent.
    #[arg(long, value_name = "FILE", conflicts_with = "verify")]
    pub(crate) out: Option<PathBuf>,
    /// Checks this proof instead, without any log.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) verify: Option<PathBuf>,
    /// The log's public key, or a file that holds it.
    #[arg(long, value_name = "KEY", requires = "verify")]
    pub(crate) key: Option<String>,
    /// The record that the proof is of, in place of the one that the proof carries.
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub(crate) record: Option<PathBuf>,
}

/// Where tiles go.
#[derive(Debug, Args)]
pub(crate) struct TilesArguments {
    /// The folder; what lies there from an earlier time is kept and added to.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// A log to witness.
#[derive(Debug, Args)]
pub(crate) struct WitnessArguments {
    /// Address of the log's service, as `http://127.0.0.1:5000`.
    #[arg(long, value_name = "URL")]
    pub(crate) log: String,
    /// File that holds an auditor's session token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,
    /// The witness's secret key, as `segue audit keygen --witness` makes it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// File that remembers the last checkpoint that was cosigned; made at the first time.
    #[arg(long, value_name = "FILE")]
    pub(crate) state: PathBuf,
    /// The log's public key, or a file that holds it. When absent, the key that the log shows the first time is
    /// remembered.
    #[arg(long, value_name = "KEY")]
    pub(crate) log_key: Option<String>,
}
