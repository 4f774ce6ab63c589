//! Connections to the database, and what its errors mean for us.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Connection, Error, NoTls};

use super::tls;
use crate::append::StorageFault;
use crate::log::{LogError, OpenError};

/// How long a connection may take to come about.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long a read may take, with its wait for a connection.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// What every session is told, whatever the server's own settings are: a commit is answered when it is on the disk, a lock
/// held by a process that hangs does not hang the others, and a transaction whose process hangs is ended by the server.
const SESSION: &str =
    "-c synchronous_commit=on -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s -c jit=off";

/// Where the log's database is. Its password is in no message and no debug form.
#[derive(Clone)]
pub struct PostgresConfig {
    config: Config,
    /// Makes encrypted connections, when these are wanted.
    tls: Option<tls::Connector>,
    /// How many writes may wait for the writer before callers have to wait to hand theirs over.
    pub queue_len_max: usize,
    /// How many connections read at a time.
    pub readers_max: usize,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresConfig({})", self.place())
    }
}

impl PostgresConfig {
    /// Reads a URL such as `postgres://user:password@host:5432/database`; with `?sslmode=verify-full&sslrootcert=FILE`
    /// connections are encrypted, and the server must prove with a certificate that the file's vouch for who it is.
    ///
    /// # Errors
    /// [`OpenError::Database`] if it is none, or the file cannot be read. User and password are not in the error.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        let refusal = |problem: String| OpenError::Database { problem, cause: None };
        let (url, tls) = tls::split(url).map_err(refusal)?;
        let mut config: Config = url.parse().map_err(|_| {
            let form = "postgres://user:password@host:5432/database";
            refusal(format!("is no URL of a PostgreSQL database, as {form}"))
        })?;
        let mode = match (&tls, config.get_ssl_mode()) {
            (Some(_), _) => SslMode::Require,
            // Whoever wants encryption must not go without because of how it was written.
            (None, SslMode::Require) => {
                return Err(refusal(
                    "asks for encryption in another way than ?sslmode=verify-full".to_owned(),
                ));
            }
            (None, _) => SslMode::Disable,
        };
        config
            .application_name("segue")
            .ssl_mode(mode)
            .options(SESSION)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_LIMIT)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(10));
        Ok(Self {
            config,
            tls,
            queue_len_max: 4_096,
            readers_max: 8,
        })
    }

    /// Host, port and database, without who and with what password.
    fn place(&self) -> String {
        let host = |host: &tokio_postgres::config::Host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().map(host).collect();
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self.config.get_dbname().unwrap_or_default();
        format!("{}:{port}/{database}", hosts.join(","))
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<Client, Error> {
        Ok(match &self.tls {
            Some(tls) => driven(self.config.connect(tls.clone()).await?),
            None => driven(self.config.connect(NoTls).await?),
        })
    }

    /// The same, at start: the error tells a person what to do.
    pub(super) async fn connect_at_start(&self) -> Result<Client, OpenError> {
        let connecting = tokio::time::timeout(CONNECT_LIMIT * 2, self.connect());
        let refused = match connecting.await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(OpenError::Database {
                    problem: format!(
                        "{} does not answer: check host and port, and that it runs",
                        self.place()
                    ),
                    cause: None,
                });
            }
        };
        Err(OpenError::Database {
            problem: format!("{} {}", self.place(), remedy(&refused)),
            cause: Some(StorageFault::new(said(&refused))),
        })
    }

    pub(super) fn pool(&self) -> Result<Pool, OpenError> {
        let (config, recycling_method) = (self.config.clone(), RecyclingMethod::Fast);
        let manager_config = ManagerConfig { recycling_method };
        let manager = match &self.tls {
            Some(tls) => Manager::from_config(config, tls.clone(), manager_config),
            None => Manager::from_config(config, NoTls, manager_config),
        };
        let pool = Pool::builder(manager)
            .max_size(self.readers_max.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(READ_LIMIT))
            .create_timeout(Some(CONNECT_LIMIT))
            .build();
        pool.map_err(|error| OpenError::Database {
            problem: "cannot be used".to_owned(),
            cause: Some(StorageFault::new(error)),
        })
    }
}

/// A client whose connection is worked by a task until the client is dropped.
fn driven<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a connection to the database ended");
        }
    });
    client
}

fn remedy(error: &Error) -> &'static str {
    match error.code() {
        Some(code)
            if *code == SqlState::INVALID_PASSWORD
                || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            "refuses the user or password: check them"
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => "has no such database: create it",
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "has no connection left: raise max_connections"
        }
        Some(_) => "refuses the connection",
        None if error.to_string().contains("TLS") => {
            "makes no connection that is encrypted as wanted: check its certificate, its name in it, and sslrootcert"
        }
        None => "cannot be reached: check host and port, and that it runs",
    }
}

/// What the server, or the way to it, said. Never a value that was sent.
fn said(error: &Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("{} ({})", error.message(), error.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

impl From<Error> for LogError {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::DISK_FULL => Self::StorageFull,
            Some(code) if is_damage(code) => Self::Corrupt(said(&error)),
            _ => Self::Unavailable(StorageFault::new(said(&error))),
        }
    }
}

fn is_damage(code: &SqlState) -> bool {
    [
        SqlState::DATA_CORRUPTED,
        SqlState::INDEX_CORRUPTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::CHECK_VIOLATION,
        SqlState::NOT_NULL_VIOLATION,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
    ]
    .contains(code)
}

impl From<PoolError> for LogError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(StorageFault::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_that_is_asked_for_in_another_way_is_refused_and_not_left_out() {
        for asked in [
            "host=h dbname=d sslmode=require",
            "postgres://h/d?sslmod%65=require",
        ] {
            let refused = PostgresConfig::parse(asked).expect_err("it is refused");
            assert!(refused.to_string().contains("encryption"), "{refused}");
        }
        assert!(PostgresConfig::parse("host=h dbname=d").is_ok());
    }
}
