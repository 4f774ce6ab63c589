//! The rows of dead letters. What they mean is said in [`dead_letters`](crate::dead_letters).

use std::str::FromStr;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{LogError, from_sql, limit_sql, to_sql};
use crate::ids::{Position, StreamId, Version};
use crate::log::EventLog;

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

const COLUMNS: &str = "consumer, stream, version, position, reason, attempts, last_error, first_at, state";

impl EventLog {
    /// Stores a dead letter, in place of an older one with the same key. Durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then the old one stands, or it is unknown which one does.
    pub async fn put_dead_letter(&self, row: DeadLetterRow) -> Result<(), LogError> {
        self.sqlite().write(move |connection| put(connection, &row)).await
    }

    /// Reads one dead letter.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn dead_letter(&self, key: &DeadLetterKey) -> Result<Option<DeadLetterRow>, LogError> {
        let key = key.clone();
        self.sqlite().read(move |connection| get(connection, &key)).await
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
        let consumer = consumer.map(str::to_owned);
        self.sqlite()
            .read(move |connection| list(connection, consumer.as_deref(), limit))
            .await
    }

    /// Deletes a dead letter; tells whether there was one. Durable when this answers.
    ///
    /// # Errors
    /// [`LogError`]; then it still stands, or it is unknown whether it does.
    pub async fn delete_dead_letter(&self, key: &DeadLetterKey) -> Result<bool, LogError> {
        let key = key.clone();
        self.sqlite()
            .write(move |connection| delete(connection, &key))
            .await
    }
}

fn put(connection: &Connection, row: &DeadLetterRow) -> Result<(), LogError> {
    let sql = format!(
        "INSERT OR REPLACE INTO dead_letters ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    );
    connection.prepare_cached(&sql)?.execute((
        &row.key.consumer,
        row.key.stream.as_str(),
        to_sql(row.key.version.0),
        to_sql(row.position.0),
        &row.reason,
        row.attempts,
        &row.last_error,
        row.first_at.timestamp_micros(),
        row.state.as_str(),
    ))?;
    Ok(())
}

fn get(connection: &Connection, key: &DeadLetterKey) -> Result<Option<DeadLetterRow>, LogError> {
    let sql =
        format!("SELECT {COLUMNS} FROM dead_letters WHERE consumer = ?1 AND stream = ?2 AND version = ?3");
    let values = (&key.consumer, key.stream.as_str(), to_sql(key.version.0));
    connection
        .prepare_cached(&sql)?
        .query_row(values, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

fn list(
    connection: &Connection,
    consumer: Option<&str>,
    limit: usize,
) -> Result<Vec<DeadLetterRow>, LogError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM dead_letters WHERE ?1 IS NULL OR consumer = ?1 ORDER BY consumer, stream, version LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((consumer, limit_sql(limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn delete(connection: &Connection, key: &DeadLetterKey) -> Result<bool, LogError> {
    let sql = "DELETE FROM dead_letters WHERE consumer = ?1 AND stream = ?2 AND version = ?3";
    let values = (&key.consumer, key.stream.as_str(), to_sql(key.version.0));
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

fn read(row: &Row<'_>) -> Result<DeadLetterRow, LogError> {
    let corrupt = |what: String| LogError::Corrupt(what);
    let stream: String = row.get(1)?;
    let state: String = row.get(8)?;
    Ok(DeadLetterRow {
        key: DeadLetterKey {
            consumer: row.get(0)?,
            stream: StreamId::parse(&stream).map_err(|error| corrupt(error.to_string()))?,
            version: Version(from_sql(row.get(2)?)?),
        },
        position: Position(from_sql(row.get(3)?)?),
        reason: row.get(4)?,
        attempts: row.get(5)?,
        last_error: row.get(6)?,
        first_at: DateTime::from_timestamp_micros(row.get(7)?)
            .ok_or_else(|| corrupt("a dead letter's time".to_owned()))?,
        state: state.parse().map_err(corrupt)?,
    })
}
