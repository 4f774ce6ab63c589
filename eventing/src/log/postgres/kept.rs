//! Rows as they are. PostgreSQL keeps the types of columns, so only their values are looked at.

use bytes::Bytes;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{ANSWER_LIMIT, BLOB_LIMIT, LogError, PostgresLog, from_sql, limit_sql, to_sql, within};
use crate::ids::{CorrelationId, EventId, Position, StreamId, Version};
use crate::log::kept::{KeptHead, KeptStream};
use crate::log::tree::Run;
use crate::merkle::Hash;
use crate::verify::{Columns, Kept};

impl PostgresLog {
    pub(in crate::log) async fn kept_after(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Kept>, LogError> {
        let sql =
            "SELECT e.position, s.name, e.version, e.type, e.id, e.leaf_hash, e.record FROM segue.events e
                   LEFT JOIN segue.streams s ON s.no = e.stream
                   WHERE e.position > $1 ORDER BY e.position LIMIT $2";
        within(ANSWER_LIMIT, async {
            let client = self.client().await?;
            let statement = client.prepare_cached(sql).await?;
            let rows = client
                .query(&statement, &[&to_sql(after.0), &limit_sql(limit)])
                .await?;
            rows.iter().map(of).collect()
        })
        .await
    }

    pub(in crate::log) async fn kept_head(&self) -> Result<KeptHead, LogError> {
        // Counting takes as long as there are rows.
        within(BLOB_LIMIT, async {
            let sql = "SELECT position, recorded_at, (SELECT max(position) FROM segue.events),
                              (SELECT count(*) FROM segue.events WHERE position <= h.position) FROM segue.log_head h";
            let row = self.client().await?.query_opt(sql, &[]).await?;
            let row = row.ok_or_else(|| LogError::Corrupt("its head is lost".to_owned()))?;
            let last: Option<i64> = row.try_get(2)?;
            Ok(KeptHead {
                position: Position(from_sql(row.try_get(0)?)?),
                recorded_at: row.try_get(1)?,
                last_row: Position(u64::try_from(last.unwrap_or(0)).unwrap_or(0)),
                rows: from_sql(row.try_get(3)?)?,
            })
        })
        .await
    }

    pub(in crate::log) async fn kept_streams(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<KeptStream>, LogError> {
        let sql = "SELECT name, version, position FROM segue.streams
                   WHERE name COLLATE \"C\" > $1 ORDER BY name COLLATE \"C\" LIMIT $2";
        within(BLOB_LIMIT, async {
            let client = self.client().await?;
            let statement = client.prepare_cached(sql).await?;
            let rows = client.query(&statement, &[&after, &limit_sql(limit)]).await?;
            rows.iter()
                .map(|row| Ok(KeptStream::new(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
                .collect()
        })
        .await
    }

    pub(in crate::log) async fn kept_correlations(
        &self,
        after: Option<(CorrelationId, Position)>,
        limit: usize,
    ) -> Result<Vec<Run>, LogError> {
        // Nothing stands before the nil id and a number that no position is.
        let (correlation, position) = after.map_or((Uuid::nil(), -1), |(correlation, position)| {
            (correlation.0, to_sql(position.0))
        });
        let sql = "SELECT correlation, coalesce(first, position), position FROM segue.correlations
                   WHERE (correlation, position) > ($1, $2) ORDER BY correlation, position LIMIT $3";
        within(ANSWER_LIMIT, async {
            let client = self.client().await?;
            let statement = client.prepare_cached(sql).await?;
            let rows = client
                .query(&statement, &[&correlation, &position, &limit_sql(limit)])
                .await?;
            let run = |row: &Row| {
                let (first, last) = (from_sql(row.try_get(1)?)?, from_sql(row.try_get(2)?)?);
                Run::from_row(CorrelationId(row.try_get(0)?), first, last)
            };
            rows.iter().map(run).collect()
        })
        .await
    }
}

fn of(row: &Row) -> Result<Kept, LogError> {
    let number = |column: usize| -> Result<Option<u64>, LogError> {
        Ok(u64::try_from(row.try_get::<_, i64>(column)?).ok())
    };
    let name: Option<&str> = row.try_get(1)?;
    let hash: &[u8] = row.try_get(5)?;
    let record: &[u8] = row.try_get(6)?;
    Ok(Kept {
        record: Bytes::copy_from_slice(record),
        hash: hash.try_into().ok().map(Hash),
        columns: Some(Columns {
            position: number(0)?.map(Position),
            stream: name.and_then(|name| StreamId::parse(name).ok()),
            version: number(2)?.map(Version),
            event_type: Some(row.try_get(3)?),
            id: Some(EventId(row.try_get::<_, Uuid>(4)?)),
        }),
    })
}
