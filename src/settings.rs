//! Every setting is a flag and an environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

pub(crate) use crate::hosts::Hosts;

/// Settings that every command shares.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// Folder of the log, keys, views and models.
    #[arg(
        long,
        env = "SEGUE_DATA",
        default_value = "./segue-data",
        value_name = "DIR",
        global = true
    )]
    pub(crate) data: PathBuf,
    /// Master key, 64 hexadecimal digits; wraps every listener's key. Made in the data folder when absent.
    #[arg(
        long,
        env = "SEGUE_MASTER_KEY",
        hide_env_values = true,
        value_name = "HEX",
        global = true
    )]
    pub(crate) master_key: Option<Secret>,
    /// File that holds the master key.
    #[arg(long, env = "SEGUE_MASTER_KEY_FILE", value_name = "FILE", global = true)]
    pub(crate) master_key_file: Option<PathBuf>,
    /// PostgreSQL that keeps log and keys, as `postgres://user:password@host:5432/database`; files in the data folder when absent.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub(crate) database_url: Option<Secret>,
    /// Where the other production parts are.
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    /// How tools print.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) format: Format,
    /// How log lines look.
    #[arg(long, env = "SEGUE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub(crate) log_format: LogFormat,
}

impl Settings {
    /// Everything embedded, in the folder `data`.
    pub(crate) fn in_folder(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            master_key: None,
            master_key_file: None,
            database_url: None,
            hosts: Hosts::none(),
            format: Format::Text,
            log_format: LogFormat::Text,
        }
    }
}

/// A setting that is never shown.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The setting itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// Settings of a serving process; tools ignore them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Serving {
    /// Address and port of the HTTP interface; port 0 takes a free one.
    #[arg(
        long,
        env = "SEGUE_LISTEN",
        default_value = "127.0.0.1:5000",
        value_name = "ADDR",
        global = true
    )]
    pub(crate) listen: SocketAddr,
    /// `off` disables the throttling of sign-ins and registrations. For load tests only.
    #[arg(long, env = "SEGUE_THROTTLE", value_enum, default_value_t, global = true)]
    pub(crate) throttle: Switch,
    /// How long running requests may take to finish at shutdown.
    #[arg(
        long,
        env = "SEGUE_DRAIN_TIMEOUT_S",
        default_value_t = 10,
        value_name = "SECONDS",
        global = true
    )]
    pub(crate) drain_timeout_s: u64,
    /// How long readiness says no before the listener closes, so that a load balancer notices.
    #[arg(
        long,
        env = "SEGUE_DRAIN_DELAY_S",
        default_value_t = 0,
        value_name = "SECONDS",
        global = true
    )]
    pub(crate) drain_delay_s: u64,
}

/// How a tool prints its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for a person.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A sentence and its fields.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A setting that is on unless it is turned off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// The default.
    #[default]
    On,
    /// Explicitly disabled.
    Off,
}
