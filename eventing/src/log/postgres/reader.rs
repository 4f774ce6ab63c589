//! Reads of the log.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::DateTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, ToStatement};
use uuid::Uuid;

use super::{from_sql, limit_sql, to_sql};
use crate::append::{Claim, Receipt, ReceiptKey};
use crate::ids::{Position, StreamId, SubjectId, Version};
use crate::log::{EventFilter, LogError, StreamHead};
use crate::record::RecordedEvent;

/// What [`head`] asks.
pub(super) const HEAD: &str = "SELECT position FROM segue.log_head";

/// The head of the log, by [`HEAD`] or by what was prepared from it.
pub(super) async fn head(client: &Client, by: &(impl ToStatement + ?Sized)) -> Result<Position, LogError> {
    let row = client.query_one(by, &[]).await?;
    from_sql(row.try_get(0)?).map(Position)
}

pub(super) async fn leaf_hashes(
    client: &deadpool_postgres::Client,
    positions: &[Position],
) -> Result<HashMap<Position, [u8; 32]>, LogError> {
    let sql = "SELECT position, leaf_hash FROM segue.events WHERE position = ANY($1::bigint[])";
    let statement = client.prepare_cached(sql).await?;
    let positions: Vec<i64> = positions.iter().map(|position| to_sql(position.0)).collect();
    let rows = client.query(&statement, &[&positions]).await?;
    rows.iter()
        .map(|row| {
            let hash: &[u8] = row.try_get(1)?;
            let hash = hash
                .try_into()
                .map_err(|_| LogError::Corrupt(format!("a leaf hash of {} bytes", hash.len())))?;
            Ok((Position(from_sql(row.try_get(0)?)?), hash))
        })
        .collect()
}

/// The records that `filter` lets through: only conditions that are asked for are in the query, so that its plan fits them.
pub(super) fn filtered(filter: &EventFilter) -> (String, Vec<Box<dyn ToSql + Send + Sync>>) {
    let mut sql = String::from("SELECT record, leaf_hash FROM segue.events e WHERE position > $1");
    let mut values: Vec<Box<dyn ToSql + Send + Sync>> = vec![
        Box::new(to_sql(filter.after.0)),
        Box::new(limit_sql(filter.limit)),
    ];
    let mut add_value = |condition: &str, value: Box<dyn ToSql + Send + Sync>| {
        values.push(value);
        sql.push_str(&condition.replace("$N", &format!("${}", values.len())));
    };
    if let Some(until) = filter.until {
        add_value(" AND position <= $N", Box::new(to_sql(until.0)));
    }
    for bytes in filter.traits() {
        add_value(" AND position($N::bytea IN record) > 0", Box::new(bytes));
    }
    let mut add = |condition: &str, value: String| add_value(condition, Box::new(value));
    if let Some(stream) = &filter.except_stream {
        add(
            " AND stream IS DISTINCT FROM (SELECT no FROM segue.streams WHERE name = $N)",
            stream.as_str().to_owned(),
        );
    }
    if let Some(stream) = &filter.stream {
        add(
            " AND stream = (SELECT no FROM segue.streams WHERE name = $N)",
            stream.as_str().to_owned(),
        );
    }
    match &filter.event_type {
        Some(prefix) if prefix.ends_with('.') => add(" AND starts_with(type, $N)", prefix.clone()),
        Some(name) => add(" AND type = $N", name.clone()),
        None => {}
    }
    if let Some(category) = &filter.category {
        let condition = " AND starts_with((SELECT name FROM segue.streams WHERE no = e.stream), $N)";
        add(condition, format!("{category}-"));
    }
    sql.push_str(" ORDER BY position LIMIT $2");
    (sql, values)
}

/// Reads the records in the rows' first columns, and compares their hashes with the second.
pub(super) fn events_of(rows: &[Row]) -> Result<Vec<RecordedEvent>, LogError> {
    rows.iter().map(event_of).collect()
}

fn event_of(row: &Row) -> Result<RecordedEvent, LogError> {
    let record: &[u8] = row.try_get(0)?;
    let event = RecordedEvent::from_record(Bytes::copy_from_slice(record))
        .map_err(|error| LogError::Corrupt(error.to_string()))?;
    let hash: &[u8] = row.try_get(1)?;
    if hash != event.leaf_hash {
        return Err(LogError::Corrupt(format!(
            "the record that says position {} does not match its hash",
            event.position
        )));
    }
    Ok(event)
}

pub(super) async fn stream_head(
    client: &deadpool_postgres::Client,
    stream: &StreamId,
) -> Result<Option<StreamHead>, LogError> {
    let sql = "SELECT version, position FROM segue.streams WHERE name = $1";
    let statement = client.prepare_cached(sql).await?;
    let found = client.query_opt(&statement, &[&stream.as_str()]).await?;
    let head = |row: Row| {
        Ok(StreamHead {
            version: Version(from_sql(row.try_get(0)?)?),
            position: Position(from_sql(row.try_get(1)?)?),
        })
    };
    found.map(head).transpose()
}

pub(super) async fn stream_version_before(
    client: &deadpool_postgres::Client,
    stream: &StreamId,
    position: Position,
) -> Result<Version, LogError> {
    let sql = "SELECT version FROM segue.events
               WHERE stream = (SELECT no FROM segue.streams WHERE name = $1) AND position < $2
               ORDER BY version DESC LIMIT 1";
    let statement = client.prepare_cached(sql).await?;
    let found = client
        .query_opt(&statement, &[&stream.as_str(), &to_sql(position.0)])
        .await?;
    found.map_or(Ok(Version::NONE), |row| from_sql(row.try_get(0)?).map(Version))
}

pub(super) async fn claim(
    client: &deadpool_postgres::Client,
    claim: &Claim,
) -> Result<Option<StreamId>, LogError> {
    let sql = "SELECT stream FROM segue.claims WHERE kind = $1 AND digest = $2";
    let statement = client.prepare_cached(sql).await?;
    let found = client
        .query_opt(&statement, &[&claim.kind.as_ref(), &&claim.digest[..]])
        .await?;
    found.map(|row| stream_id(row.try_get(0)?)).transpose()
}

pub(super) async fn receipt(client: &Client, key: &ReceiptKey) -> Result<Option<Receipt>, LogError> {
    let sql = "SELECT fingerprint, answer, subject, position, recorded_at FROM segue.receipts WHERE key = $1";
    let found = client.query_opt(sql, &[&&key.0[..]]).await?;
    found.map(|row| receipt_of(&row, 0)).transpose()
}

/// Reads a receipt from a row's columns, from `first` on.
pub(super) fn receipt_of(row: &Row, first: usize) -> Result<Receipt, LogError> {
    let fingerprint: &[u8] = row.try_get(first)?;
    let answer: &[u8] = row.try_get(first + 1)?;
    Ok(Receipt {
        fingerprint: fixed(fingerprint, "a fingerprint")?,
        answer: Some(Bytes::copy_from_slice(answer)),
        subject: row.try_get::<_, Option<Uuid>>(first + 2)?.map(SubjectId),
        position: Position(from_sql(row.try_get(first + 3)?)?),
        recorded_at: DateTime::from_timestamp_micros(row.try_get(first + 4)?)
            .ok_or_else(|| LogError::Corrupt("a receipt's time".to_owned()))?,
    })
}

pub(super) fn stream_id(name: &str) -> Result<StreamId, LogError> {
    StreamId::parse(name).map_err(|error| LogError::Corrupt(error.to_string()))
}

/// Bytes of a fixed length from a column.
pub(super) fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], LogError> {
    bytes
        .try_into()
        .map_err(|_| LogError::Corrupt(format!("{what} of {} bytes", bytes.len())))
}
