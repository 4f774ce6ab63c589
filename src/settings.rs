//! Every setting is a flag and an environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

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
    pub(crate) master_key: Option<String>,
    /// File that holds the master key.
    #[arg(long, env = "SEGUE_MASTER_KEY_FILE", value_name = "FILE", global = true)]
    pub(crate) master_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// How tools print.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) format: Format,
    /// How log lines look.
    #[arg(long, env = "SEGUE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub(crate) log_format: LogFormat,
}

/// Where the servers of a production stack are. A part whose setting is absent takes its embedded form.
#[derive(Clone, Default, Args)]
pub(crate) struct Servers {
    /// PostgreSQL that keeps the log and the keys, as `postgres://user:password@host/database`; a file in the data folder when absent.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        global = true
    )]
    pub(crate) database_url: Option<String>,
    /// RabbitMQ that carries events between processes; in this process's memory when absent.
    #[arg(long, env = "RABBITMQ_HOST", value_name = "HOST", global = true)]
    pub(crate) rabbitmq_host: Option<String>,
    /// Its port.
    #[arg(
        long,
        env = "RABBITMQ_PORT",
        default_value_t = 5672,
        value_name = "PORT",
        global = true
    )]
    pub(crate) rabbitmq_port: u16,
    /// Who signs in to it.
    #[arg(
        long,
        env = "RABBITMQ_USER",
        default_value = "guest",
        value_name = "NAME",
        global = true
    )]
    pub(crate) rabbitmq_user: String,
    /// With which password.
    #[arg(
        long,
        env = "RABBITMQ_PASSWORD",
        default_value = "guest",
        hide_default_value = true,
        hide_env_values = true,
        value_name = "PASSWORD",
        global = true
    )]
    pub(crate) rabbitmq_password: String,
    /// Redis that keeps the views; a folder in the data folder when absent.
    #[arg(long, env = "REDIS_HOST", value_name = "HOST", global = true)]
    pub(crate) redis_host: Option<String>,
    /// Another spelling of the same setting.
    #[arg(long, env = "REDDIS_HOST", value_name = "HOST", hide = true, global = true)]
    pub(crate) reddis_host: Option<String>,
    /// Its port.
    #[arg(
        long,
        env = "REDIS_PORT",
        default_value_t = 6379,
        value_name = "PORT",
        global = true
    )]
    pub(crate) redis_port: u16,
    /// Its password, if it wants one.
    #[arg(
        long,
        env = "REDIS_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD",
        global = true
    )]
    pub(crate) redis_password: Option<String>,
}

impl Servers {
    /// Where Redis is, whichever way it is spelt.
    ///
    /// # Errors
    /// When the two spellings name two hosts.
    pub(crate) fn redis(&self) -> anyhow::Result<Option<&str>> {
        match (self.redis_host.as_deref(), self.reddis_host.as_deref()) {
            (Some(host), Some(other)) if host != other => {
                anyhow::bail!("REDIS_HOST is {host} and REDDIS_HOST is {other}: set one of them")
            }
            (host, other) => Ok(host.or(other)),
        }
    }
}

/// Leaves out what is secret.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers")
            .field("rabbitmq_host", &self.rabbitmq_host)
            .field("redis_host", &self.redis_host)
            .finish_non_exhaustive()
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn servers(arguments: &[&str]) -> Servers {
        let line = std::iter::once("segue").chain(arguments.iter().copied());
        Line::try_parse_from(line)
            .unwrap_or_else(|error| panic!("{error}"))
            .settings
            .servers
    }

    #[test]
    fn both_spellings_of_the_redis_host_are_taken_and_two_hosts_are_not() {
        let host = |arguments: &[&str]| servers(arguments).redis().map(|host| host.map(str::to_owned));
        assert_eq!(
            host(&["--redis-host", "a"]).expect("one host"),
            Some("a".to_owned())
        );
        assert_eq!(
            host(&["--reddis-host", "b"]).expect("one host"),
            Some("b".to_owned())
        );
        let twice = host(&["--redis-host", "a", "--reddis-host", "b"]).expect_err("two hosts");
        assert!(twice.to_string().contains("REDDIS_HOST"), "{twice}");
    }

    #[test]
    fn no_secret_is_in_the_debug_form() {
        let servers = servers(&[
            "--database-url",
            "postgres://u:canary@h/d",
            "--rabbitmq-password",
            "canary",
            "--redis-password",
            "canary",
        ]);
        assert!(!format!("{servers:?}").contains("canary"));
    }
}
