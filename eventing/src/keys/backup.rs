//! Copying the file of keys, and keeping the forgotten forgotten.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::file::{self, FILE, FileStore};
use super::{KeyError, MasterKey};
use crate::append::StorageFault;
use crate::log::backup::{BackupError, Stop, last_signed, vacuum_into};
use crate::notes::VerifierKey;

/// Copies `keys.db` of the folder `dir` to the file `to`, which must not exist: the keys stay wrapped. `log` is the copy of the
/// log that was made before: a checkpoint that was given out since is not remembered in the copy, which never held what it
/// covers. Blocks.
///
/// # Errors
/// [`BackupError`]; then `to` may hold a part.
pub fn copy_keys(dir: &Path, log: &Path, to: &Path, stop: &Stop) -> Result<(), BackupError> {
    let connection = file::open_tables(&dir.join(FILE))?;
    vacuum_into(&connection, to, FILE, stop)?;
    drop(connection);
    let last = last_signed(log)?;
    let copy = file::open_tables(to)?;
    remember_at_most(&copy, last).map_err(fault)?;
    // One file: what copies it further must not need to know of another.
    let alone = copy.pragma_update(None, "journal_mode", "DELETE");
    alone.map_err(fault)
}

fn remember_at_most(copy: &Connection, last: Option<(i64, String)>) -> rusqlite::Result<()> {
    let (size, note) = last.unwrap_or_default();
    let sql = match size {
        0 => "DELETE FROM published_checkpoint WHERE size > ?1 AND ?2 IS NOT NULL",
        _ => "UPDATE published_checkpoint SET size = ?1, note = ?2 WHERE size > ?1",
    };
    copy.execute(sql, (size, note)).map(drop)
}

/// What the keys of one folder know and those of a backup may not: it is added to the backup's. Needs no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// People whose keys were destroyed since, and are now in both.
    pub forgotten: u64,
}

/// Destroys in the keys of the folder `into` every key that was destroyed in those of `from`, and remembers that, and which audit
/// keys were retired there. With `published`, also remembers the checkpoint that was given out of `from`, if it is the
/// larger one. Blocks.
///
/// # Errors
/// [`BackupError`]; then nothing is changed.
pub fn keep_known(from: &Path, into: &Path, published: bool) -> Result<Kept, BackupError> {
    let known = file::open_tables(&from.join(FILE))?;
    let mut kept = file::open_tables(&into.join(FILE))?;
    let destroyed = destroyed_in(&known).map_err(fault)?;
    let retired = file::retired_in(&known).map_err(fault)?;
    let checkpoint = published_in(&known).map_err(fault)?.filter(|_| published);
    let forgotten = add(&mut kept, &destroyed, &retired, checkpoint).map_err(fault)?;
    Ok(Kept { forgotten })
}

/// Remembers in the keys of the folder `dir` that the log must not be signed with these keys any more. Blocks.
///
/// # Errors
/// [`BackupError`]; then nothing is changed.
pub fn retire_audit_keys(dir: &Path, keys: &[VerifierKey]) -> Result<(), BackupError> {
    let mut kept = file::open_tables(&dir.join(FILE))?;
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    add(&mut kept, &[], &keys, None).map(drop).map_err(fault)
}

/// The size of the largest checkpoint that the keys in the folder `dir` know to be given out. Blocks.
///
/// # Errors
/// [`BackupError`].
pub fn published_size(dir: &Path) -> Result<Option<u64>, BackupError> {
    let known = file::open_tables(&dir.join(FILE))?;
    let published = published_in(&known).map_err(fault)?;
    Ok(published.map(|(size, _)| size.unsigned_abs()))
}

fn fault(error: rusqlite::Error) -> BackupError {
    BackupError::File(FILE, StorageFault::new(error))
}

fn published_in(connection: &Connection) -> rusqlite::Result<Option<(i64, String)>> {
    let sql = "SELECT size, note FROM published_checkpoint";
    connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

type Row = (Vec<u8>, i64);

fn destroyed_in(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare("SELECT subject, destroyed_at FROM destroyed ORDER BY no")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn add(
    connection: &mut Connection,
    destroyed: &[Row],
    retired: &[String],
    checkpoint: Option<(i64, String)>,
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction()?;
    let mut added = 0;
    for (subject, at) in destroyed {
        transaction.execute("DELETE FROM subject_keys WHERE subject = ?1", [subject])?;
        let sql = "INSERT OR IGNORE INTO destroyed (subject, destroyed_at) VALUES (?1, ?2)";
        added += transaction.execute(sql, (subject, at))? as u64;
    }
    for key in retired {
        transaction.execute(file::RETIRE, [key])?;
    }
    if let Some(checkpoint) = checkpoint {
        let sql = "INSERT INTO published_checkpoint VALUES (1, ?1, ?2) ON CONFLICT (only_row)
                   DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size > size";
        transaction.execute(sql, checkpoint)?;
    }
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(added)
}

/// Opens copied keys once, to see that `master` is the key they are wrapped under. Blocks.
///
/// # Errors
/// [`KeyError::WrongMasterKey`], or the file's faults.
pub fn open_copied(dir: &Path, master: &MasterKey) -> Result<(), KeyError> {
    FileStore::open(dir, master).map(drop)
}
