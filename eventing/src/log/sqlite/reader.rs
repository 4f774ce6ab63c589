//! Reads of the log, each on one connection.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::DateTime;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::{LogError, fixed, from_sql, limit_sql, to_sql};
use crate::append::{Claim, Receipt, ReceiptKey};
use crate::ids::{EventId, Position, StreamId, SubjectId, Version};
use crate::log::{EventFilter, StreamHead};
use crate::record::RecordedEvent;

pub(in crate::log) fn head(connection: &Connection) -> Result<Position, LogError> {
    let position = connection
        .prepare_cached("SELECT position FROM log_head")?
        .query_row([], |row| row.get(0))?;
    from_sql(position).map(Position)
}

pub(in crate::log) fn read_after(
    connection: &Connection,
    after: Position,
    limit: usize,
) -> Result<Vec<RecordedEvent>, LogError> {
    let sql = "SELECT record, leaf_hash FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
    select(connection, sql, &[&to_sql(after.0), &limit_sql(limit)])
}

pub(in crate::log) fn leaf_hashes(
    connection: &Connection,
    positions: &[Position],
) -> Result<HashMap<Position, [u8; 32]>, LogError> {
    let mut statement = connection.prepare_cached("SELECT leaf_hash FROM events WHERE position = ?1")?;
    let mut hashes = HashMap::with_capacity(positions.len());
    for &position in positions {
        let found: Option<Vec<u8>> = statement
            .query_row([to_sql(position.0)], |row| row.get(0))
            .optional()?;
        if let Some(hash) = found {
            hashes.insert(position, fixed(&hash, "a leaf hash")?);
        }
    }
    Ok(hashes)
}

pub(in crate::log) fn read_stream(
    connection: &Connection,
    stream: &StreamId,
    after: Version,
    limit: usize,
) -> Result<Vec<RecordedEvent>, LogError> {
    let sql = "SELECT record, leaf_hash FROM events
               WHERE stream = (SELECT no FROM streams WHERE name = ?1) AND version > ?2 ORDER BY version LIMIT ?3";
    select(
        connection,
        sql,
        &[&stream.as_str(), &to_sql(after.0), &limit_sql(limit)],
    )
}

pub(in crate::log) fn read_filtered(
    connection: &Connection,
    filter: &EventFilter,
) -> Result<Vec<RecordedEvent>, LogError> {
    let mut sql = String::from("SELECT record, leaf_hash FROM events WHERE position > ?1");
    let mut values: Vec<Box<dyn ToSql>> = vec![
        Box::new(to_sql(filter.after.0)),
        Box::new(limit_sql(filter.limit)),
    ];
    let mut add_value = |condition: &str, value: Box<dyn ToSql>| {
        values.push(value);
        sql.push_str(&condition.replace("?N", &format!("?{}", values.len())));
    };
    if let Some(until) = filter.until {
        add_value(" AND position <= ?N", Box::new(to_sql(until.0)));
    }
    for bytes in filter.traits() {
        add_value(" AND instr(record, ?N) > 0", Box::new(bytes));
    }
    let mut add = |condition: &str, value: String| add_value(condition, Box::new(value));
    if let Some(stream) = &filter.except_stream {
        add(
            " AND stream IS NOT (SELECT no FROM streams WHERE name = ?N)",
            stream.as_str().to_owned(),
        );
    }
    if let Some(stream) = &filter.stream {
        add(
            " AND stream = (SELECT no FROM streams WHERE name = ?N)",
            stream.as_str().to_owned(),
        );
    }
    match &filter.event_type {
        // The plus sign keeps SQLite from collecting and sorting every record of all these types.
        Some(prefix) if prefix.ends_with('.') => {
            add(
                " AND +type IN (SELECT no FROM event_types WHERE substr(name, 1, length(?N)) = ?N)",
                prefix.clone(),
            );
        }
        Some(name) => add(
            " AND type = (SELECT no FROM event_types WHERE name = ?N)",
            name.clone(),
        ),
        None => {}
    }
    if let Some(category) = &filter.category {
        let condition =
            " AND (SELECT substr(name, 1, length(?N)) = ?N FROM streams WHERE no = events.stream)";
        add(condition, format!("{category}-"));
    }
    sql.push_str(" ORDER BY position LIMIT ?2");
    let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    select(connection, &sql, &values)
}

fn select(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<RecordedEvent>, LogError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(event(row)?);
    }
    Ok(events)
}

/// Reads the record in a row's first column, and compares its hash with the second.
fn event(row: &Row<'_>) -> Result<RecordedEvent, LogError> {
    let record = row.get_ref(0)?.as_blob().map_err(not_a_blob)?;
    let event = RecordedEvent::from_record(Bytes::copy_from_slice(record))
        .map_err(|error| LogError::Corrupt(error.to_string()))?;
    if row.get_ref(1)?.as_blob().map_err(not_a_blob)? != event.leaf_hash {
        return Err(LogError::Corrupt(format!(
            "the record that says position {} does not match its hash",
            event.position
        )));
    }
    Ok(event)
}

fn not_a_blob(error: rusqlite::types::FromSqlError) -> LogError {
    LogError::Corrupt(error.to_string())
}

pub(in crate::log) fn stream_head(
    connection: &Connection,
    stream: &StreamId,
) -> Result<Option<StreamHead>, LogError> {
    let found = connection
        .prepare_cached("SELECT version, position FROM streams WHERE name = ?1 AND version > 0")?
        .query_row([stream.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let head = |(version, position)| {
        Ok(StreamHead {
            version: Version(from_sql(version)?),
            position: Position(from_sql(position)?),
        })
    };
    found.map(head).transpose()
}

pub(in crate::log) fn stream_version_before(
    connection: &Connection,
    stream: &StreamId,
    position: Position,
) -> Result<Version, LogError> {
    let sql =
        "SELECT version FROM events WHERE stream = (SELECT no FROM streams WHERE name = ?1) AND position < ?2
               ORDER BY version DESC LIMIT 1";
    let found = connection
        .prepare_cached(sql)?
        .query_row((stream.as_str(), to_sql(position.0)), |row| row.get(0))
        .optional()?;
    found.map_or(Ok(Version::NONE), |version| from_sql(version).map(Version))
}

pub(in crate::log) fn last_of_type_before(
    connection: &Connection,
    event_type: &str,
    position: Position,
) -> Result<Option<RecordedEvent>, LogError> {
    let sql = "SELECT record, leaf_hash FROM events
               WHERE type = (SELECT no FROM event_types WHERE name = ?1) AND position < ?2
               ORDER BY position DESC LIMIT 1";
    Ok(select(connection, sql, &[&event_type, &to_sql(position.0)])?.pop())
}

/// The record of an event, by its id.
pub(super) fn by_id(connection: &Connection, id: EventId) -> Result<Option<RecordedEvent>, LogError> {
    let sql = "SELECT record, leaf_hash FROM events WHERE id = ?1";
    Ok(select(connection, sql, &[&&id.0.as_bytes()[..]])?.pop())
}

pub(in crate::log) fn claim(connection: &Connection, claim: &Claim) -> Result<Option<StreamId>, LogError> {
    let holder: Option<String> = connection
        .prepare_cached("SELECT stream FROM claims WHERE kind = ?1 AND digest = ?2")?
        .query_row((&claim.kind, &claim.digest[..]), |row| row.get(0))
        .optional()?;
    let stream = |name: String| StreamId::parse(&name).map_err(|error| LogError::Corrupt(error.to_string()));
    holder.map(stream).transpose()
}

pub(in crate::log) fn receipt(
    connection: &Connection,
    key: &ReceiptKey,
) -> Result<Option<Receipt>, LogError> {
    let sql = "SELECT fingerprint, answer, subject, position, recorded_at FROM receipts WHERE key = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([&key.0[..]])?;
    rows.next()?.map(read_receipt).transpose()
}

fn read_receipt(row: &Row<'_>) -> Result<Receipt, LogError> {
    let subject: Option<Vec<u8>> = row.get(2)?;
    let subject = subject.map(|bytes| fixed(&bytes, "a subject")).transpose()?;
    Ok(Receipt {
        fingerprint: fixed(&row.get::<_, Vec<u8>>(0)?, "a fingerprint")?,
        answer: Some(row.get::<_, Vec<u8>>(1)?.into()),
        subject: subject.map(|bytes| SubjectId(Uuid::from_bytes(bytes))),
        position: Position(from_sql(row.get(3)?)?),
        recorded_at: DateTime::from_timestamp_micros(row.get(4)?)
            .ok_or_else(|| LogError::Corrupt("a receipt's time".to_owned()))?,
    })
}
