//! Positions that named readers keep in the log's file.

use rusqlite::{Connection, OptionalExtension};

use super::{LogError, from_sql, to_sql};
use crate::ids::Position;

pub(in crate::log) fn get(connection: &Connection, name: &str) -> Result<Option<Position>, LogError> {
    let found = connection
        .prepare_cached("SELECT position FROM checkpoints WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    found.map(|position| from_sql(position).map(Position)).transpose()
}

pub(in crate::log) fn set(connection: &Connection, name: &str, position: Position) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2)")?
        .execute((name, to_sql(position.0)))?;
    Ok(())
}

pub(in crate::log) fn raise(connection: &Connection, name: &str, position: Position) -> Result<(), LogError> {
    connection
        .prepare_cached(
            "INSERT INTO checkpoints VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET position = MAX(position, excluded.position)",
        )?
        .execute((name, to_sql(position.0)))?;
    Ok(())
}
