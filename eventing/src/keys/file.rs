//! The file of wrapped keys, `keys.db`.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::sealing::DataKey;
use super::wrapping::{PEPPER_CONTEXT, Wrapper};
use super::{KeyError, MasterKey};
use crate::append::StorageFault;
use crate::ids::SubjectId;
use crate::log::{Shape, open_shaped, prepare};
use crate::record::now_micros;

pub(super) const FILE: &str = "keys.db";
/// Marks a file as one of subject keys (`PRAGMA application_id`): "SegK".
const APPLICATION: i64 = 0x5365_674B;
/// The shape of the tables (`PRAGMA user_version`).
const SHAPE: i64 = 1;

/// A wrapped value is a nonce and the sealed 32 bytes. `destroyed` only grows; its number tells what is new.
const TABLES: &str = "
CREATE TABLE deployment (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), pepper BLOB NOT NULL);
CREATE TABLE subject_keys (subject BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE destroyed (no INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL UNIQUE, destroyed_at INTEGER NOT NULL);
";

pub(super) struct FileStore {
    connection: Connection,
    wrapper: Wrapper,
    data_version: i64,
    last_destroyed: i64,
}

impl From<rusqlite::Error> for KeyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(StorageFault::new(error))
    }
}

impl FileStore {
    /// Opens the file, and reads or makes the pepper: that it opens tells that the master key is the right one.
    pub(super) fn open(dir: &Path, master: &MasterKey) -> Result<(Self, Zeroizing<[u8; 32]>), KeyError> {
        let path = prepare(dir, FILE).map_err(KeyError::Open)?;
        let shape = Shape {
            application: APPLICATION,
            version: SHAPE,
            tables: TABLES,
        };
        let connection = open_shaped(&path, shape).map_err(KeyError::Open)?;
        connection.pragma_update(None, "secure_delete", true)?;
        let mut store = Self {
            connection,
            wrapper: Wrapper::new(master),
            data_version: 0,
            last_destroyed: 0,
        };
        let pepper = store.pepper()?;
        store.newly_destroyed()?;
        Ok((store, pepper))
    }

    fn pepper(&mut self) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let fresh = self.wrapper.wrap_new(PEPPER_CONTEXT);
        self.connection
            .execute("INSERT OR IGNORE INTO deployment VALUES (1, ?1)", [fresh])?;
        let wrapped: Vec<u8> = self
            .connection
            .query_row("SELECT pepper FROM deployment", [], |row| row.get(0))?;
        self.wrapper
            .unwrap(PEPPER_CONTEXT, &wrapped)
            .map_err(|_| KeyError::WrongMasterKey)
    }

    pub(super) fn create(&mut self, subject: SubjectId) -> Result<DataKey, KeyError> {
        let wrapped = self.wrapper.wrap_new(subject.0.as_bytes());
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if is_destroyed(&transaction, subject)? {
            return Err(KeyError::Destroyed(subject));
        }
        transaction
            .prepare_cached("INSERT OR IGNORE INTO subject_keys VALUES (?1, ?2)")?
            .execute((&subject.0.as_bytes()[..], wrapped))?;
        transaction.commit()?;
        self.load(subject)
    }

    pub(super) fn load(&self, subject: SubjectId) -> Result<DataKey, KeyError> {
        let wrapped: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT wrapped FROM subject_keys WHERE subject = ?1")?
            .query_row([&subject.0.as_bytes()[..]], |row| row.get(0))
            .optional()?;
        match wrapped {
            Some(wrapped) => Ok(DataKey::new(
                &self.wrapper.unwrap(subject.0.as_bytes(), &wrapped)?,
            )),
            None if is_destroyed(&self.connection, subject)? => Err(KeyError::Destroyed(subject)),
            None => Err(KeyError::Missing(subject)),
        }
    }

    /// Deletes the key, remembers that it was, and empties the WAL, so that the wrapped key is in no file of ours.
    pub(super) fn destroy(&mut self, subject: SubjectId) -> Result<(), KeyError> {
        let id = &subject.0.as_bytes()[..];
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM subject_keys WHERE subject = ?1", [id])?;
        let sql = "INSERT OR IGNORE INTO destroyed (subject, destroyed_at) VALUES (?1, ?2)";
        transaction.execute(sql, (id, now_micros()))?;
        transaction.commit()?;
        let is_busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if is_busy {
            tracing::warn!(
                "a destroyed key stays in the write-ahead file of keys.db until its readers are done"
            );
        }
        Ok(())
    }

    /// The subjects whose keys were destroyed since this was asked last, by whichever process.
    pub(super) fn newly_destroyed(&mut self) -> Result<Vec<SubjectId>, KeyError> {
        let data_version = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if data_version == self.data_version {
            return Ok(Vec::new());
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT no, subject FROM destroyed WHERE no > ?1 ORDER BY no")?;
        let mut rows = statement.query([self.last_destroyed])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            self.last_destroyed = row.get(0)?;
            found.push(SubjectId(Uuid::from_bytes(row.get(1)?)));
        }
        self.data_version = data_version;
        Ok(found)
    }
}

fn is_destroyed(connection: &Connection, subject: SubjectId) -> Result<bool, KeyError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM destroyed WHERE subject = ?1")?;
    Ok(statement.exists([&subject.0.as_bytes()[..]])?)
}
