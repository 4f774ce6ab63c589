//! The files and their tables.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::append::StorageFault;
use crate::log::OpenError;

/// Marks a file as a log of ours (`PRAGMA application_id`): "SegL".
const LOG_APPLICATION: i64 = 0x5365_674C;
/// The shape of the log's tables (`PRAGMA user_version`); raised with every change of [`LOG_TABLES`].
const LOG_SHAPE: i64 = 1;
/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements kept prepared by a connection; more than there are in this package.
const STATEMENTS_MAX: usize = 64;
/// After so many pages in the WAL a commit moves them into the database: 16 MiB, so that few commits pay for it.
const CHECKPOINT_PAGES: i64 = 4_096;
/// The WAL is cut down to this after a checkpoint.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// Every table of the log. An event's columns beside its record are there to find it.
const LOG_TABLES: &str = "
CREATE TABLE log_head (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), position INTEGER NOT NULL, recorded_at INTEGER NOT NULL);
INSERT INTO log_head VALUES (1, 0, 0);
CREATE TABLE event_types (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE streams (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, position INTEGER NOT NULL);
CREATE TABLE events (
  position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, version INTEGER NOT NULL, type INTEGER NOT NULL,
  id BLOB NOT NULL, leaf_hash BLOB NOT NULL, record BLOB NOT NULL);
CREATE UNIQUE INDEX events_in_stream ON events (stream, version);
CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_by_type ON events (type);
CREATE TABLE claims (kind TEXT NOT NULL, digest BLOB NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (kind, digest)) WITHOUT ROWID;
CREATE TABLE receipts (
  key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, answer BLOB NOT NULL, subject BLOB,
  position INTEGER NOT NULL, recorded_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blobs (digest BLOB PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blob_chunks (digest BLOB NOT NULL, chunk INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (digest, chunk));
CREATE TABLE checkpoints (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letters (
  consumer TEXT NOT NULL, stream TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
  reason TEXT NOT NULL, attempts INTEGER NOT NULL, last_error TEXT NOT NULL, first_at INTEGER NOT NULL,
  state TEXT NOT NULL, PRIMARY KEY (consumer, stream, version)) WITHOUT ROWID;
";

/// The tables of a file: how to tell them from others, and how to make them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) application: i64,
    pub(crate) version: i64,
    pub(crate) tables: &'static str,
}

/// Makes the folder (mode 0700) and the empty file (mode 0600), where they do not exist. SQLite gives the files
/// beside a database the same mode.
pub(crate) fn prepare(dir: &Path, file: &str) -> Result<PathBuf, OpenError> {
    let path = dir.join(file);
    let unavailable = |cause: std::io::Error| OpenError::Unavailable {
        path: path.clone(),
        cause: StorageFault::new(cause),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(unavailable)?;
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(unavailable)?;
    Ok(path)
}

/// Opens the log for writing, and makes its tables in an empty file.
pub(super) fn open_log(path: &Path, pages_max: Option<u32>) -> Result<Connection, OpenError> {
    let shape = Shape {
        application: LOG_APPLICATION,
        version: LOG_SHAPE,
        tables: LOG_TABLES,
    };
    let connection = open_shaped(path, shape)?;
    let tuned = connection
        .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .and_then(|()| connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT))
        .and_then(|()| {
            pages_max.map_or(Ok(()), |pages| {
                connection.pragma_update(None, "max_page_count", pages)
            })
        });
    tuned.map_err(|error| unavailable(path, &error))?;
    Ok(connection)
}

/// Opens a file of ours for writing: in WAL mode, synchronised at each commit.
pub(crate) fn open_shaped(path: &Path, shape: Shape) -> Result<Connection, OpenError> {
    let mut connection = connect(path).map_err(|error| unavailable(path, &error))?;
    refuse_others(&connection, path, shape)?;
    let made = connection
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| make_tables(&mut connection, shape));
    made.map_err(|error| unavailable(path, &error))?;
    refuse_others(&connection, path, shape)?;
    Ok(connection)
}

/// Opens the log for reading.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // One plan per statement, whatever is bound: otherwise SQLite prepares a range query anew at every call.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Two processes may open an empty file at the same time: the second one finds the tables made.
fn make_tables(connection: &mut Connection, shape: Shape) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (application, _) = marks(&transaction)?;
    if application == 0 {
        transaction.execute_batch(shape.tables)?;
        transaction.pragma_update(None, "application_id", shape.application)?;
        transaction.pragma_update(None, "user_version", shape.version)?;
    }
    transaction.commit()
}

fn refuse_others(connection: &Connection, path: &Path, shape: Shape) -> Result<(), OpenError> {
    let is_ours = |(application, version)| match (application, version) {
        (0, 0) => Ok(()),
        (application, _) if application != shape.application => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
        (_, found) if found > shape.version => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: shape.version,
        }),
        _ => Ok(()),
    };
    match marks(connection) {
        Ok(marks) => is_ours(marks),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign {
                path: path.to_owned(),
            })
        }
        Err(error) => Err(unavailable(path, &error)),
    }
}

fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let mark = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((mark("application_id")?, mark("user_version")?))
}

fn unavailable(path: &Path, error: &rusqlite::Error) -> OpenError {
    OpenError::Unavailable {
        path: path.to_owned(),
        cause: StorageFault::new(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn a_file_of_a_newer_program_is_refused_and_named() {
        let dir = TempDir::new();
        let path = prepare(dir.path(), "log.db").expect("a file");
        let connection = open_log(&path, None).expect("a log");
        connection
            .pragma_update(None, "user_version", LOG_SHAPE + 1)
            .expect("a newer shape");
        drop(connection);
        let refused = open_log(&path, None).expect_err("it is newer");
        assert!(matches!(refused, OpenError::Newer { found, known, .. } if found == known + 1));
        assert!(refused.to_string().contains("newer program"), "{refused}");
    }

    #[test]
    fn a_file_that_is_not_ours_is_refused_unchanged() {
        let dir = TempDir::new();
        let path = dir.path().join("log.db");
        let text = "These are somebody's notes and not a database. ".repeat(40);
        std::fs::write(&path, &text).expect("notes");
        assert!(matches!(open_log(&path, None), Err(OpenError::Foreign { .. })));
        assert_eq!(std::fs::read_to_string(&path).expect("notes"), text);
    }

    #[test]
    fn only_the_owner_may_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new();
        let inner = dir.path().join("data");
        let path = prepare(&inner, "log.db").expect("a file");
        let _connection = open_log(&path, None).expect("a log");
        let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&path)), (0o700, 0o600));
        assert_eq!(mode(&inner.join("log.db-wal")), 0o600);
    }
}
