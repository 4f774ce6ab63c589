//! What the writer remembers of the database between transactions.
//!
//! It is true as long as nobody else appends: a transaction begins by reading the log's head, and everything
//! is forgotten when that is not where this writer left it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{LogError, from_sql, to_sql};
use crate::ids::{Position, StreamId, Version};

/// Streams remembered at most; about 20 MiB. Beyond it everything is forgotten, which costs a look-up each.
const STREAMS_MAX: usize = 100_000;

/// A stream's row, and where the stream stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) row: i64,
    pub(super) version: Version,
    pub(super) position: Position,
}

/// The head of the log and of streams, as the running transaction sees them.
#[derive(Debug, Default)]
pub(super) struct Heads {
    pub(super) position: Position,
    /// When the last record was recorded, in microseconds.
    pub(super) recorded_at: i64,
    streams: HashMap<StreamId, Head>,
    types: HashMap<String, i64>,
}

impl Heads {
    /// Reads the log's head, at the start of a transaction.
    pub(super) fn refresh(&mut self, connection: &Connection) -> Result<(), LogError> {
        let (position, recorded_at) = connection
            .prepare_cached("SELECT position, recorded_at FROM log_head")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let position = Position(from_sql(position)?);
        if position != self.position || self.streams.len() > STREAMS_MAX {
            self.forget();
        }
        self.position = position;
        self.recorded_at = recorded_at;
        Ok(())
    }

    /// Forgets everything, because a transaction came to nothing.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Where a stream stands; `None` if it has no records.
    pub(super) fn stream(
        &mut self,
        connection: &Connection,
        stream: &StreamId,
    ) -> Result<Option<Head>, LogError> {
        if let Some(head) = self.streams.get(stream) {
            return Ok(Some(*head));
        }
        let found = connection
            .prepare_cached("SELECT no, version, position FROM streams WHERE name = ?1")?
            .query_row([stream.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((row, version, position)) = found else {
            return Ok(None);
        };
        let head = Head {
            row,
            version: Version(from_sql(version)?),
            position: Position(from_sql(position)?),
        };
        self.streams.insert(stream.clone(), head);
        Ok(Some(head))
    }

    /// Makes the row of a new stream.
    pub(super) fn add_stream(
        &mut self,
        connection: &Connection,
        stream: &StreamId,
    ) -> Result<Head, LogError> {
        connection
            .prepare_cached("INSERT INTO streams (name, version, position) VALUES (?1, 0, 0)")?
            .execute([stream.as_str()])?;
        Ok(Head {
            row: connection.last_insert_rowid(),
            version: Version::NONE,
            position: Position::START,
        })
    }

    /// Stores where a stream stands now.
    pub(super) fn move_stream(
        &mut self,
        connection: &Connection,
        stream: &StreamId,
        head: Head,
    ) -> Result<(), LogError> {
        connection
            .prepare_cached("UPDATE streams SET version = ?2, position = ?3 WHERE no = ?1")?
            .execute((head.row, to_sql(head.version.0), to_sql(head.position.0)))?;
        self.streams.insert(stream.clone(), head);
        Ok(())
    }

    /// The number of an event type, made if it is new.
    pub(super) fn type_number(&mut self, connection: &Connection, name: &str) -> Result<i64, LogError> {
        if let Some(number) = self.types.get(name) {
            return Ok(*number);
        }
        connection
            .prepare_cached("INSERT OR IGNORE INTO event_types (name) VALUES (?1)")?
            .execute([name])?;
        let number = connection
            .prepare_cached("SELECT no FROM event_types WHERE name = ?1")?
            .query_row([name], |row| row.get(0))?;
        self.types.insert(name.to_owned(), number);
        Ok(number)
    }

    /// Stores the log's head, at the end of a transaction.
    pub(super) fn store(&self, connection: &Connection) -> Result<(), LogError> {
        connection
            .prepare_cached("UPDATE log_head SET position = ?1, recorded_at = ?2")?
            .execute((to_sql(self.position.0), self.recorded_at))?;
        Ok(())
    }
}
