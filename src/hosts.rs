//! Where the production parts are: broker, view server, model registry. Each part is embedded when its host is absent.

use std::path::PathBuf;

use clap::Args;

use crate::settings::{Secret, read_secret};

/// Settings of the production parts besides the database.
#[derive(Debug, Clone, Args)]
pub(crate) struct Hosts {
    /// RabbitMQ that carries events to the roles; queues in this process when absent.
    #[arg(long, env = "RABBITMQ_HOST", value_name = "HOST", global = true)]
    rabbitmq_host: Option<String>,
    /// RabbitMQ's port.
    #[arg(long, env = "RABBITMQ_PORT", default_value = "5672", value_parser = port, value_name = "PORT", global = true)]
    rabbitmq_port: u16,
    /// Who signs in to RabbitMQ.
    #[arg(
        long,
        env = "RABBITMQ_USER",
        default_value = "segue",
        value_name = "NAME",
        global = true
    )]
    rabbitmq_user: String,
    /// Password of RabbitMQ's user.
    #[arg(
        long,
        env = "RABBITMQ_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD",
        global = true
    )]
    rabbitmq_password: Option<Secret>,
    /// File whose first line is `RABBITMQ_PASSWORD`.
    #[arg(long, env = "RABBITMQ_PASSWORD_FILE", value_name = "FILE", global = true)]
    rabbitmq_password_file: Option<PathBuf>,
    /// RabbitMQ's virtual host.
    #[arg(
        long,
        env = "RABBITMQ_VHOST",
        default_value = "/",
        value_name = "NAME",
        global = true
    )]
    rabbitmq_vhost: String,
    /// Redis that keeps the views; a folder when absent.
    #[arg(long, env = "REDIS_HOST", value_name = "HOST", global = true)]
    redis_host: Option<String>,
    /// Another spelling of `REDIS_HOST`.
    #[arg(long, env = "REDDIS_HOST", value_name = "HOST", hide = true, global = true)]
    reddis_host: Option<String>,
    /// Redis's port.
    #[arg(long, env = "REDIS_PORT", default_value = "6379", value_parser = port, value_name = "PORT", global = true)]
    redis_port: u16,
    /// Redis's password.
    #[arg(
        long,
        env = "REDIS_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD",
        global = true
    )]
    redis_password: Option<Secret>,
    /// File whose first line is `REDIS_PASSWORD`.
    #[arg(long, env = "REDIS_PASSWORD_FILE", value_name = "FILE", global = true)]
    redis_password_file: Option<PathBuf>,
    /// What every key in Redis begins with, so that several instances can share one.
    #[arg(
        long,
        env = "REDIS_PREFIX",
        default_value = "segue:",
        value_name = "TEXT",
        global = true
    )]
    redis_prefix: String,
    /// Google Cloud project whose Firestore keeps the base models; a folder when absent.
    #[arg(long, env = "FIRESTORE_PROJECT", value_name = "PROJECT", global = true)]
    firestore_project: Option<String>,
    /// Firestore emulator to use in the place of Google's, as `127.0.0.1:8080`.
    #[arg(long, env = "FIRESTORE_EMULATOR_HOST", value_name = "ADDR", global = true)]
    firestore_emulator_host: Option<String>,
}

/// A RabbitMQ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RabbitMq<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) user: &'a str,
    pub(crate) password: &'a Secret,
    pub(crate) vhost: &'a str,
}

/// A Redis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Redis<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) password: Option<&'a Secret>,
    pub(crate) prefix: &'a str,
}

/// A Firestore.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Firestore<'a> {
    pub(crate) project: &'a str,
    pub(crate) emulator: Option<&'a str>,
}

impl Hosts {
    /// Everything embedded.
    pub(crate) fn none() -> Self {
        Self {
            rabbitmq_host: None,
            rabbitmq_port: 5672,
            rabbitmq_user: "segue".to_owned(),
            rabbitmq_password: None,
            rabbitmq_password_file: None,
            rabbitmq_vhost: "/".to_owned(),
            redis_host: None,
            reddis_host: None,
            redis_port: 6379,
            redis_password: None,
            redis_password_file: None,
            redis_prefix: "segue:".to_owned(),
            firestore_project: None,
            firestore_emulator_host: None,
        }
    }

    /// Puts every password in its place that a file holds.
    ///
    /// # Errors
    /// As [`read_secret`].
    pub(crate) fn read_secrets(&mut self) -> anyhow::Result<()> {
        read_secret(
            "RABBITMQ_PASSWORD",
            &mut self.rabbitmq_password,
            self.rabbitmq_password_file.as_deref(),
        )?;
        read_secret(
            "REDIS_PASSWORD",
            &mut self.redis_password,
            self.redis_password_file.as_deref(),
        )
    }

    /// The broker, if there is to be one.
    ///
    /// # Errors
    /// A host without a password: RabbitMQ lets nobody in without.
    pub(crate) fn rabbitmq(&self) -> anyhow::Result<Option<RabbitMq<'_>>> {
        let Some(host) = given(self.rabbitmq_host.as_deref()) else {
            return Ok(None);
        };
        let Some(password) = &self.rabbitmq_password else {
            anyhow::bail!(
                "RABBITMQ_HOST is set, and RABBITMQ_PASSWORD is not: the broker lets nobody in without"
            );
        };
        Ok(Some(RabbitMq {
            host,
            port: self.rabbitmq_port,
            user: &self.rabbitmq_user,
            password,
            vhost: &self.rabbitmq_vhost,
        }))
    }

    /// The view server, if there is to be one.
    ///
    /// # Errors
    /// Two spellings of the host that name two hosts.
    pub(crate) fn redis(&self) -> anyhow::Result<Option<Redis<'_>>> {
        let (host, alias) = (
            given(self.redis_host.as_deref()),
            given(self.reddis_host.as_deref()),
        );
        anyhow::ensure!(
            host.is_none() || alias.is_none() || host == alias,
            "REDIS_HOST and REDDIS_HOST name two hosts; set one of them"
        );
        Ok(host.or(alias).map(|host| Redis {
            host,
            port: self.redis_port,
            password: self.redis_password.as_ref(),
            prefix: &self.redis_prefix,
        }))
    }

    /// The registry of base models, if it is to be Firestore.
    pub(crate) fn firestore(&self) -> Option<Firestore<'_>> {
        given(self.firestore_project.as_deref()).map(|project| Firestore {
            project,
            emulator: given(self.firestore_emulator_host.as_deref()),
        })
    }
}

/// An empty variable is how a manifest says that something is not set.
pub(crate) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// A port, also in the form `tcp://10.0.0.1:6379`: Kubernetes sets `REDIS_PORT` to that in every pod beside a service
/// that is called `redis`.
fn port(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix("tcp://") {
        Some(address) => address.rsplit(':').next().unwrap_or_default(),
        None => text,
    };
    number
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("{text:?} is no port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_view_servers_host_are_understood() {
        let host = |hosts: &Hosts| {
            hosts
                .redis()
                .map(|redis| redis.map(|redis| redis.host.to_owned()))
        };
        let mut hosts = Hosts::none();
        assert_eq!(host(&hosts).unwrap(), None);
        hosts.reddis_host = Some("views".into());
        assert_eq!(host(&hosts).unwrap().as_deref(), Some("views"));
        hosts.redis_host = Some("views".into());
        assert_eq!(host(&hosts).unwrap().as_deref(), Some("views"));
        hosts.redis_host = Some("others".into());
        assert!(host(&hosts).unwrap_err().to_string().contains("REDDIS_HOST"));
        hosts.reddis_host = Some(String::new());
        assert_eq!(host(&hosts).unwrap().as_deref(), Some("others"));
    }

    #[test]
    fn a_port_may_come_as_kubernetes_tells_of_a_service() {
        assert_eq!(port("6379"), Ok(6379));
        assert_eq!(port("tcp://10.0.0.1:6380"), Ok(6380));
        for wrong in ["", "0", "tcp://", "tcp://10.0.0.1", "66666", "redis"] {
            assert!(port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_broker_without_a_password_is_refused() {
        let hosts = Hosts {
            rabbitmq_host: Some("broker".into()),
            ..Hosts::none()
        };
        assert!(
            hosts
                .rabbitmq()
                .unwrap_err()
                .to_string()
                .contains("RABBITMQ_PASSWORD")
        );
    }
}
