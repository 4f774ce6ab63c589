//! The file of wrapped keys, `keys.db`.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::published::PublishedRow;
use super::sealing::DataKey;
use super::wrapping::{PEPPER_CONTEXT, Wrapper};
use super::{DestroyedKey, KeyError, MasterKey};
use crate::append::StorageFault;
use crate::ids::SubjectId;
use crate::log::{OpenError, Shape, open_shaped, prepare};
use crate::record::{from_micros, now_micros};

pub(super) const FILE: &str = "keys.db";
/// Marks a file as one of subject keys (`PRAGMA application_id`): "SegK".
const APPLICATION: i64 = 0x5365_674B;
/// The steps to the tables. One that was released never changes.
const STEPS: &[&str] = &[TABLES, PUBLISHED_TABLE, RETIRED_TABLE];

/// A wrapped value is a nonce and the sealed 32 bytes. `destroyed` only grows; its number tells what is new.
const TABLES: &str = "
CREATE TABLE deployment (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), pepper BLOB NOT NULL);
CREATE TABLE subject_keys (subject BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE destroyed (no INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL UNIQUE, destroyed_at INTEGER NOT NULL);
";

/// The last checkpoint that was given out.
const PUBLISHED_TABLE: &str = "
CREATE TABLE published_checkpoint (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), size INTEGER NOT NULL, note TEXT NOT NULL);
";

/// Public halves of keys that must not sign the log any more.
const RETIRED_TABLE: &str = "
CREATE TABLE retired_audit_keys (no INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE);
";

pub(super) struct FileStore {
    connection: Connection,
    wrapper: Wrapper,
    /// The pepper as it lies in the file: another one says that the master key was rotated.
    wrapped_pepper: Vec<u8>,
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
        let connection = open_tables(&path).map_err(KeyError::Open)?;
        let mut store = Self {
            connection,
            wrapper: Wrapper::new(master),
            wrapped_pepper: Vec::new(),
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
        self.wrapped_pepper = stored_pepper(&self.connection)?;
        self.wrapper
            .unwrap(PEPPER_CONTEXT, &self.wrapped_pepper)
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
        if stored_pepper(&transaction)? != self.wrapped_pepper {
            return Err(KeyError::Rotated);
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
            Some(wrapped) => match self.wrapper.unwrap(subject.0.as_bytes(), &wrapped) {
                Ok(key) => Ok(DataKey::new(&key)),
                Err(_) if stored_pepper(&self.connection)? != self.wrapped_pepper => Err(KeyError::Rotated),
                Err(error) => Err(error),
            },
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
        self.empty_wal()
    }

    /// Leaves nothing in the write-ahead file that was overwritten or deleted.
    fn empty_wal(&self) -> Result<(), KeyError> {
        let is_busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if is_busy {
            tracing::warn!(
                "what was deleted stays in the write-ahead file of keys.db until its readers are done"
            );
        }
        Ok(())
    }

    /// Everybody whose key was destroyed, in that order.
    pub(super) fn destroyed(&self) -> Result<Vec<DestroyedKey>, KeyError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT subject, destroyed_at FROM destroyed ORDER BY no")?;
        let rows = statement.query_map([], |row| {
            Ok(DestroyedKey {
                subject: SubjectId(Uuid::from_bytes(row.get(0)?)),
                at: from_micros(row.get(1)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Wraps every key and the pepper under `new` in one transaction, and answers how many keys there are. `progress` is told
    /// how many are done.
    pub(super) fn rotate(mut self, new: &MasterKey, progress: &mut dyn FnMut(u64)) -> Result<u64, KeyError> {
        let (old, new) = (&self.wrapper, Wrapper::new(new));
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let pepper = old.unwrap(PEPPER_CONTEXT, &stored_pepper(&transaction)?)?;
        let pepper = new.wrap(PEPPER_CONTEXT, &pepper);
        transaction.execute("UPDATE deployment SET pepper = ?1", [pepper])?;
        let (mut after, mut done) = (Vec::new(), 0);
        loop {
            let page = page_after(&transaction, &after)?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (subject, wrapped) in &page {
                let wrapped = new.wrap(subject, &old.unwrap(subject, wrapped)?);
                transaction
                    .prepare_cached("UPDATE subject_keys SET wrapped = ?2 WHERE subject = ?1")?
                    .execute((subject, wrapped))?;
            }
            done += page.len() as u64;
            progress(done);
        }
        crate::failpoint!("rotate.before_commit");
        transaction.commit()?;
        crate::failpoint!("rotate.after_commit");
        self.empty_wal()?;
        Ok(done)
    }

    pub(super) fn publish(&self, row: &PublishedRow) -> Result<(), KeyError> {
        let sql = "INSERT INTO published_checkpoint VALUES (1, ?1, ?2) ON CONFLICT (only_row)
                   DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size >= size";
        self.connection
            .prepare_cached(sql)?
            .execute((row.size_sql(), &row.note))?;
        Ok(())
    }

    pub(super) fn published(&self) -> Result<Option<PublishedRow>, KeyError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT size, note FROM published_checkpoint")?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        // A value of another kind stands for no checkpoint.
        let size: i64 = row.get(0).unwrap_or(i64::MIN);
        Ok(Some(PublishedRow {
            size: size.unsigned_abs(),
            note: row.get(1).unwrap_or_default(),
        }))
    }

    pub(super) fn unpublish(&self) -> Result<(), KeyError> {
        self.connection.execute("DELETE FROM published_checkpoint", [])?;
        Ok(())
    }

    pub(super) fn retire(&self, key: &str) -> Result<(), KeyError> {
        self.connection.execute(RETIRE, [key])?;
        Ok(())
    }

    pub(super) fn retired(&self) -> Result<Vec<String>, KeyError> {
        Ok(retired_in(&self.connection)?)
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

/// Remembers a retired audit key.
pub(super) const RETIRE: &str = "INSERT OR IGNORE INTO retired_audit_keys (key) VALUES (?1)";

pub(super) fn retired_in(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT key FROM retired_audit_keys ORDER BY no")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Opens the file at `path`, which must exist, and makes its tables if it is empty. Deleted bytes are overwritten.
pub(super) fn open_tables(path: &Path) -> Result<Connection, OpenError> {
    let shape = Shape {
        application: APPLICATION,
        steps: STEPS,
    };
    let connection = open_shaped(path, shape)?;
    let tuned = connection.pragma_update(None, "secure_delete", true);
    tuned.map_err(|error| OpenError::Unavailable {
        path: path.to_owned(),
        cause: StorageFault::new(error),
    })?;
    Ok(connection)
}

/// A subject, and its key under the master key.
type WrappedRow = (Vec<u8>, Vec<u8>);

/// Wrapped keys after a subject, in order: some hundreds at a time, so that memory stays flat.
fn page_after(connection: &Connection, after: &[u8]) -> Result<Vec<WrappedRow>, KeyError> {
    let sql = "SELECT subject, wrapped FROM subject_keys WHERE subject > ?1 ORDER BY subject LIMIT 500";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([after], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn stored_pepper(connection: &Connection) -> Result<Vec<u8>, KeyError> {
    let mut statement = connection.prepare_cached("SELECT pepper FROM deployment")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

fn is_destroyed(connection: &Connection, subject: SubjectId) -> Result<bool, KeyError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM destroyed WHERE subject = ?1")?;
    Ok(statement.exists([&subject.0.as_bytes()[..]])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn keys_of_the_first_shape_open_and_remember_checkpoints_and_retired_keys_from_now_on() {
        let dir = TempDir::new();
        let path = prepare(dir.path(), FILE).expect("a file");
        let file = Connection::open(&path).expect("the file");
        file.execute_batch(TABLES)
            .and_then(|()| file.pragma_update(None, "application_id", APPLICATION))
            .and_then(|()| file.pragma_update(None, "user_version", 1))
            .expect("keys of shape 1");
        drop(file);
        let master = MasterKey::from_hex(&"5a".repeat(32)).expect("a key");
        let (store, _) = FileStore::open(dir.path(), &master).expect("the keys open");
        assert!(store.published().expect("an answer").is_none());
        let row = PublishedRow {
            size: 7,
            note: "a note".to_owned(),
        };
        store.publish(&row).expect("it is remembered");
        let found = store.published().expect("an answer").expect("a checkpoint");
        assert_eq!((found.size, found.note.as_str()), (7, "a note"));
        store.retire("a key").expect("it is remembered");
        assert_eq!(store.retired().expect("an answer"), ["a key"]);
    }
}
