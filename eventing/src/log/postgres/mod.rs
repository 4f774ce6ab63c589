//! The log in a PostgreSQL database, which several processes share.
//!
//! One task of each process appends ([`writer`]), many commands to a transaction, under one lock for the whole log. So
//! positions are gapless and in commit order, and a reader that goes by position skips nothing. A small pool of connections
//! reads; one task watches for records of other processes ([`watcher`]).

mod blobs;
pub(crate) mod connect;
mod dead_letters;
pub(super) mod duty_session;
mod flight;
mod forget;
mod kept;
mod known;
mod plan;
mod reader;
mod remembered;
mod schema;
mod session;
mod statements;
mod tls;
mod transaction;
mod tree;
mod watcher;
mod writer;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use deadpool_postgres::{Client, Pool};
use tokio::sync::{mpsc, oneshot, watch};

use super::measures::AppendMeasures;
use super::tail::Tail;
use super::tree::{Growth, Leaf, Stand};
use super::{
    DeadLetterKey, DeadLetterRow, Deleted, EventFilter, Forgotten, LogError, OpenError, StoreCheckpointError,
    StoredCheckpoint, StreamHead,
};
use crate::append::{Append, AppendError, Appended, Claim, Receipt, ReceiptKey, StorageFault};
use crate::ids::{CorrelationId, Position, StreamId, SubjectId, Version};
use crate::merkle::{Frontier, TileId};
use crate::notes::SignedCheckpoint;
use crate::record::RecordedEvent;
pub use connect::PostgresConfig;
pub use schema::{Migrated, migrate};
use writer::{WaitingAppend, Writer};

/// The lock that every transaction of the log holds ("SegueLog").
const LOG_LOCK: i64 = 0x5365_6775_654C_6F67;

/// How long a read, or a small write beside the records, may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long a blob may take: it is hundreds of megabytes at most.
const BLOB_LIMIT: Duration = Duration::from_secs(300);

/// The log in PostgreSQL.
pub(super) struct PostgresLog {
    jobs: mpsc::Sender<WaitingAppend>,
    pool: Pool,
    tail: Arc<Tail>,
    measures: AppendMeasures,
    /// For sessions beside the pool.
    config: PostgresConfig,
}

impl std::fmt::Debug for PostgresLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresLog").finish_non_exhaustive()
    }
}

impl PostgresLog {
    pub(super) async fn open(config: PostgresConfig) -> Result<Self, OpenError> {
        let client = config.connect_at_start().await?;
        schema::check(&client).await?;
        let position = reader::head(&client, reader::HEAD)
            .await
            .map_err(|error| OpenError::Database {
                problem: "cannot be read: check the rights of the user".to_owned(),
                cause: Some(StorageFault::new(error)),
            })?;
        let tail = Arc::new(Tail::new(position));
        let pool = config.pool()?;
        let (jobs, queue) = mpsc::channel(config.queue_len_max);
        let measures = AppendMeasures::new();
        let writer = Writer::new(config.clone(), Arc::clone(&tail), measures.clone());
        tokio::spawn(writer.run(queue));
        tokio::spawn(watcher::watch(pool.clone(), Arc::downgrade(&tail)));
        Ok(Self {
            jobs,
            pool,
            tail,
            measures,
            config,
        })
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
        let job = WaitingAppend { append, answer };
        self.jobs.send(job).await.map_err(|_| AppendError::Stopped)?;
        answered.await.unwrap_or_else(|_| {
            Err(AppendError::OutcomeUnknown(StorageFault::new(
                "the writer is gone",
            )))
        })
    }

    async fn client(&self) -> Result<Client, LogError> {
        Ok(self.pool.get().await?)
    }

    pub(super) async fn head(&self) -> Result<Position, LogError> {
        within(ANSWER_LIMIT, async {
            let client = self.client().await?;
            let statement = client.prepare_cached(reader::HEAD).await?;
            reader::head(&client, &statement).await
        })
        .await
    }

    pub(super) async fn read_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        self.read_filtered(&EventFilter::after(after, limit)).await
    }

    pub(super) async fn read_filtered(&self, filter: &EventFilter) -> Result<Vec<RecordedEvent>, LogError> {
        within(ANSWER_LIMIT, async {
            let client = self.client().await?;
            let (sql, values) = reader::filtered(filter);
            let statement = client.prepare_cached(&sql).await?;
            let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
                values.iter().map(|value| &**value as _).collect();
            reader::events_of(&client.query(&statement, &values).await?)
        })
        .await
    }

    pub(super) async fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        within(ANSWER_LIMIT, async {
        let client = self.client().await?;
        let sql = "SELECT record, leaf_hash FROM segue.events
                   WHERE stream = (SELECT no FROM segue.streams WHERE name = $1) AND version > $2 ORDER BY version LIMIT $3";
        let statement = client.prepare_cached(sql).await?;
        let rows = client
            .query(
                &statement,
                &[&stream.as_str(), &to_sql(after.0), &limit_sql(limit)],
            )
            .await?;
        reader::events_of(&rows)
        })
        .await
    }

    pub(super) async fn stream_head(&self, stream: &StreamId) -> Result<Option<StreamHead>, LogError> {
        within(ANSWER_LIMIT, async {
            reader::stream_head(&self.client().await?, stream).await
        })
        .await
    }

    pub(super) async fn stream_version_before(
        &self,
        stream: &StreamId,
        position: Position,
    ) -> Result<Version, LogError> {
        within(ANSWER_LIMIT, async {
            reader::stream_version_before(&self.client().await?, stream, position).await
        })
        .await
    }

    pub(super) async fn last_of_type_before(
        &self,
        event_type: &str,
        position: Position,
    ) -> Result<Option<RecordedEvent>, LogError> {
        within(ANSWER_LIMIT, async {
            let client = self.client().await?;
            let sql = "SELECT record, leaf_hash FROM segue.events WHERE type = $1 AND position < $2
                   ORDER BY position DESC LIMIT 1";
            let statement = client.prepare_cached(sql).await?;
            let rows = client
                .query(&statement, &[&event_type, &to_sql(position.0)])
                .await?;
            Ok(reader::events_of(&rows)?.pop())
        })
        .await
    }

    pub(super) async fn leaf_hashes(
        &self,
        positions: &[Position],
    ) -> Result<HashMap<Position, [u8; 32]>, LogError> {
        within(ANSWER_LIMIT, async {
            reader::leaf_hashes(&self.client().await?, positions).await
        })
        .await
    }

    pub(super) async fn claim(&self, claim: &Claim) -> Result<Option<StreamId>, LogError> {
        within(ANSWER_LIMIT, async {
            reader::claim(&self.client().await?, claim).await
        })
        .await
    }

    pub(super) async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LogError> {
        within(ANSWER_LIMIT, async {
            reader::receipt(&*self.client().await?, key).await
        })
        .await
    }

    pub(super) async fn put_blob(&self, bytes: Bytes) -> Result<[u8; 32], LogError> {
        within(BLOB_LIMIT, async {
            blobs::put(&self.client().await?, bytes).await
        })
        .await
    }

    pub(super) async fn blob(&self, digest: &[u8; 32]) -> Result<Option<Bytes>, LogError> {
        within(BLOB_LIMIT, async {
            blobs::read(&self.client().await?, digest).await
        })
        .await
    }

    pub(super) async fn checkpoint(&self, name: &str) -> Result<Option<Position>, LogError> {
        within(ANSWER_LIMIT, async {
            let sql = "SELECT position FROM segue.checkpoints WHERE name = $1";
            let client = self.client().await?;
            let statement = client.prepare_cached(sql).await?;
            let found = client.query_opt(&statement, &[&name]).await?;
            found
                .map(|row| from_sql(row.try_get(0)?).map(Position))
                .transpose()
        })
        .await
    }

    pub(super) async fn set_checkpoint(&self, name: &str, position: Position) -> Result<(), LogError> {
        within(ANSWER_LIMIT, async {
            let sql = "INSERT INTO segue.checkpoints VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET position = EXCLUDED.position";
            self.put_checkpoint(sql, name, position).await
        })
        .await
    }

    async fn put_checkpoint(&self, sql: &str, name: &str, position: Position) -> Result<(), LogError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&name, &to_sql(position.0)]).await?;
        Ok(())
    }

    pub(super) async fn raise_checkpoint(&self, name: &str, position: Position) -> Result<(), LogError> {
        within(ANSWER_LIMIT, async {
            let sql = "INSERT INTO segue.checkpoints AS stored VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET position = GREATEST(stored.position, EXCLUDED.position)";
            self.put_checkpoint(sql, name, position).await
        })
        .await
    }

    pub(super) async fn tree_edge(&self) -> Result<Frontier, LogError> {
        within(ANSWER_LIMIT, async { tree::edge(&self.client().await?).await }).await
    }

    pub(super) async fn tree_stand(&self, wanted: &BTreeSet<TileId>) -> Result<Stand, LogError> {
        within(ANSWER_LIMIT, async {
            tree::stand(&self.client().await?, wanted).await
        })
        .await
    }

    pub(super) async fn grow_tree(&self, growth: &Growth) -> Result<bool, LogError> {
        within(ANSWER_LIMIT, async {
            tree::grow(&mut self.client().await?, growth).await
        })
        .await
    }

    pub(super) async fn correlated(
        &self,
        correlation: CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Position>, LogError> {
        within(ANSWER_LIMIT, async {
            tree::correlated(&self.client().await?, correlation, after, limit).await
        })
        .await
    }

    pub(super) async fn signed_checkpoints_after(
        &self,
        size: u64,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError> {
        within(ANSWER_LIMIT, async {
            tree::checkpoints_after(&self.client().await?, size, limit).await
        })
        .await
    }

    pub(super) async fn latest_signed_checkpoint(&self) -> Result<Option<StoredCheckpoint>, LogError> {
        within(ANSWER_LIMIT, async {
            tree::latest_checkpoint(&self.client().await?).await
        })
        .await
    }

    pub(super) async fn store_signed_checkpoint(
        &self,
        checkpoint: &SignedCheckpoint,
        signed_at: DateTime<Utc>,
    ) -> Result<(), StoreCheckpointError> {
        within(ANSWER_LIMIT, async {
            tree::store_checkpoint(&mut self.client().await?, checkpoint, signed_at).await
        })
        .await?
    }

    /// A session that holds the lock `key`, unless another does.
    pub(super) async fn duty_session(&self, key: i64) -> Result<Option<duty_session::DutySession>, LogError> {
        within(ANSWER_LIMIT, duty_session::take(&self.config, key)).await
    }

    pub(super) async fn put_dead_letter(&self, row: &DeadLetterRow) -> Result<(), LogError> {
        within(ANSWER_LIMIT, async {
            dead_letters::put(&*self.client().await?, row).await
        })
        .await
    }

    pub(super) async fn dead_letter(&self, key: &DeadLetterKey) -> Result<Option<DeadLetterRow>, LogError> {
        within(ANSWER_LIMIT, async {
            dead_letters::get(&*self.client().await?, key).await
        })
        .await
    }

    pub(super) async fn dead_letters(
        &self,
        consumer: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeadLetterRow>, LogError> {
        within(ANSWER_LIMIT, async {
            dead_letters::list(&*self.client().await?, consumer, limit).await
        })
        .await
    }

    pub(super) async fn dead_letter_streams(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<StreamId>, LogError> {
        within(ANSWER_LIMIT, async {
            dead_letters::streams(&*self.client().await?, after, limit).await
        })
        .await
    }

    pub(super) async fn receipts_about(&self, subject: SubjectId) -> Result<u64, LogError> {
        within(ANSWER_LIMIT, async {
            let sql = "SELECT count(*) FROM segue.receipts WHERE subject = $1";
            let row = self.client().await?.query_one(sql, &[&subject.0]).await?;
            from_sql(row.try_get(0)?)
        })
        .await
    }

    pub(super) async fn forget(
        &self,
        people: &[Forgotten],
        set_aside: &[StreamId],
    ) -> Result<Deleted, LogError> {
        within(ANSWER_LIMIT, async {
            let mut client = self.client().await?;
            forget::forget(&mut client, people, set_aside).await
        })
        .await
    }

    pub(super) async fn delete_dead_letter(&self, key: &DeadLetterKey) -> Result<bool, LogError> {
        within(ANSWER_LIMIT, async {
            dead_letters::delete(&*self.client().await?, key).await
        })
        .await
    }
}

/// A number of ours as PostgreSQL keeps it. Positions and versions stay far below 2^63.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from PostgreSQL as ours; a negative one is not ours.
fn from_sql(number: i64) -> Result<u64, LogError> {
    u64::try_from(number).map_err(|_| LogError::Corrupt(format!("{number} where a count should be")))
}

/// A limit as PostgreSQL takes it.
fn limit_sql(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Gives up after `limit`: a database that hangs must not hang those who ask it.
async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, LogError>>) -> Result<T, LogError> {
    let late = || LogError::Unavailable(StorageFault::new("the database did not answer in time"));
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}
