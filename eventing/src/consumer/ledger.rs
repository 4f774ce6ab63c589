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
    /// Whether it was read at all.
    is_read: bool,
    open: HashMap<StreamId, DeadLetterRow>,
    skipped: HashMap<StreamId, BTreeSet<Version>>,
}

/// What others did since the ledger was read last: people, and other replicas.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Streams to be tried now, and a position at or below what they wait for: a person has decided so, or this is the
    /// first reading and an earlier process ended while it tried.
    pub(super) released: Vec<(StreamId, Position)>,
    /// Streams that another replica has tried, and how often they were tried by now.
    pub(super) tried: Vec<(StreamId, u32)>,
}

impl Ledger {
    pub(super) fn new(log: EventLog, consumer: &'static str) -> Self {
        Self {
            log,
            consumer,
            is_read: false,
            open: HashMap::new(),
            skipped: HashMap::new(),
        }
    }

    /// Reads all rows again.
    pub(super) async fn read(&mut self) -> Result<News, LogError> {
        let rows = self.log.dead_letters(Some(self.consumer), ROWS_MAX).await?;
        let before = std::mem::take(&mut self.open);
        self.skipped.clear();
        for row in rows {
            self.learn(row);
        }
        let is_first = !std::mem::replace(&mut self.is_read, true);
        let tried = if is_first { Vec::new() } else { self.tried(&before) };
        Ok(News {
            released: self.released(&before, is_first),
            tried,
        })
    }

    /// Reads again what stands about `event`. True when another replica has tried it since this one knew of it last.
    pub(super) async fn read_again(&mut self, event: &RecordedEvent) -> Result<bool, LogError> {
        let before = self.attempts(&event.stream, event.version);
        match self.log.dead_letter(&self.key_of(event)).await? {
            Some(row) => self.learn(row),
            None => self.forget(event),
        }
        Ok(self.attempts(&event.stream, event.version) > before)
    }

    fn learn(&mut self, row: DeadLetterRow) {
        let DeadLetterKey { stream, version, .. } = row.key.clone();
        if row.state != DeadLetterState::Skipped {
            self.open.insert(stream, row);
            return;
        }
        self.open.retain(|_, open| open.key != row.key);
        self.skipped.entry(stream).or_default().insert(version);
    }

    fn forget(&mut self, event: &RecordedEvent) {
        if self.attempts(&event.stream, event.version) > 0 {
            self.open.remove(&event.stream);
        }
    }

    /// What is `Retrying` because a replica tries it is that replica's, until its wait is over here too.
    fn released(
        &self,
        before: &HashMap<StreamId, DeadLetterRow>,
        is_first: bool,
    ) -> Vec<(StreamId, Position)> {
        let was_parked = |row: &DeadLetterRow| {
            let before = before.get(&row.key.stream);
            before.is_some_and(|before| before.state == DeadLetterState::Parked)
        };
        let retried = self
            .open
            .values()
            .filter(|row| row.state == DeadLetterState::Retrying && (is_first || was_parked(row)));
        let gone = before
            .values()
            .filter(|row| !self.open.contains_key(&row.key.stream));
        let streams: HashSet<_> = retried
            .chain(gone)
            .map(|row| (row.key.stream.clone(), row.position))
            .collect();
        streams.into_iter().collect()
    }

    fn tried(&self, before: &HashMap<StreamId, DeadLetterRow>) -> Vec<(StreamId, u32)> {
        let attempts_before = |row: &DeadLetterRow| {
            let before = before.get(&row.key.stream);
            before
                .filter(|before| before.key == row.key)
                .map_or(0, |before| before.attempts)
        };
        let tried = self
            .open
            .values()
            .filter(|row| row.state == DeadLetterState::Retrying && row.attempts > attempts_before(row));
        tried.map(|row| (row.key.stream.clone(), row.attempts)).collect()
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

    /// How often the event was tried that the stream fails at.
    pub(super) fn attempts_at(&self, stream: &StreamId) -> u32 {
        self.open.get(stream).map_or(0, |row| row.attempts)
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

    /// Remembers why an attempt at `event` failed; counts it if none was counted before. Durable when this answers.
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

    fn key_of(&self, event: &RecordedEvent) -> DeadLetterKey {
        DeadLetterKey {
            consumer: self.consumer.to_owned(),
            stream: event.stream.clone(),
            version: event.version,
        }
    }

    fn row_of(&self, event: &RecordedEvent) -> DeadLetterRow {
        match self.open.get(&event.stream) {
            Some(row) if row.key.version == event.version => row.clone(),
            _ => DeadLetterRow {
                key: self.key_of(event),
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
