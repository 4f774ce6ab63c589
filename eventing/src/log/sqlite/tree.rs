//! The rows of the tree, and of the checkpoints signed over it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{LogError, fixed, from_sql, limit_sql, to_sql};
use crate::ids::{CorrelationId, Position};
use crate::log::tree::{
    Growth, Run, Stand, StoreCheckpointError, StoredCheckpoint, edge_of, hashes_of, judge, judged_by,
};
use crate::merkle::{Frontier, Hash, TileId};
use crate::notes::SignedCheckpoint;

const CHECKPOINT: &str = "SELECT size, root, note, signed_at FROM signed_checkpoints";

pub(in crate::log) fn edge(connection: &Connection) -> Result<Frontier, LogError> {
    let (size, edge): (i64, Vec<u8>) = connection
        .prepare_cached("SELECT size, edge FROM merkle_frontier")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    edge_of(from_sql(size)?, &edge)
}

/// The edge is read first: whatever tile it says to be full is there.
pub(in crate::log) fn stand(connection: &Connection, wanted: &BTreeSet<TileId>) -> Result<Stand, LogError> {
    let edge = edge(connection)?;
    let mut tiles = HashMap::new();
    let mut statement =
        connection.prepare_cached("SELECT hashes FROM merkle_tiles WHERE level = ?1 AND n = ?2")?;
    for id in Stand::full(&edge, wanted) {
        let hashes: Option<Vec<u8>> = statement
            .query_row((id.level, to_sql(id.n)), |row| row.get(0))
            .optional()?;
        tiles.insert(id, hashes_of(id, &hashes.unwrap_or_default())?);
    }
    Ok(Stand::new(edge, wanted, tiles))
}

/// Writes a step in the running transaction, unless the tree is not where the step began.
pub(in crate::log) fn grow(connection: &Connection, growth: &Growth) -> Result<bool, LogError> {
    let edge = &growth.edge;
    let moved = connection
        .prepare_cached("UPDATE merkle_frontier SET size = ?1, edge = ?2 WHERE size = ?3")?
        .execute((to_sql(edge.size()), edge.encode(), to_sql(growth.from)))?;
    if moved == 0 {
        return Ok(false);
    }
    let mut insert_tile = connection.prepare_cached("INSERT INTO merkle_tiles VALUES (?1, ?2, ?3)")?;
    for tile in &growth.tiles {
        let hashes = Hash::write_all(&tile.hashes);
        insert_tile.execute((tile.id.level, to_sql(tile.id.n), hashes))?;
    }
    let sql = "INSERT OR IGNORE INTO correlations (correlation, position, first) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(sql)?;
    for run in &growth.runs {
        let first = run.kept_first().map(|first| to_sql(first.0));
        insert.execute((&run.correlation.0.as_bytes()[..], to_sql(run.last.0), first))?;
    }
    Ok(true)
}

pub(in crate::log) fn correlated(
    connection: &Connection,
    correlation: CorrelationId,
    after: Position,
    limit: usize,
) -> Result<Vec<Position>, LogError> {
    let sql = "SELECT coalesce(first, position), position FROM correlations
               WHERE correlation = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let key = &correlation.0.as_bytes()[..];
    let mut rows = statement.query((key, to_sql(after.0), limit_sql(limit)))?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let run = Run::from_row(correlation, from_sql(row.get(0)?)?, from_sql(row.get(1)?)?)?;
        found.extend(run.above(after).take(limit - found.len()));
    }
    Ok(found)
}

pub(in crate::log) fn checkpoints_after(
    connection: &Connection,
    size: u64,
    limit: usize,
) -> Result<Vec<StoredCheckpoint>, LogError> {
    let sql = format!("{CHECKPOINT} WHERE size > ?1 ORDER BY size LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((to_sql(size), limit_sql(limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(checkpoint_of(row)?);
    }
    Ok(found)
}

pub(in crate::log) fn latest_checkpoint(
    connection: &Connection,
) -> Result<Option<StoredCheckpoint>, LogError> {
    let mut statement = connection.prepare_cached(&format!("{CHECKPOINT} ORDER BY size DESC LIMIT 1"))?;
    let mut rows = statement.query([])?;
    rows.next()?.map(checkpoint_of).transpose()
}

fn checkpoint_of(row: &Row<'_>) -> Result<StoredCheckpoint, LogError> {
    Ok(StoredCheckpoint {
        size: from_sql(row.get(0)?)?,
        root: Hash(fixed(&row.get::<_, Vec<u8>>(1)?, "a root")?),
        note: row.get(2)?,
        signed_at: DateTime::from_timestamp_micros(row.get(3)?)
            .ok_or_else(|| LogError::Corrupt("a checkpoint's time".to_owned()))?,
    })
}

/// Stores a checkpoint in the running transaction, if it is right. The outer error is the database's.
pub(in crate::log) fn store_checkpoint(
    connection: &Connection,
    checkpoint: &SignedCheckpoint,
    signed_at: DateTime<Utc>,
) -> Result<Result<(), StoreCheckpointError>, LogError> {
    let latest = latest_checkpoint(connection)?;
    let stand = stand(connection, &judged_by(checkpoint, latest.as_ref()))?;
    match judge(checkpoint, latest.as_ref(), &stand) {
        Ok(true) => {}
        Ok(false) => return Ok(Ok(())),
        Err(refused) => return Ok(Err(refused)),
    }
    let said = checkpoint.checkpoint();
    let sql = "INSERT INTO signed_checkpoints VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (size) DO UPDATE SET note = excluded.note, signed_at = excluded.signed_at";
    connection.prepare_cached(sql)?.execute((
        to_sql(said.size()),
        &said.root()[..],
        checkpoint.to_string(),
        signed_at.timestamp_micros(),
    ))?;
    Ok(Ok(()))
}
