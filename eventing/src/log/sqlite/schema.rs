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
/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements kept prepared by a connection; more than there are in this package.
const STATEMENTS_MAX: usize = 64;
/// After so many pages in the WAL a commit moves them into the database: 16 MiB, so that few commits pay for it.
const CHECKPOINT_PAGES: i64 = 4_096;
/// The WAL is cut down to this after a checkpoint.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// The steps to the log's tables. One that was released never changes.
const LOG_STEPS: &[&str] = &[LOG_TABLES, TREE_TABLES, FORGETTING, RUNS];

/// The log itself. An event's columns beside its record are there to find it.
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

/// What is made from the log beside the appends: its Merkle tree, and which records belong to one request. Both go as far as
/// the size in `merkle_frontier` says. A tile here is full; those that are not are in the frontier's edge.
const TREE_TABLES: &str = "
CREATE TABLE merkle_tiles (level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, n));
CREATE TABLE merkle_frontier (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), size INTEGER NOT NULL, edge BLOB NOT NULL);
INSERT INTO merkle_frontier VALUES (1, 0, x'0000000000000000');
CREATE TABLE signed_checkpoints (size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, signed_at INTEGER NOT NULL);
CREATE TABLE correlations (correlation BLOB NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (correlation, position)) WITHOUT ROWID;
";

/// What is looked up when a person is forgotten.
const FORGETTING: &str = "
CREATE INDEX receipts_by_subject ON receipts (subject) WHERE subject IS NOT NULL;
CREATE INDEX claims_by_stream ON claims (stream);
";

/// A row of `correlations` stands for all records from `first` to `position`; where `first` is nothing, for the one at `position`.
const RUNS: &str = "ALTER TABLE correlations ADD COLUMN first INTEGER;";

/// The tables of a file: how to tell them from others, and how to make them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// `PRAGMA application_id`.
    pub(crate) application: i64,
    /// The steps to the tables. `PRAGMA user_version` says how many of them a file has taken.
    pub(crate) steps: &'static [&'static str],
}

impl Shape {
    fn version(self) -> i64 {
        self.steps.len() as i64
    }
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

/// The log's file.
const LOG: Shape = Shape {
    application: LOG_APPLICATION,
    steps: LOG_STEPS,
};

/// Opens the log for writing, makes its tables in an empty file, and those that are missing in an older one.
pub(super) fn open_log(path: &Path, pages_max: Option<u32>) -> Result<Connection, OpenError> {
    let connection = open_shaped(path, LOG)?;
    // What is deleted about a person must not stay behind in the file.
    let tuned = connection
        .pragma_update(None, "secure_delete", true)
        .and_then(|()| tune(&connection, pages_max));
    tuned.map_err(|error| unavailable(path, &error))?;
    Ok(connection)
}

fn tune(connection: &Connection, pages_max: Option<u32>) -> rusqlite::Result<()> {
    connection
        .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .and_then(|()| connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT))
        .and_then(|()| {
            pages_max.map_or(Ok(()), |pages| {
                connection.pragma_update(None, "max_page_count", pages)
            })
        })
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

/// Opens a log that must exist, beside whoever writes it.
pub(in crate::log) fn open_existing(path: &Path) -> Result<Connection, OpenError> {
    let connection = connect(path).map_err(|error| unavailable(path, &error))?;
    refuse_other_logs(&connection, path)?;
    Ok(connection)
}

/// Whether a log has its tree: one that no newer program has opened yet has not.
pub(in crate::log) fn has_tree(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(marks(connection)?.1 >= 2)
}

/// Refuses what is no log of ours, or a newer program's.
pub(in crate::log) fn refuse_other_logs(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match marks(connection) {
        Ok((0, _)) => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
        _ => refuse_others(connection, path, LOG),
    }
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

/// Takes the steps that a file has not taken yet, all or none. Two processes may open it at the same time: the second one
/// finds the tables made.
fn make_tables(connection: &mut Connection, shape: Shape) -> rusqlite::Result<()> {
    if marks(connection)? == (shape.application, shape.version()) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (_, taken) = marks(&transaction)?;
    let taken = usize::try_from(taken).unwrap_or_default();
    // One that is newer has no step left, and is refused afterwards.
    for step in shape.steps.iter().skip(taken) {
        transaction.execute_batch(step)?;
    }
    if taken < shape.steps.len() {
        transaction.pragma_update(None, "application_id", shape.application)?;
        transaction.pragma_update(None, "user_version", shape.version())?;
    }
    transaction.commit()
}

fn refuse_others(connection: &Connection, path: &Path, shape: Shape) -> Result<(), OpenError> {
    let is_ours = |(application, version)| match (application, version) {
        (0, 0) => Ok(()),
        (application, _) if application != shape.application => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
        (_, found) if found > shape.version() => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: shape.version(),
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
            .pragma_update(None, "user_version", LOG.version() + 1)
            .expect("a newer shape");
        drop(connection);
        let refused = open_log(&path, None).expect_err("it is newer");
        assert!(matches!(refused, OpenError::Newer { found, known, .. } if found == known + 1));
        assert!(refused.to_string().contains("newer program"), "{refused}");
    }

    /// The tables of shape 1 with one record, as the first released program left them.
    fn a_log_of_shape_1(path: &Path) {
        let file = Connection::open(path).expect("a file");
        file.pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| file.execute_batch(LOG_TABLES))
            .and_then(|()| file.pragma_update(None, "application_id", LOG_APPLICATION))
            .and_then(|()| file.pragma_update(None, "user_version", 1))
            .and_then(|()| file.execute_batch("INSERT INTO checkpoints VALUES ('relay', 7)"))
            .expect("a log of shape 1");
    }

    #[test]
    fn a_file_of_the_first_shape_gets_what_it_lacks_and_keeps_what_it_has() {
        let dir = TempDir::new();
        let path = prepare(dir.path(), "log.db").expect("a file");
        a_log_of_shape_1(&path);
        for _ in 0..2 {
            let connection = open_log(&path, None).expect("a log");
            let kept: i64 = connection
                .query_row("SELECT position FROM checkpoints", [], |row| row.get(0))
                .expect("what was there");
            let size: i64 = connection
                .query_row("SELECT size FROM merkle_frontier", [], |row| row.get(0))
                .expect("a tree without leaves");
            assert_eq!((kept, size), (7, 0));
            assert_eq!(
                marks(&connection).expect("marks"),
                (LOG_APPLICATION, LOG.version())
            );
        }
    }

    #[test]
    fn a_row_of_one_record_of_an_older_shape_stays_one() {
        let dir = TempDir::new();
        let path = prepare(dir.path(), "log.db").expect("a file");
        a_log_of_shape_1(&path);
        let older = Shape {
            steps: &[LOG_TABLES, TREE_TABLES, FORGETTING],
            ..LOG
        };
        let file = open_shaped(&path, older).expect("a log of shape 3");
        let chain = crate::ids::CorrelationId::new();
        file.execute(
            "INSERT INTO correlations VALUES (?1, 7)",
            [&chain.0.as_bytes()[..]],
        )
        .expect("a row");
        drop(file);
        let connection = open_log(&path, None).expect("a log");
        let found = super::super::tree::correlated(&connection, chain, crate::ids::Position::START, 9);
        assert_eq!(found.expect("a read"), [crate::ids::Position(7)]);
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let dir = TempDir::new();
        let path = prepare(dir.path(), "log.db").expect("a file");
        a_log_of_shape_1(&path);
        let broken = Shape {
            steps: &[LOG_TABLES, "CREATE TABLE one (a); CREATE TABLE one (a);"],
            ..LOG
        };
        assert!(open_shaped(&path, broken).is_err());
        let file = Connection::open(&path).expect("the file");
        assert_eq!(marks(&file).expect("marks"), (LOG_APPLICATION, 1));
        assert!(!file.table_exists(None, "one").expect("an answer"));
        drop(file);
        open_log(&path, None).expect("a sound program goes on");
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
