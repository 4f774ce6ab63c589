//! The log's tables as they are, for whoever verifies them: nothing is believed and nothing is refused.

use super::tree::Run;
use super::{Backend, EventLog, LogError, StreamHead, sqlite};
use crate::ids::{CorrelationId, Position, StreamId};
use crate::verify::Kept;

/// Where the log's head stands, and what the table of records says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptHead {
    /// The position of the last record, as the head says.
    pub position: Position,
    /// The time of the last write, as the head says, in microseconds since 1970.
    pub recorded_at: i64,
    /// The highest position of a row; 0 where there is none, or where it is negative.
    pub last_row: Position,
    /// How many rows there are up to the head.
    pub rows: u64,
}

impl EventLog {
    /// The next rows after `after` by position, at most `limit`: each record with all that stands beside it.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read. Whatever a row holds is not an error.
    pub async fn kept_after(&self, after: Position, limit: usize) -> Result<Vec<Kept>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::kept::after(connection, after, limit))
                    .await
            }
            Backend::Postgres(log) => log.kept_after(after, limit).await,
        }
    }

    /// The head, with what the rows say, of one moment.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read, or its head is no number.
    pub async fn kept_head(&self) -> Result<KeptHead, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => log.read(sqlite::kept::head).await,
            Backend::Postgres(log) => log.kept_head().await,
        }
    }

    /// The next streams after `after` by name, at most `limit`, with where they stand as their table says. `None` in place of a
    /// stream stands for a name that is none.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn kept_streams(&self, after: &str, limit: usize) -> Result<Vec<KeptStream>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let after = after.to_owned();
                log.read(move |connection| sqlite::kept::streams(connection, &after, limit))
                    .await
            }
            Backend::Postgres(log) => log.kept_streams(after, limit).await,
        }
    }

    /// The next rows of the index of chains of causes, at most `limit`, in its order: by chain, and then by their last positions.
    /// `after` is the chain and the last position of the row before them.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] if a row is no id and run of positions; [`LogError`] if the log cannot be read.
    pub(crate) async fn kept_correlations(
        &self,
        after: Option<(CorrelationId, Position)>,
        limit: usize,
    ) -> Result<Vec<Run>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::kept::correlations(connection, after, limit))
                    .await
            }
            Backend::Postgres(log) => log.kept_correlations(after, limit).await,
        }
    }
}

/// A row of the table of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptStream {
    /// The name.
    pub name: String,
    /// The stream of this name.
    pub stream: Option<StreamId>,
    /// Where it stands; `None` where the numbers cannot be.
    pub head: Option<StreamHead>,
}

impl KeptStream {
    pub(super) fn new(name: String, version: Option<i64>, position: Option<i64>) -> Self {
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
        let head = number(version).zip(number(position));
        Self {
            stream: StreamId::parse(&name).ok(),
            name,
            head: head.map(|(version, position)| StreamHead {
                version: version.into(),
                position: position.into(),
            }),
        }
    }
}
