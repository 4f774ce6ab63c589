//! What the log's database holds about a person besides their records, and how it is deleted.
//!
//! Records stay as they are: they are sealed, and the key is destroyed elsewhere. What is deleted here:
//! - **receipts** whose answers are sealed under the person's key. The earliest one may be the registration's, whose key
//!   must not open an account once more: of it a spent key stays, a keyed hash without answer, request or person;
//! - **claims** that the person's streams still hold: those of a log that was put back to before the erasure;
//! - **dead letters** of the person's streams, skipped ones as well. A stream that was parked goes on: what stopped it cannot
//!   be opened any more.

use std::collections::{HashMap, HashSet};

use super::{Backend, DeadLetterKey, EventLog, LogError, sqlite};
use crate::ids::{StreamId, SubjectId, Version};

/// Dead letters looked at at a time; as many as a consumer reads.
const DEAD_LETTERS_MAX: usize = 100_000;

/// Somebody of whom nothing may be left but sealed records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The person.
    pub subject: SubjectId,
    /// The stream that holds their claims.
    pub stream: StreamId,
}

/// What was deleted: so many rows of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Stored answers.
    pub receipts: u64,
    /// Names that were still taken.
    pub claims: u64,
    /// Events set aside.
    pub dead_letters: u64,
}

impl EventLog {
    /// Deletes what the database holds about these people besides their records, in one transaction; in SQLite the bytes
    /// are overwritten as well. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`LogError`]; then nothing is deleted, or it is unknown whether it is: do it again.
    pub async fn forget(&self, people: &[Forgotten]) -> Result<Deleted, LogError> {
        if people.is_empty() {
            return Ok(Deleted::default());
        }
        let letters = self.dead_letters_about(people).await?;
        match &self.backend {
            Backend::Sqlite(log) => {
                let people = people.to_vec();
                log.write(move |connection| sqlite::forget::forget(connection, &people, &letters))
                    .await
            }
            Backend::Postgres(log) => log.forget(people, &letters).await,
        }
    }

    /// How many stored answers are sealed under a person's key.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn receipts_about(&self, subject: SubjectId) -> Result<u64, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::forget::receipts_about(connection, subject))
                    .await
            }
            Backend::Postgres(log) => log.receipts_about(subject).await,
        }
    }

    async fn dead_letters_about(&self, people: &[Forgotten]) -> Result<Vec<DeadLetterKey>, LogError> {
        let subjects: HashSet<SubjectId> = people.iter().map(|person| person.subject).collect();
        let rows = self.dead_letters(None, DEAD_LETTERS_MAX).await?;
        let mut about = HashMap::new();
        for row in &rows {
            let stream = &row.key.stream;
            if !about.contains_key(stream) {
                let first = self.read_stream(stream, Version::NONE, 1).await?;
                let subject = first.first().and_then(|event| event.subject);
                about.insert(
                    stream.clone(),
                    subject.is_some_and(|subject| subjects.contains(&subject)),
                );
            }
        }
        let keys = rows.into_iter().map(|row| row.key);
        Ok(keys.filter(|key| about.get(&key.stream) == Some(&true)).collect())
    }
}
