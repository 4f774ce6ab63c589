//! What the log's database holds about a person besides their records, and how it is deleted.
//!
//! Records stay as they are: they are sealed, and the key is destroyed elsewhere. What is deleted here:
//! - **receipts** whose answers are sealed under the person's key. The earliest one may be the registration's, whose key
//!   must not open an account once more: of it a spent key stays, a keyed hash without answer, request or person;
//! - **claims** that the person's streams still hold: those of a log that was put back to before the erasure;
//! - **dead letters** of the person's streams, skipped ones as well. A stream that was parked goes on: what stopped it cannot
//!   be opened any more.

use std::collections::HashSet;

use super::{Backend, EventLog, LogError, sqlite};
use crate::ids::{StreamId, SubjectId, Version};

/// Streams with dead letters looked at at a time.
const STREAMS_PAGE: usize = 1_000;

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
        let set_aside = self.set_aside_about(people).await?;
        match &self.backend {
            Backend::Sqlite(log) => {
                let people = people.to_vec();
                log.write(move |connection| sqlite::forget::forget(connection, &people, &set_aside))
                    .await
            }
            Backend::Postgres(log) => log.forget(people, &set_aside).await,
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

    /// The streams about these people of which events are set aside.
    async fn set_aside_about(&self, people: &[Forgotten]) -> Result<Vec<StreamId>, LogError> {
        let subjects: HashSet<SubjectId> = people.iter().map(|person| person.subject).collect();
        let (mut about, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.dead_letter_streams(&after, STREAMS_PAGE).await?;
            for stream in &page {
                let first = self.read_stream(stream, Version::NONE, 1).await?;
                let subject = first.first().and_then(|event| event.subject);
                if subject.is_some_and(|subject| subjects.contains(&subject)) {
                    about.push(stream.clone());
                }
            }
            match page.last() {
                Some(last) if page.len() == STREAMS_PAGE => last.as_str().clone_into(&mut after),
                _ => return Ok(about),
            }
        }
    }

    /// The next streams after `after` by name of which events are set aside, by whichever consumer, at most `limit`.
    async fn dead_letter_streams(&self, after: &str, limit: usize) -> Result<Vec<StreamId>, LogError> {
        match &self.backend {
            Backend::Sqlite(log) => {
                let after = after.to_owned();
                log.read(move |connection| sqlite::dead_letters::streams(connection, &after, limit))
                    .await
            }
            Backend::Postgres(log) => log.dead_letter_streams(after, limit).await,
        }
    }
}
