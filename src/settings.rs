//! Every setting is a flag and an environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

pub(crate) use crate::hosts::Hosts;
use crate::sealing::Sealing;
use crate::traces::Traces;

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
    /// File whose first line is `DATABASE_URL`.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", global = true)]
    pub(crate) database_url_file: Option<PathBuf>,
    /// Where the other production parts are.
    #[command(flatten)]
    pub(crate) hosts: Hosts,
    /// How the log is sealed.
    #[command(flatten)]
    pub(crate) sealing: Sealing,
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
            database_url_file: None,
            hosts: Hosts::none(),
            sealing: Sealing::default(),
            format: Format::Text,
            log_format: LogFormat::Text,
        }
    }

    /// The same settings with every secret in its place that a file holds.
    ///
    /// # Errors
    /// A secret that is given twice, or a file that cannot be read or holds none; the setting is named.
    pub(crate) fn with_secrets_read(mut self) -> anyhow::Result<Self> {
        read_secret(
            "DATABASE_URL",
            &mut self.database_url,
            self.database_url_file.as_deref(),
        )?;
        self.hosts.read_secrets()?;
        Ok(self)
    }
}

/// Fills `secret`, the setting `name`, with the first line of `file`, if one is named.
pub(crate) fn read_secret(
    name: &str,
    secret: &mut Option<Secret>,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else {
        return Ok(());
    };
    anyhow::ensure!(secret.is_none(), "{name} and {name}_FILE are both set; set one");
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{name}_FILE names {}, which cannot be read", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    anyhow::ensure!(
        !line.is_empty(),
        "{name}_FILE names {}, whose first line is empty",
        file.display()
    );
    *secret = Some(Secret::from(line));
    Ok(())
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
    /// Where spans go.
    #[command(flatten)]
    pub(crate) traces: Traces,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("it is written");
        file
    }

    #[test]
    fn a_secret_may_lie_in_a_file_and_its_line_end_is_not_part_of_it() {
        let mut settings = Settings::in_folder(Path::new("data"));
        let given = file("postgres://segue:secret@db/segue\n");
        settings.database_url_file = Some(given.path().to_owned());
        let read = settings.with_secrets_read().expect("it is read");
        let url = read.database_url.expect("it is set");
        assert_eq!(url.reveal(), "postgres://segue:secret@db/segue");
    }

    #[test]
    fn a_secret_that_is_given_twice_or_empty_is_refused_by_name() {
        let refusal = |secret: Option<Secret>, file: &Path| {
            let mut secret = secret;
            let refused = read_secret("REDIS_PASSWORD", &mut secret, Some(file));
            refused.expect_err("it is refused").to_string()
        };
        let (full, empty) = (file("secret"), file("\n"));
        assert!(refusal(Some(Secret::from("other")), full.path()).contains("REDIS_PASSWORD_FILE"));
        assert!(refusal(None, empty.path()).contains("first line is empty"));
        assert!(refusal(None, Path::new("/nowhere/secret")).contains("/nowhere/secret"));
    }
}
