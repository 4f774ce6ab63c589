//! What people do about events that a consumer could not handle.
//!
//! A dead letter is a row in the log's database: `parked` holds back its stream for that consumer, `retrying` is being
//! tried, `skipped` was passed over and stays, so that a rebuild passes over it too. Events are never changed or lost:
//! they are in the log. A running consumer follows a decision within about a second, one that starts at its start.

use crate::{DeadLetterKey, DeadLetterRow, DeadLetterState, EventLog, LogError, RecordedEvent, Version};

/// The dead letters of all consumers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    log: EventLog,
}

/// A dead letter with its event.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Why it is one, and since when.
    pub row: DeadLetterRow,
    /// The event; sealed as it is in the log.
    pub event: Option<RecordedEvent>,
    /// The stream's version in the log: the events from the dead letter's up to this one wait.
    pub stream_version: Version,
}

/// A decision could not be taken. Nothing is changed, but for `Log`, after which it may be.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// There is no such dead letter.
    #[error("there is no such dead letter")]
    Unknown,
    /// It is not parked: somebody decided already, or it is being tried.
    #[error("the dead letter is {}, not parked", .0.as_str())]
    NotParked(DeadLetterState),
    /// The log did not answer.
    #[error("the dead letters cannot be read or written")]
    Log(#[from] LogError),
}

impl DeadLetters {
    /// The dead letters in `log`'s database.
    #[must_use]
    pub fn new(log: EventLog) -> Self {
        Self { log }
    }

    /// One consumer's dead letters or everyone's, by consumer, stream and version; at most `limit`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn list(&self, consumer: Option<&str>, limit: usize) -> Result<Vec<DeadLetterRow>, LogError> {
        self.log.dead_letters(consumer, limit).await
    }

    /// One dead letter with its event; none when there is no such.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn show(&self, key: &DeadLetterKey) -> Result<Option<Shown>, LogError> {
        let Some(row) = self.log.dead_letter(key).await? else {
            return Ok(None);
        };
        let before = Version(key.version.0.saturating_sub(1));
        let event = self
            .log
            .read_stream(&key.stream, before, 1)
            .await?
            .into_iter()
            .next();
        let stream_version = self
            .log
            .stream_head(&key.stream)
            .await?
            .map_or(Version::NONE, |head| head.version);
        Ok(Some(Shown {
            row,
            event,
            stream_version,
        }))
    }

    /// Has the consumer try a parked event again, and the events behind it.
    ///
    /// # Errors
    /// See [`DecisionError`].
    pub async fn retry(&self, key: &DeadLetterKey) -> Result<(), DecisionError> {
        self.decide(key, DeadLetterState::Retrying).await
    }

    /// Has the consumer go on without a parked event. It cannot be taken back.
    ///
    /// # Errors
    /// See [`DecisionError`].
    pub async fn skip(&self, key: &DeadLetterKey) -> Result<(), DecisionError> {
        self.decide(key, DeadLetterState::Skipped).await
    }

    async fn decide(&self, key: &DeadLetterKey, state: DeadLetterState) -> Result<(), DecisionError> {
        let mut row = self.log.dead_letter(key).await?.ok_or(DecisionError::Unknown)?;
        if row.state != DeadLetterState::Parked {
            return Err(DecisionError::NotParked(row.state));
        }
        row.state = state;
        if state == DeadLetterState::Retrying {
            row.attempts = 0;
        }
        Ok(self.log.put_dead_letter(row).await?)
    }
}
