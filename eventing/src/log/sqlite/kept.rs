//! Rows as they are. SQLite keeps a value of any type in any column, so each is looked at before it is taken.

use bytes::Bytes;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{LogError, limit_sql, to_sql};
use crate::ids::{CorrelationId, EventId, Position, StreamId, Version};
use crate::log::kept::{KeptHead, KeptStream};
use crate::log::tree::Run;
use crate::merkle::Hash;
use crate::verify::{Columns, Kept};

pub(in crate::log) fn after(
    connection: &Connection,
    after: Position,
    limit: usize,
) -> Result<Vec<Kept>, LogError> {
    let sql = "SELECT e.position, s.name, e.version, t.name, e.id, e.leaf_hash, e.record FROM events e
               LEFT JOIN streams s ON s.no = e.stream LEFT JOIN event_types t ON t.no = e.type
               WHERE e.position > ?1 ORDER BY e.position LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((to_sql(after.0), limit_sql(limit)))?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        kept.push(of(row)?);
    }
    Ok(kept)
}

fn of(row: &Row<'_>) -> Result<Kept, LogError> {
    let columns = Columns {
        position: number(row.get_ref(0)?).map(Position),
        stream: text(row.get_ref(1)?).and_then(|name| StreamId::parse(name).ok()),
        version: number(row.get_ref(2)?).map(Version),
        event_type: text(row.get_ref(3)?).map(str::to_owned),
        id: blob(row.get_ref(4)?)
            .and_then(|id| Uuid::from_slice(id).ok())
            .map(EventId),
    };
    let hash = blob(row.get_ref(5)?).and_then(|hash| hash.try_into().ok().map(Hash));
    let record = blob(row.get_ref(6)?).unwrap_or_default();
    Ok(Kept {
        record: Bytes::copy_from_slice(record),
        hash,
        columns: Some(columns),
    })
}

fn number(value: ValueRef<'_>) -> Option<u64> {
    match value {
        ValueRef::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn text(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(text) => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

fn blob(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

pub(in crate::log) fn head(connection: &Connection) -> Result<KeptHead, LogError> {
    let sql = "SELECT position, recorded_at, (SELECT max(position) FROM events),
                      (SELECT count(*) FROM events WHERE position <= h.position) FROM log_head h";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let unreadable = || LogError::Corrupt("its head cannot be read".to_owned());
    let row = rows.next()?.ok_or_else(unreadable)?;
    let at = |column: usize| -> Result<u64, LogError> { Ok(number(row.get_ref(column)?).unwrap_or(0)) };
    Ok(KeptHead {
        position: Position(number(row.get_ref(0)?).ok_or_else(unreadable)?),
        recorded_at: row.get_ref(1)?.as_i64().map_err(|_| unreadable())?,
        last_row: Position(at(2)?),
        rows: at(3)?,
    })
}

pub(in crate::log) fn streams(
    connection: &Connection,
    after: &str,
    limit: usize,
) -> Result<Vec<KeptStream>, LogError> {
    let sql = "SELECT name, version, position FROM streams WHERE name > ?1 ORDER BY name LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((after, limit_sql(limit)))?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        let name = text(row.get_ref(0)?).unwrap_or_default().to_owned();
        let signed = |column: usize| row.get_ref(column).ok().and_then(|value| value.as_i64().ok());
        streams.push(KeptStream::new(name, signed(1), signed(2)));
    }
    Ok(streams)
}

pub(in crate::log) fn correlations(
    connection: &Connection,
    after: Option<(CorrelationId, Position)>,
    limit: usize,
) -> Result<Vec<Run>, LogError> {
    let sql = "SELECT correlation, coalesce(first, position), position FROM correlations
               WHERE (correlation, position) > (?1, ?2) ORDER BY correlation, position LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    // What is no id may stand first: no value of SQLite's stands before the lowest number.
    let from = match after {
        Some((correlation, _)) => Value::Blob(correlation.0.as_bytes().to_vec()),
        None => Value::Integer(i64::MIN),
    };
    let position = after.map_or(i64::MIN, |(_, position)| to_sql(position.0));
    let mut rows = statement.query((from, position, limit_sql(limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(run(row)?);
    }
    Ok(found)
}

fn run(row: &Row<'_>) -> Result<Run, LogError> {
    let correlation = blob(row.get_ref(0)?).and_then(|id| Uuid::from_slice(id).ok());
    let ends = number(row.get_ref(1)?).zip(number(row.get_ref(2)?));
    let (correlation, (first, last)) = correlation
        .zip(ends)
        .ok_or_else(|| LogError::Corrupt("a correlation that is none".to_owned()))?;
    Run::from_row(CorrelationId(correlation), first, last)
}
