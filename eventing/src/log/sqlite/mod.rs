//! The log in one SQLite file, `log.db`.
//!
//! One thread writes ([`writer`]); a small pool of connections reads ([`readers`]); one thread watches for
//! records of other processes ([`watcher`]). The file is in WAL mode with `synchronous=FULL`: a commit that
//! was answered is on the disk.

mod append;
pub(super) mod blobs;
pub(super) mod checkpoints;
pub(super) mod dead_letters;
mod fault;
pub(super) mod forget;
mod heads;
pub(super) mod kept;
pub(super) mod reader;
mod readers;
pub(super) mod schema;
pub(super) mod tree;
mod watcher;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::measures::AppendMeasures;
use super::tail::Tail;
use super::tree::Leaf;
use super::{LogConfig, LogError, OpenError};
use crate::append::{Append, AppendError, Appended, StorageFault};
use crate::ids::Position;
use crate::record::RecordedEvent;
use readers::Readers;
use writer::{Durability, Job, WaitingAppend};

/// The name of the log's file.
pub(super) const FILE: &str = "log.db";

/// The log in one SQLite file.
#[derive(Debug)]
pub(super) struct SqliteLog {
    jobs: mpsc::Sender<Job>,
    readers: Arc<Readers>,
    tail: Arc<Tail>,
    measures: AppendMeasures,
    dir: PathBuf,
}

impl SqliteLog {
    pub(super) async fn open(config: LogConfig) -> Result<Self, OpenError> {
        let path = config.dir.join(FILE);
        tokio::task::spawn_blocking(move || Self::open_blocking(&config))
            .await
            .map_err(|cause| OpenError::Unavailable {
                path,
                cause: StorageFault::new(cause),
            })?
    }

    fn open_blocking(config: &LogConfig) -> Result<Self, OpenError> {
        let path = schema::prepare(&config.dir, FILE)?;
        let connection = schema::open_log(&path, config.pages_max)?;
        let unavailable = |cause: String| OpenError::Unavailable {
            path: path.clone(),
            cause: StorageFault::new(cause),
        };
        let position = reader::head(&connection).map_err(|error| unavailable(error.to_string()))?;
        let tail = Arc::new(Tail::new(position));
        let (jobs, queue) = mpsc::channel(config.queue_len_max);
        let measures = AppendMeasures::new();
        writer::start(connection, queue, Arc::clone(&tail), measures.clone())
            .map_err(|error| unavailable(error.to_string()))?;
        watcher::start(&path, &tail).map_err(|error| unavailable(error.to_string()))?;
        Ok(Self {
            jobs,
            readers: Arc::new(Readers::new(path, config.readers_max)),
            tail,
            measures,
            dir: config.dir.clone(),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn append_measures(&self) -> &AppendMeasures {
        &self.measures
    }

    pub(super) fn subscribe_head(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }

    pub(super) fn is_heard_within(&self, limit: Duration) -> bool {
        self.tail.is_heard_within(limit)
    }

    pub(super) fn recent_after(&self, after: Position, limit: usize) -> Vec<RecordedEvent> {
        self.tail.after(after, limit)
    }

    pub(super) fn subscribe_own(&self) -> watch::Receiver<Position> {
        self.tail.subscribe_own()
    }

    pub(super) fn own_above(&self, after: Position, limit: usize) -> Vec<RecordedEvent> {
        self.tail.own_above(after, limit)
    }

    pub(super) fn recent_leaves_after(&self, after: Position, limit: usize) -> Vec<Leaf> {
        self.tail.leaves_after(after, limit)
    }

    pub(super) async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Append(WaitingAppend { append, answer });
        self.jobs.send(job).await.map_err(|_| AppendError::Stopped)?;
        answered.await.unwrap_or_else(|_| {
            Err(AppendError::OutcomeUnknown(StorageFault::new(
                "the writer is gone",
            )))
        })
    }

    /// Runs `work` on the writer's connection in a transaction of its own, and answers once it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        self.write_with(Durability::AtOnce, work).await
    }

    /// The same for what can be made again from the records: it is durable with the next append.
    pub(super) async fn write_derived<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        self.write_with(Durability::WithTheNext, work).await
    }

    async fn write_with<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let (answer, answered) = oneshot::channel();
        let write = move |connection: Result<&Connection, LogError>| {
            // A caller that went away does not need the answer.
            let _ = answer.send(connection.and_then(|connection| writer::in_transaction(connection, work)));
        };
        let job = Job::Write(durability, Box::new(write));
        self.jobs.send(job).await.map_err(|_| LogError::Stopped)?;
        answered.await.map_err(|_| LogError::Stopped)?
    }

    /// Runs `work` on one of the reading connections.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        Arc::clone(&self.readers).read(work).await
    }

    pub(super) async fn put_blob(&self, bytes: Bytes) -> Result<[u8; 32], LogError> {
        blobs::put(self, bytes).await
    }
}

/// A number of ours as SQLite keeps it. Positions and versions stay far below 2^63.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from SQLite as ours; a negative one is not ours.
fn from_sql(number: i64) -> Result<u64, LogError> {
    u64::try_from(number).map_err(|_| LogError::Corrupt(format!("{number} where a count should be")))
}

/// A limit as SQLite takes it.
fn limit_sql(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Bytes of a fixed length from a column.
fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], LogError> {
    bytes
        .try_into()
        .map_err(|_| LogError::Corrupt(format!("{what} of {} bytes", bytes.len())))
}
