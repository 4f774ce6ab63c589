//! The rows of dead letters.

use chrono::DateTime;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{LogError, from_sql, limit_sql, to_sql};
use crate::ids::{Position, StreamId, Version};
use crate::log::{DeadLetterKey, DeadLetterRow};

const COLUMNS: &str = "consumer, stream, version, position, reason, attempts, last_error, first_at, state";

pub(in crate::log) fn put(connection: &Connection, row: &DeadLetterRow) -> Result<(), LogError> {
    let sql = format!(
        "INSERT INTO dead_letters ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (consumer, stream, version) DO UPDATE SET position = excluded.position, reason = excluded.reason,
         attempts = excluded.attempts, last_error = excluded.last_error, first_at = excluded.first_at, state = excluded.state
         WHERE state <> 'skipped'"
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

pub(in crate::log) fn get(
    connection: &Connection,
    key: &DeadLetterKey,
) -> Result<Option<DeadLetterRow>, LogError> {
    let sql =
        format!("SELECT {COLUMNS} FROM dead_letters WHERE consumer = ?1 AND stream = ?2 AND version = ?3");
    let values = (&key.consumer, key.stream.as_str(), to_sql(key.version.0));
    connection
        .prepare_cached(&sql)?
        .query_row(values, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

pub(in crate::log) fn list(
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

pub(in crate::log) fn streams(
    connection: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<StreamId>, LogError> {
    let sql = "SELECT DISTINCT stream FROM dead_letters WHERE stream > ?1 ORDER BY stream LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((after, limit_sql(limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(stream_of(&row.get::<_, String>(0)?)?);
    }
    Ok(found)
}

pub(in crate::log) fn delete(connection: &Connection, key: &DeadLetterKey) -> Result<bool, LogError> {
    let sql = "DELETE FROM dead_letters WHERE consumer = ?1 AND stream = ?2 AND version = ?3 AND state <> 'skipped'";
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
            stream: stream_of(&stream)?,
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

fn stream_of(name: &str) -> Result<StreamId, LogError> {
    StreamId::parse(name).map_err(|error| LogError::Corrupt(error.to_string()))
}
