//! The rows of the tree, and of the checkpoints signed over it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::{Client, GenericClient};
use tokio_postgres::Row;

use super::{from_sql, limit_sql, reader, to_sql};
use crate::ids::{CorrelationId, Position};
use crate::log::LogError;
use crate::log::tree::{
    Growth, Run, Stand, StoreCheckpointError, StoredCheckpoint, edge_of, hashes_of, judge, judged_by,
};
use crate::merkle::{Frontier, Hash, TileId};
use crate::notes::SignedCheckpoint;

const CHECKPOINT: &str = "SELECT size, root, note, signed_at FROM segue.signed_checkpoints";
const EDGE: &str = "SELECT size, edge FROM segue.merkle_frontier";

pub(super) async fn edge(client: &impl GenericClient) -> Result<Frontier, LogError> {
    let statement = client.prepare_cached(EDGE).await?;
    edge_in(client.query_opt(&statement, &[]).await?)
}

fn edge_in(row: Option<Row>) -> Result<Frontier, LogError> {
    let row = row.ok_or_else(|| LogError::Corrupt("the right edge of the tree is lost".to_owned()))?;
    edge_of(from_sql(row.try_get(0)?)?, row.try_get(1)?)
}

/// The edge is read first: whatever tile it says to be full is there.
pub(super) async fn stand(client: &impl GenericClient, wanted: &BTreeSet<TileId>) -> Result<Stand, LogError> {
    let edge = edge(client).await?;
    stand_at(client, edge, wanted).await
}

async fn stand_at(
    client: &impl GenericClient,
    edge: Frontier,
    wanted: &BTreeSet<TileId>,
) -> Result<Stand, LogError> {
    let full: Vec<TileId> = Stand::full(&edge, wanted).collect();
    let levels: Vec<i32> = full.iter().map(|id| i32::from(id.level)).collect();
    let numbers: Vec<i64> = full.iter().map(|id| to_sql(id.n)).collect();
    let sql = "SELECT t.level, t.n, t.hashes FROM segue.merkle_tiles t
               JOIN UNNEST($1::integer[], $2::bigint[]) AS asked (level, n) USING (level, n)";
    let statement = client.prepare_cached(sql).await?;
    let mut tiles = HashMap::new();
    for row in client.query(&statement, &[&levels, &numbers]).await? {
        let level: i32 = row.try_get(0)?;
        let level = u8::try_from(level).map_err(|_| LogError::Corrupt(format!("a tile of level {level}")))?;
        let n = from_sql(row.try_get(1)?)?;
        let id = TileId { level, n };
        tiles.insert(id, hashes_of(id, row.try_get(2)?)?);
    }
    if let Some(lost) = full.into_iter().find(|id| !tiles.contains_key(id)) {
        hashes_of(lost, &[])?;
    }
    Ok(Stand::new(edge, wanted, tiles))
}

/// Writes a step in a transaction of its own, unless the tree is not where the step began: whoever comes second waits for the
/// first one's row and finds it moved.
pub(super) async fn grow(client: &mut Client, growth: &Growth) -> Result<bool, LogError> {
    let transaction = client.transaction().await?;
    // Durable with the next commit that waits for the disk: a step that is lost as a whole is done again.
    transaction
        .batch_execute("SET LOCAL synchronous_commit = off")
        .await?;
    let edge = &growth.edge;
    let sql = "UPDATE segue.merkle_frontier SET size = $1, edge = $2 WHERE size = $3";
    let statement = transaction.prepare_cached(sql).await?;
    let (size, bytes, from) = (to_sql(edge.size()), edge.encode(), to_sql(growth.from));
    if transaction.execute(&statement, &[&size, &bytes, &from]).await? == 0 {
        return Ok(false);
    }
    insert_tiles(&transaction, growth).await?;
    insert_correlations(&transaction, growth).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn insert_tiles(client: &impl GenericClient, growth: &Growth) -> Result<(), LogError> {
    let tiles = || growth.tiles.iter();
    let levels: Vec<i32> = tiles().map(|tile| i32::from(tile.id.level)).collect();
    let numbers: Vec<i64> = tiles().map(|tile| to_sql(tile.id.n)).collect();
    let hashes: Vec<Vec<u8>> = tiles().map(|tile| Hash::write_all(&tile.hashes)).collect();
    let sql = "INSERT INTO segue.merkle_tiles SELECT * FROM UNNEST($1::integer[], $2::bigint[], $3::bytea[])";
    let statement = client.prepare_cached(sql).await?;
    client.execute(&statement, &[&levels, &numbers, &hashes]).await?;
    Ok(())
}

async fn insert_correlations(client: &impl GenericClient, growth: &Growth) -> Result<(), LogError> {
    let runs = || growth.runs.iter();
    let correlations: Vec<uuid::Uuid> = runs().map(|run| run.correlation.0).collect();
    let lasts: Vec<i64> = runs().map(|run| to_sql(run.last.0)).collect();
    let firsts: Vec<Option<i64>> = runs()
        .map(|run| run.kept_first().map(|first| to_sql(first.0)))
        .collect();
    let sql = "INSERT INTO segue.correlations (correlation, position, first)
               SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING";
    let statement = client.prepare_cached(sql).await?;
    client
        .execute(&statement, &[&correlations, &lasts, &firsts])
        .await?;
    Ok(())
}

pub(super) async fn correlated(
    client: &Client,
    correlation: CorrelationId,
    after: Position,
    limit: usize,
) -> Result<Vec<Position>, LogError> {
    let sql = "SELECT coalesce(first, position), position FROM segue.correlations
               WHERE correlation = $1 AND position > $2 ORDER BY position LIMIT $3";
    let statement = client.prepare_cached(sql).await?;
    let rows = client
        .query(&statement, &[&correlation.0, &to_sql(after.0), &limit_sql(limit)])
        .await?;
    let mut found = Vec::new();
    for row in &rows {
        let run = Run::from_row(
            correlation,
            from_sql(row.try_get(0)?)?,
            from_sql(row.try_get(1)?)?,
        )?;
        found.extend(run.above(after).take(limit - found.len()));
    }
    Ok(found)
}

pub(super) async fn checkpoints_after(
    client: &Client,
    size: u64,
    limit: usize,
) -> Result<Vec<StoredCheckpoint>, LogError> {
    let sql = format!("{CHECKPOINT} WHERE size > $1 ORDER BY size LIMIT $2");
    let statement = client.prepare_cached(&sql).await?;
    let rows = client
        .query(&statement, &[&to_sql(size), &limit_sql(limit)])
        .await?;
    rows.iter().map(checkpoint_of).collect()
}

pub(super) async fn latest_checkpoint(
    client: &impl GenericClient,
) -> Result<Option<StoredCheckpoint>, LogError> {
    let sql = format!("{CHECKPOINT} ORDER BY size DESC LIMIT 1");
    let statement = client.prepare_cached(&sql).await?;
    let found = client.query_opt(&statement, &[]).await?;
    found.as_ref().map(checkpoint_of).transpose()
}

fn checkpoint_of(row: &Row) -> Result<StoredCheckpoint, LogError> {
    Ok(StoredCheckpoint {
        size: from_sql(row.try_get(0)?)?,
        root: Hash(reader::fixed(row.try_get(1)?, "a root")?),
        note: row.try_get(2)?,
        signed_at: DateTime::from_timestamp_micros(row.try_get(3)?)
            .ok_or_else(|| LogError::Corrupt("a checkpoint's time".to_owned()))?,
    })
}

/// Stores a checkpoint in a transaction of its own, if it is right. The edge's row is held, so that neither the tree nor the
/// latest checkpoint moves meanwhile.
pub(super) async fn store_checkpoint(
    client: &mut Client,
    checkpoint: &SignedCheckpoint,
    signed_at: DateTime<Utc>,
) -> Result<Result<(), StoreCheckpointError>, LogError> {
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(&format!("{EDGE} FOR UPDATE")).await?;
    let edge = edge_in(transaction.query_opt(&statement, &[]).await?)?;
    let latest = latest_checkpoint(&transaction).await?;
    let stand = stand_at(&transaction, edge, &judged_by(checkpoint, latest.as_ref())).await?;
    match judge(checkpoint, latest.as_ref(), &stand) {
        Ok(true) => {}
        Ok(false) => return Ok(Ok(())),
        Err(refused) => return Ok(Err(refused)),
    }
    let said = checkpoint.checkpoint();
    let sql = "INSERT INTO segue.signed_checkpoints VALUES ($1, $2, $3, $4)
               ON CONFLICT (size) DO UPDATE SET note = EXCLUDED.note, signed_at = EXCLUDED.signed_at";
    let (size, root, note) = (to_sql(said.size()), said.root(), checkpoint.to_string());
    transaction
        .execute(sql, &[&size, &&root[..], &note, &signed_at.timestamp_micros()])
        .await?;
    transaction.commit().await?;
    Ok(Ok(()))
}
