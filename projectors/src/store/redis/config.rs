//! How a Redis is reached.

use std::{fmt, time::Duration};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo, RedisResult};

/// Longer than any script of ours takes, so that a time-out means trouble.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Connections of one process. Each serves one thread at a time, and a call takes far below a millisecond.
const CONNECTIONS_MAX: usize = 16;

/// Where a Redis is, and what of it is ours. `Debug` does not show the password.
#[derive(Clone)]
pub struct RedisConfig {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What it wants to hear first.
    pub password: Option<String>,
    /// What every key of ours begins with.
    pub prefix: String,
    /// How long to wait for a connection or an answer.
    pub timeout: Duration,
    /// How many connections to hold at most.
    pub connections_max: usize,
}

impl RedisConfig {
    /// The Redis at `host` and `port`, without a password, with keys that begin with `segue:`.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            password: None,
            prefix: "segue:".to_owned(),
            timeout: TIMEOUT,
            connections_max: CONNECTIONS_MAX,
        }
    }

    /// With this password.
    #[must_use]
    pub fn with_password(mut self, password: Option<String>) -> Self {
        self.password = password;
        self
    }

    /// With this beginning of every key.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// With this patience.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// `host:port`, for people.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn connection_info(&self) -> RedisResult<ConnectionInfo> {
        let address = ConnectionAddr::Tcp(self.host.clone(), self.port);
        let mut settings = RedisConnectionInfo::default();
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        Ok(address.into_connection_info()?.set_redis_settings(settings))
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connections_max", &self.connections_max)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let config = RedisConfig::new("localhost", 6379).with_password(Some("hunter2".to_owned()));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
