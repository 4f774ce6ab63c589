//! Dead letters as they are kept. What they mean is said in [`dead_letters`](crate::dead_letters).

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{Backend, EventLog, LogError, sqlite};
use crate::ids::{Position, StreamId, Version};

/// Which dead letter: whose, and which event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterKey {
    /// The consumer that could not handle the event.
    pub consumer: String,
    /// The event's stream.
    pub stream: StreamId,
    /// The event's version in it.
    pub version: Version,
}

/// What is to happen with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterState {
    /// Set aside until a person decides.
    Parked,
    /// To be handled once more.
    Retrying,
    /// Given up: later events of the stream go on without it.
    Skipped,
}

impl DeadLetterState {
    /// The state as it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Retrying => "retrying",
            Self::Skipped => "skipped",
        }
    }
}

impl FromStr for DeadLetterState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Parked, Self::Retrying, Self::Skipped]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not the state of a dead letter"))
    }
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Which.
    pub key: DeadLetterKey,
    /// The event's position.
    pub position: Position,
    /// Why it was set aside, in one word or two.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last. Never personal data.
    pub last_error: String,
    /// When it was set aside first; stored in microseconds.
    pub first_at: DateTime<Utc>,
    /// What is to happen with it.
    pub state: DeadLetterState,
}

impl EventLog {
    /// Stores a dead letter, in place of an older one with the same key. One that is skipped stays as it is: whoever
    /// writes may not know yet that a person gave it up. Durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then the old one stands, or it is unknown which one does.
    pub async fn put_dead_letter(&self, row: DeadLetterRow) -> Result<(), LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                log.write(move |connection| sqlite::dead_letters::put(connection, &row))
                    .await
            }
            Backend::Postgres(log) => log.put_dead_letter(&row).await,
        }
    }

    /// Reads one dead letter.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn dead_letter(&self, key: &DeadLetterKey) -> Result<Option<DeadLetterRow>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let key = key.clone();
                log.read(move |connection| sqlite::dead_letters::get(connection, &key))
                    .await
            }
            Backend::Postgres(log) => log.dead_letter(key).await,
        }
    }

    /// Lists dead letters by consumer, stream and version: one consumer's or everyone's, at most `limit`.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn dead_letters(
        &self,
        consumer: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeadLetterRow>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let consumer = consumer.map(str::to_owned);
                log.read(move |connection| sqlite::dead_letters::list(connection, consumer.as_deref(), limit))
                    .await
            }
            Backend::Postgres(log) => log.dead_letters(consumer, limit).await,
        }
    }

    /// Deletes a dead letter, unless it is skipped; tells whether it did. Durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then it still stands, or it is unknown whether it does.
    pub async fn delete_dead_letter(&self, key: &DeadLetterKey) -> Result<bool, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let key = key.clone();
                log.write(move |connection| sqlite::dead_letters::delete(connection, &key))
                    .await
            }
            Backend::Postgres(log) => log.delete_dead_letter(key).await,
        }
    }
}
