//! Where the broker is, and how long it is waited for.

use std::{fmt, time::Duration};

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

/// A broker and its bounds. The password is in no message and no debug form.
#[derive(Clone)]
pub struct RabbitMqConfig {
    /// Its name or address (`RABBITMQ_HOST`).
    pub host: String,
    /// Its port (`RABBITMQ_PORT`).
    pub port: u16,
    /// Who we are (`RABBITMQ_USER`).
    pub user: String,
    /// And how we prove it (`RABBITMQ_PASSWORD`).
    pub password: String,
    /// The virtual host that all our queues are in (`RABBITMQ_VHOST`).
    pub vhost: String,
    /// What the broker shows as the connection's name: the role.
    pub name: String,
    /// How long a call waits for a connection before it fails.
    pub connect_limit: Duration,
    /// How long the broker may take to answer; a window of publishes counts as one question.
    pub answer_limit: Duration,
    /// How long nothing may come from a queue before it is asked whether it has something after all: a queue that was
    /// deleted and made again can forget its consumers without a word.
    pub look_every: Duration,
    /// How often each side proves that it lives, in whole seconds; a connection that was silent for twice as long is
    /// lost. RabbitMQ advises 5 to 20 seconds: less takes a busy broker for a dead one.
    pub heartbeat: Duration,
}

impl RabbitMqConfig {
    /// The broker at `host` with RabbitMQ's own defaults.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 5672,
            user: "guest".to_owned(),
            password: "guest".to_owned(),
            vhost: "/".to_owned(),
            name: "segue".to_owned(),
            connect_limit: Duration::from_secs(5),
            answer_limit: Duration::from_secs(10),
            look_every: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
        }
    }

    /// Host and port, for messages.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn uri(&self) -> AMQPUri {
        let heartbeat = u16::try_from(self.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1);
        AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.user.clone(),
                    password: self.password.clone(),
                },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(heartbeat),
                ..AMQPQueryString::default()
            },
        }
    }
}

impl fmt::Debug for RabbitMqConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("password", &"***")
            .field("vhost", &self.vhost)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::RabbitMqConfig;

    #[test]
    fn the_password_is_not_shown() {
        let mut config = RabbitMqConfig::new("broker");
        config.password = "a secret".to_owned();
        assert!(!format!("{config:?}").contains("secret"));
    }
}
