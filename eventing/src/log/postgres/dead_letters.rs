//! The rows of dead letters.

use chrono::DateTime;
use tokio_postgres::{Client, Row};

use super::{from_sql, limit_sql, reader, to_sql};
use crate::ids::{Position, StreamId, Version};
use crate::log::{DeadLetterKey, DeadLetterRow, LogError};

const COLUMNS: &str = "consumer, stream, version, position, reason, attempts, last_error, first_at, state";

pub(super) async fn put(client: &Client, row: &DeadLetterRow) -> Result<(), LogError> {
    let sql = format!(
        "INSERT INTO segue.dead_letters ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (consumer, stream, version) DO UPDATE SET position = EXCLUDED.position, reason = EXCLUDED.reason,
         attempts = EXCLUDED.attempts, last_error = EXCLUDED.last_error, first_at = EXCLUDED.first_at, state = EXCLUDED.state
         WHERE dead_letters.state <> 'skipped'"
    );
    client
        .execute(
            &sql,
            &[
                &row.key.consumer,
                &row.key.stream.as_str(),
                &to_sql(row.key.version.0),
                &to_sql(row.position.0),
                &row.reason,
                &i64::from(row.attempts),
                &row.last_error,
                &row.first_at.timestamp_micros(),
                &row.state.as_str(),
            ],
        )
        .await?;
    Ok(())
}

pub(super) async fn get(client: &Client, key: &DeadLetterKey) -> Result<Option<DeadLetterRow>, LogError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segue.dead_letters WHERE consumer = $1 AND stream = $2 AND version = $3"
    );
    let values: (&str, &str, i64) = (&key.consumer, key.stream.as_str(), to_sql(key.version.0));
    let found = client.query_opt(&sql, &[&values.0, &values.1, &values.2]).await?;
    found.map(|row| row_of(&row)).transpose()
}

pub(super) async fn list(
    client: &Client,
    consumer: Option<&str>,
    limit: usize,
) -> Result<Vec<DeadLetterRow>, LogError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM segue.dead_letters WHERE $1::text IS NULL OR consumer = $1
         ORDER BY consumer COLLATE \"C\", stream COLLATE \"C\", version LIMIT $2"
    );
    let rows = client.query(&sql, &[&consumer, &limit_sql(limit)]).await?;
    rows.iter().map(row_of).collect()
}

pub(super) async fn streams(client: &Client, after: &str, limit: usize) -> Result<Vec<StreamId>, LogError> {
    let sql = "SELECT DISTINCT stream COLLATE \"C\" FROM segue.dead_letters WHERE stream COLLATE \"C\" > $1
               ORDER BY 1 LIMIT $2";
    let rows = client.query(sql, &[&after, &limit_sql(limit)]).await?;
    let stream =
        |row: &Row| StreamId::parse(row.try_get(0)?).map_err(|error| LogError::Corrupt(error.to_string()));
    rows.iter().map(stream).collect()
}

pub(super) async fn delete(client: &Client, key: &DeadLetterKey) -> Result<bool, LogError> {
    let sql = "DELETE FROM segue.dead_letters WHERE consumer = $1 AND stream = $2 AND version = $3
         AND state <> 'skipped'";
    let version = to_sql(key.version.0);
    let deleted = client
        .execute(sql, &[&key.consumer, &key.stream.as_str(), &version])
        .await?;
    Ok(deleted > 0)
}

fn row_of(row: &Row) -> Result<DeadLetterRow, LogError> {
    let attempts: i64 = row.try_get(5)?;
    let state: &str = row.try_get(8)?;
    Ok(DeadLetterRow {
        key: DeadLetterKey {
            consumer: row.try_get(0)?,
            stream: reader::stream_id(row.try_get(1)?)?,
            version: Version(from_sql(row.try_get(2)?)?),
        },
        position: Position(from_sql(row.try_get(3)?)?),
        reason: row.try_get(4)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        last_error: row.try_get(6)?,
        first_at: DateTime::from_timestamp_micros(row.try_get(7)?)
            .ok_or_else(|| LogError::Corrupt("a dead letter's time".to_owned()))?,
        state: state.parse().map_err(LogError::Corrupt)?,
    })
}
