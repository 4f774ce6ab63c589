//! What a consumer remembers about streams that fail: in the log's database, with a copy in memory.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    DeadLetterKey, DeadLetterRow, DeadLetterState, EventLog, LogError, Position, RecordedEvent, StreamId,
    Version,
};

/// Rows a consumer reads of its dead letters. Far more than anyone can decide on; beyond, the parking itself still
/// holds in the process that parked.
const ROWS_MAX: usize = 100_000;

/// The failing, parked and skipped events of one consumer. A stream has at most one that is not skipped.
pub(super) struct Ledger {
    log: EventLog,
    consumer: &'static str,
    open: HashMap<StreamId, DeadLetterRow>,
    skipped: HashMap<StreamId, BTreeSet<Version>>,
}

impl Ledger {
    pub(super) fn new(log: EventLog, consumer: &'static str) -> Self {
        Self {
            log,
            consumer,
            open: HashMap::new(),
            skipped: HashMap::new(),
        }
    }

    /// Reads all rows again; the answer is the streams, and a position at or below what they wait for, that are to be
    /// tried now because a person has decided so, or because a process ended while it tried.
    pub(super) async fn read(&mut self) -> Result<Vec<(StreamId, Position)>, LogError> {
        let rows = self.log.dead_letters(Some(self.consumer), ROWS_MAX).await?;
        let before = std::mem::take(&mut self.open);
        self.skipped.clear();
        for row in rows {
            if row.state == DeadLetterState::Skipped {
                self.skipped
                    .entry(row.key.stream)
                    .or_default()
                    .insert(row.key.version);
            } else {
                self.open.insert(row.key.stream.clone(), row);
            }
        }
        Ok(self.released(&before))
    }

    fn released(&self, before: &HashMap<StreamId, DeadLetterRow>) -> Vec<(StreamId, Position)> {
        let retried = self
            .open
            .values()
            .filter(|row| row.state == DeadLetterState::Retrying);
        let gone = before
            .values()
            .filter(|row| !self.open.contains_key(&row.key.stream));
        let streams: HashSet<_> = retried
            .chain(gone)
            .map(|row| (row.key.stream.clone(), row.position))
            .collect();
        streams.into_iter().collect()
    }

    pub(super) fn is_parked(&self, stream: &StreamId) -> bool {
        self.open
            .get(stream)
            .is_some_and(|row| row.state == DeadLetterState::Parked)
    }

    /// Whether the stream failed and was not parked: it is handled alone, and counted before.
    pub(super) fn is_failing(&self, stream: &StreamId) -> bool {
        self.open
            .get(stream)
            .is_some_and(|row| row.state == DeadLetterState::Retrying)
    }

    pub(super) fn parked(&self) -> usize {
        self.open
            .values()
            .filter(|row| row.state == DeadLetterState::Parked)
            .count()
    }

    pub(super) fn has_skips(&self, stream: &StreamId) -> bool {
        self.skipped.contains_key(stream)
    }

    pub(super) fn is_skipped(&self, stream: &StreamId, version: Version) -> bool {
        self.skipped
            .get(stream)
            .is_some_and(|versions| versions.contains(&version))
    }

    /// How often this event was tried.
    pub(super) fn attempts(&self, stream: &StreamId, version: Version) -> u32 {
        self.open
            .get(stream)
            .filter(|row| row.key.version == version)
            .map_or(0, |row| row.attempts)
    }

    /// Why this stream failed last, in a word; empty when it did not.
    pub(super) fn reason(&self, stream: &StreamId) -> &str {
        self.open.get(stream).map_or("", |row| &row.reason)
    }

    /// What went wrong last with this stream.
    pub(super) fn last_error(&self, stream: &StreamId) -> &str {
        self.open.get(stream).map_or("", |row| &row.last_error)
    }

    /// Counts one attempt at `event`, before it is made. Durable when this answers.
    pub(super) async fn count(&mut self, event: &RecordedEvent) -> Result<(), LogError> {
        let mut row = self.row_of(event);
        row.attempts += 1;
        self.put(row).await
    }

    /// Remembers why an attempt at `event` failed; counts it if it was not counted before. Durable when this answers.
    pub(super) async fn failed(
        &mut self,
        event: &RecordedEvent,
        reason: &str,
        error: &str,
    ) -> Result<(), LogError> {
        let mut row = self.row_of(event);
        row.attempts = row.attempts.max(1);
        reason.clone_into(&mut row.reason);
        error.clone_into(&mut row.last_error);
        self.put(row).await
    }

    /// Parks the stream at `event`. Durable when this answers.
    pub(super) async fn park(
        &mut self,
        event: &RecordedEvent,
        reason: &str,
        error: &str,
    ) -> Result<(), LogError> {
        let mut row = self.row_of(event);
        row.state = DeadLetterState::Parked;
        row.attempts = row.attempts.max(1);
        reason.clone_into(&mut row.reason);
        error.clone_into(&mut row.last_error);
        self.put(row).await
    }

    /// Forgets that the stream ever failed, if it did.
    pub(super) async fn clear(&mut self, stream: &StreamId) -> Result<(), LogError> {
        if let Some(row) = self.open.get(stream) {
            self.log.delete_dead_letter(&row.key).await?;
            self.open.remove(stream);
        }
        Ok(())
    }

    fn row_of(&self, event: &RecordedEvent) -> DeadLetterRow {
        match self.open.get(&event.stream) {
            Some(row) if row.key.version == event.version => row.clone(),
            _ => DeadLetterRow {
                key: DeadLetterKey {
                    consumer: self.consumer.to_owned(),
                    stream: event.stream.clone(),
                    version: event.version,
                },
                position: event.position,
                reason: INTERRUPTED.to_owned(),
                attempts: 0,
                last_error: "the process ended while it handled this event".to_owned(),
                first_at: std::time::SystemTime::now().into(),
                state: DeadLetterState::Retrying,
            },
        }
    }

    async fn put(&mut self, row: DeadLetterRow) -> Result<(), LogError> {
        self.log.put_dead_letter(row.clone()).await?;
        let old = self.open.insert(row.key.stream.clone(), row.clone());
        match old {
            Some(old) if old.key != row.key => self.log.delete_dead_letter(&old.key).await.map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// The reason that stands until an attempt ends, so that it is the one left by a crash.
const INTERRUPTED: &str = "interrupted";
