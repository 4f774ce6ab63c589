//! A fresh log of each backend, and what can be done to it from outside.

use std::path::Path;

use tokio_postgres::types::ToSql;

use super::super::TempDir;
use crate::{EventLog, LogConfig, PostgresConfig, migrate};

/// A fresh, empty log, and a way to open it once more.
#[derive(Debug)]
pub struct LogUnderTest {
    /// The log.
    pub log: EventLog,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Postgres(Box<PostgresConfig>),
}

impl Place {
    async fn open(&self) -> EventLog {
        let opened = match self {
            Self::Folder(dir) => EventLog::open(LogConfig::new(dir.path())).await,
            Self::Postgres(config) => EventLog::open_postgres(*config.clone()).await,
        };
        opened.expect("the log opens")
    }
}

impl LogUnderTest {
    /// A log in SQLite, in a folder of its own.
    pub async fn sqlite() -> Self {
        Self::at(Place::Folder(TempDir::new())).await
    }

    /// A log in the empty database at `url`.
    pub async fn postgres(url: &str) -> Self {
        let config = PostgresConfig::parse(url).expect("a URL");
        migrate(&config).await.expect("the database is made ready");
        Self::at(Place::Postgres(Box::new(config))).await
    }

    async fn at(place: Place) -> Self {
        Self {
            log: place.open().await,
            place,
        }
    }

    /// Opens the same log again, as another process would.
    pub async fn open_again(&self) -> EventLog {
        self.place.open().await
    }

    /// Changes the database behind the log's back: `sql` names tables without a schema, and takes bytes for `$1` and so on.
    pub async fn tamper(&self, sql: &str, values: &[&[u8]]) {
        match &self.place {
            Place::Folder(dir) => tamper_with_file(dir.path(), sql, values),
            Place::Postgres(config) => {
                let client = config.connect().await.expect("a connection");
                client
                    .batch_execute("SET search_path = segue")
                    .await
                    .expect("a schema");
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
                client.execute(sql, &values).await.expect("it is changed");
            }
        }
    }
}

/// [`LogUnderTest::tamper`] for the log in the folder `dir`.
pub fn tamper_with_file(dir: &Path, sql: &str, values: &[&[u8]]) {
    let file = rusqlite::Connection::open(dir.join("log.db")).expect("the file");
    let changed = file.execute(sql, rusqlite::params_from_iter(values));
    changed.expect("it is changed");
}
