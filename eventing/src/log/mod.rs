//! The event log: every record in one order.
//!
//! [`EventLog`] is the one handle, cheap to clone. Behind it stands SQLite, in one file that several processes of a machine
//! may open at the same time, or PostgreSQL, for processes on several machines.
//! Both keep the contract in [`testing`](crate::testing).
//!
//! Not here: what an event means, and who is told of it.

pub(crate) mod backup;
mod chunks;
mod dead_letters;
mod duty;
mod error;
mod filter;
mod forget;
mod kept;
mod measures;
mod postgres;
mod search;
mod sqlite;
mod tail;
mod tree;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::append::{Append, AppendError, Appended, Claim, Receipt, ReceiptKey};
use crate::ids::{Position, StreamId, Version};
use crate::record::{Body, RecordedEvent, line};

pub use dead_letters::{DeadLetterKey, DeadLetterRow, DeadLetterState};
pub use duty::{Duty, DutyLock};
pub use error::{LogError, OpenError};
pub use filter::EventFilter;
pub use forget::{Deleted, Forgotten};
pub use kept::{KeptHead, KeptStream};
pub use measures::AppendMeasures;
pub use postgres::{Migrated, PostgresConfig, migrate};
pub use search::{Found, SEARCHED_MAX};
pub(crate) use sqlite::schema::{Shape, open_shaped, prepare};
pub(crate) use tree::Run;
pub use tree::{
    Consistency, Inclusion, STEP_LEAVES_MAX, StoreCheckpointError, StoredCheckpoint, Tree, TreeError,
};

/// Where the log is and how it is opened.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The folder of `log.db`; made if it does not exist.
    pub dir: PathBuf,
    /// How many writes may wait for the writer before callers have to wait to hand theirs over.
    pub queue_len_max: usize,
    /// How many connections read at a time.
    pub readers_max: usize,
    /// A bound on the database in pages of 4 KiB, for tests of a full disk.
    pub pages_max: Option<u32>,
}

impl LogConfig {
    /// A log in the folder `dir`, with the usual settings.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            queue_len_max: 4_096,
            readers_max: 4,
            pages_max: None,
        }
    }
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHead {
    /// The version of its last record.
    pub version: Version,
    /// The position of its last record.
    pub position: Position,
}

/// The event log. Cloning is cheap and gives another handle to the same log.
#[derive(Debug, Clone)]
pub struct EventLog {
    backend: Backend,
}

#[derive(Debug, Clone)]
enum Backend {
    Sqlite(Arc<sqlite::SqliteLog>),
    Postgres(Arc<postgres::PostgresLog>),
}

impl EventLog {
    /// Whether there is a `log.db` in the folder `dir`.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(sqlite::FILE).exists()
    }

    /// Opens the log in `config.dir`, and makes it if there is none.
    ///
    /// # Errors
    /// [`OpenError`]: the file is not ours, newer than this program, or cannot be opened. Nothing is changed.
    pub async fn open(config: LogConfig) -> Result<Self, OpenError> {
        let log = sqlite::SqliteLog::open(config).await?;
        Ok(Self {
            backend: Backend::Sqlite(Arc::new(log)),
        })
    }

    /// Opens the log in the database at `config`, which [`migrate`] has made ready.
    ///
    /// # Errors
    /// [`OpenError`]: it cannot be reached, or has not the shape that this program knows. Nothing is changed.
    pub async fn open_postgres(config: PostgresConfig) -> Result<Self, OpenError> {
        let log = postgres::PostgresLog::open(config).await?;
        Ok(Self {
            backend: Backend::Postgres(Arc::new(log)),
        })
    }

    /// Appends all of `append` or nothing, provided the stream stands where it is expected, the claims are
    /// free and the receipt is new. Answers once the commit is durable.
    ///
    /// The same events again (by the first one's id) are answered as the first time and written once.
    /// Not cancel-safe in one sense: an append that is dropped while it waits may still happen.
    ///
    /// # Errors
    /// See [`AppendError`]: after every variant but `OutcomeUnknown` nothing is written.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        check(&append)?;
        match &self.backend {
            Backend::Sqlite(log) => log.append(append).await,
            Backend::Postgres(log) => log.append(append).await,
        }
    }

    /// What this process's appends say of themselves.
    #[must_use]
    pub fn append_measures(&self) -> &AppendMeasures {
        match &self.backend {
            Backend::Sqlite(log) => log.append_measures(),
            Backend::Postgres(log) => log.append_measures(),
        }
    }

    /// The position of the last record; 0 in an empty log.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn head(&self) -> Result<Position, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => log.read(sqlite::reader::head).await,
            Backend::Postgres(log) => log.head().await,
        }
    }

    /// The position of the last record, as last noticed: at once after a commit of this process, within about
    /// 20 ms after another's. It never goes back.
    #[must_use]
    pub fn subscribe_head(&self) -> watch::Receiver<Position> {
        match &self.backend {
            Backend::Sqlite(log) => log.subscribe_head(),
            Backend::Postgres(log) => log.subscribe_head(),
        }
    }

    /// Whether the head that [`subscribe_head`](Self::subscribe_head) tells was read within `limit`. False while the database
    /// is away, and for a moment after the process was stopped and goes on.
    #[must_use]
    pub fn is_heard_within(&self, limit: Duration) -> bool {
        match &self.backend {
            Backend::Sqlite(log) => log.is_heard_within(limit),
            Backend::Postgres(log) => log.is_heard_within(limit),
        }
    }

    /// The next records after `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn read_after(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::reader::read_after(connection, after, limit))
                    .await
            }
            Backend::Postgres(log) => log.read_after(after, limit).await,
        }
    }

    /// The next records after `after`, in order, at most `limit`: as [`read_after`](Self::read_after), but from memory where
    /// this process has appended them a moment ago. There can be fewer than `limit` although the log has more; there is
    /// none only at its end.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn tail_after(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, LogError> {
        let recent = self.recent_after(after, limit);
        if recent.is_empty() {
            return self.read_after(after, limit).await;
        }
        Ok(recent)
    }

    /// The part of [`tail_after`](Self::tail_after) that is in memory, without a gap after `after`. Nothing says nothing about
    /// the log.
    #[must_use]
    pub fn recent_after(&self, after: Position, limit: usize) -> Vec<RecordedEvent> {
        match &self.backend {
            Backend::Sqlite(log) => log.recent_after(after, limit),
            Backend::Postgres(log) => log.recent_after(after, limit),
        }
    }

    /// The position of the last record that this process has appended, told as soon as it is durable; 0 before there is any.
    #[must_use]
    pub fn subscribe_own(&self) -> watch::Receiver<Position> {
        match &self.backend {
            Backend::Sqlite(log) => log.subscribe_own(),
            Backend::Postgres(log) => log.subscribe_own(),
        }
    }

    /// The first records above `after` that this process has appended, in order, at most `limit`. From memory, which keeps
    /// the last few megabytes: what is not here is in the log, and between two of these there may be others'.
    #[must_use]
    pub fn own_above(&self, after: Position, limit: usize) -> Vec<RecordedEvent> {
        match &self.backend {
            Backend::Sqlite(log) => log.own_above(after, limit),
            Backend::Postgres(log) => log.own_above(after, limit),
        }
    }

    /// The next records that `filter` lets through, in order. A filter for a subject or a correlation looks through the
    /// whole log and may find fewer than the limit though there are more: that is what [`search`](Self::search) is for.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn read_filtered(&self, filter: EventFilter) -> Result<Vec<RecordedEvent>, LogError> {
        let mut events = self.read_likely(&filter).await?;
        if filter.looks_through_records() {
            events.retain(|event| filter.fits(event));
        }
        Ok(events)
    }

    /// As [`read_filtered`](Self::read_filtered), and with them records whose payload looks as if they were among them.
    async fn read_likely(&self, filter: &EventFilter) -> Result<Vec<RecordedEvent>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let filter = filter.clone();
                log.read(move |connection| sqlite::reader::read_filtered(connection, &filter))
                    .await
            }
            Backend::Postgres(log) => log.read_filtered(filter).await,
        }
    }

    /// The next records of one stream after version `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let stream = stream.clone();
                log.read(move |connection| sqlite::reader::read_stream(connection, &stream, after, limit))
                    .await
            }
            Backend::Postgres(log) => log.read_stream(stream, after, limit).await,
        }
    }

    /// Where a stream stands; `None` if it has no records.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn stream_head(&self, stream: &StreamId) -> Result<Option<StreamHead>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let stream = stream.clone();
                log.read(move |connection| sqlite::reader::stream_head(connection, &stream))
                    .await
            }
            Backend::Postgres(log) => log.stream_head(stream).await,
        }
    }

    /// The version a stream had just before `position`.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn stream_version_before(
        &self,
        stream: &StreamId,
        position: Position,
    ) -> Result<Version, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let stream = stream.clone();
                log.read(move |connection| {
                    sqlite::reader::stream_version_before(connection, &stream, position)
                })
                .await
            }
            Backend::Postgres(log) => log.stream_version_before(stream, position).await,
        }
    }

    /// The last record of a type before `position`.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or the record is damaged.
    pub async fn last_of_type_before(
        &self,
        event_type: &str,
        position: Position,
    ) -> Result<Option<RecordedEvent>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let event_type = event_type.to_owned();
                log.read(move |connection| {
                    sqlite::reader::last_of_type_before(connection, &event_type, position)
                })
                .await
            }
            Backend::Postgres(log) => log.last_of_type_before(event_type, position).await,
        }
    }

    /// The hashes of those records of `positions` that there are.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn leaf_hashes(
        &self,
        positions: Vec<Position>,
    ) -> Result<HashMap<Position, [u8; 32]>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::reader::leaf_hashes(connection, &positions))
                    .await
            }
            Backend::Postgres(log) => log.leaf_hashes(&positions).await,
        }
    }

    /// The stream that holds a claim.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn claim(&self, claim: &Claim) -> Result<Option<StreamId>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let claim = claim.clone();
                log.read(move |connection| sqlite::reader::claim(connection, &claim))
                    .await
            }
            Backend::Postgres(log) => log.claim(claim).await,
        }
    }

    /// The first answer to a wish, as it was stored (sealed, if it names a subject).
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let key = *key;
                log.read(move |connection| sqlite::reader::receipt(connection, &key))
                    .await
            }
            Backend::Postgres(log) => log.receipt(key).await,
        }
    }

    /// Stores a large immutable thing and names it by its SHA-256. Storing the same again changes nothing.
    /// It is durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then it cannot be read, though parts of it may take up space until it is stored again.
    pub async fn put_blob(&self, bytes: impl Into<Bytes>) -> Result<[u8; 32], LogError> {
        match &self.backend {
            Backend::Sqlite(log) => log.put_blob(bytes.into()).await,
            Backend::Postgres(log) => log.put_blob(bytes.into()).await,
        }
    }

    /// Reads a blob, and checks its digest.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or the blob is damaged.
    pub async fn blob(&self, digest: &[u8; 32]) -> Result<Option<Bytes>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let digest = *digest;
                log.read(move |connection| sqlite::blobs::read(connection, &digest))
                    .await
            }
            Backend::Postgres(log) => log.blob(digest).await,
        }
    }

    /// A named reader's stored position; `None` if it never stored one.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn checkpoint(&self, name: &str) -> Result<Option<Position>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let name = name.to_owned();
                log.read(move |connection| sqlite::checkpoints::get(connection, &name))
                    .await
            }
            Backend::Postgres(log) => log.checkpoint(name).await,
        }
    }

    /// Stores a named reader's position. It is durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then the old one stands, or it is unknown which one does.
    pub async fn set_checkpoint(&self, name: &str, position: Position) -> Result<(), LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let name = name.to_owned();
                log.write(move |connection| sqlite::checkpoints::set(connection, &name, position))
                    .await
            }
            Backend::Postgres(log) => log.set_checkpoint(name, position).await,
        }
    }

    /// Stores a named reader's position unless a higher one is stored: for a reader that may be a stale copy of itself.
    /// It is durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then the old one stands, or it is unknown which one does.
    pub async fn raise_checkpoint(&self, name: &str, position: Position) -> Result<(), LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let name = name.to_owned();
                log.write(move |connection| sqlite::checkpoints::raise(connection, &name, position))
                    .await
            }
            Backend::Postgres(log) => log.raise_checkpoint(name, position).await,
        }
    }
}

/// Checks, before an append takes up the writer's time, that it can be stored at all.
fn check(append: &Append) -> Result<(), AppendError> {
    if append.events.len() > crate::append::APPEND_EVENTS_MAX {
        return Err(AppendError::Invalid("too many events in one append"));
    }
    for event in &append.events {
        line::check(event, &append.metadata).map_err(AppendError::Invalid)?;
        let is_sealed = matches!(event.body, Body::Sealed(_));
        if is_sealed && append.metadata.subject.is_none() {
            return Err(AppendError::Invalid("a sealed payload needs a subject"));
        }
        if is_sealed && append.expected == crate::ids::ExpectedVersion::Any {
            return Err(AppendError::Invalid(
                "a sealed payload is bound to its version, so that must be expected",
            ));
        }
    }
    Ok(())
}
