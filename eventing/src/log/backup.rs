//! Copying and checking the file of an embedded log.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rusqlite::{Connection, InterruptHandle, OpenFlags, OptionalExtension};

use super::sqlite::{self, schema};
use super::{LogError, OpenError};
use crate::append::StorageFault;
use crate::ids::{Position, StreamId, Version};

/// Records read at a time while a log is checked.
const PAGE: usize = 2_000;
const LAST_SIGNED: &str = "SELECT size, note FROM signed_checkpoints ORDER BY size DESC LIMIT 1";
/// Empty, and left behind: only the lock on it means something.
const FOLDER_LOCK: &str = "folder.lock";

/// Why a copy was not made, or is not sound.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be opened, or is not ours.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be read or written.
    #[error("{0} cannot be copied or read")]
    File(&'static str, #[source] StorageFault),
    /// Somebody asked to stop. What was written is incomplete.
    #[error("stopped")]
    Stopped,
    /// The log contradicts itself.
    #[error("the log is damaged at position {at}: {what}")]
    Damaged {
        /// The first position at which it does.
        at: Position,
        /// How.
        what: String,
    },
}

/// A way to stop a copy or a check that runs. Cheap to clone.
#[derive(Clone, Default)]
pub struct Stop(Arc<Stopping>);

#[derive(Default)]
struct Stopping {
    asked: AtomicBool,
    running: parking_lot::Mutex<Option<InterruptHandle>>,
    done: AtomicU64,
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stop").field(&self.is_asked()).finish()
    }
}

impl Stop {
    /// Stops what runs, and whatever begins later.
    pub fn stop(&self) {
        self.0.asked.store(true, Ordering::Release);
        if let Some(running) = &*self.0.running.lock() {
            running.interrupt();
        }
    }

    /// Records checked so far.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed)
    }

    fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    fn check(&self) -> Result<(), BackupError> {
        match self.is_asked() {
            true => Err(BackupError::Stopped),
            false => Ok(()),
        }
    }
}

/// A copy of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The position of its last record.
    pub head: Position,
}

/// A log that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The position of its last record, which is how many there are.
    pub head: Position,
    /// How many streams they belong to.
    pub streams: u64,
}

/// Copies `log.db` of the folder `dir` to the file `to`, which must not exist, as of one moment. Writers go on meanwhile.
/// Blocks. Not durable before `to` is synchronised.
///
/// # Errors
/// [`BackupError`]; then `to` may hold a part.
pub fn copy_log(dir: &Path, to: &Path, stop: &Stop) -> Result<Copied, BackupError> {
    let connection = schema::open_existing(&dir.join(sqlite::FILE))?;
    vacuum_into(&connection, to, sqlite::FILE, stop)?;
    drop(connection);
    let copy = read_only(to)?;
    let head = sqlite::reader::head(&copy).map_err(|error| unreadable(&error))?;
    Ok(Copied { head })
}

/// Writes what `connection` has open to `to`, page by page anew.
pub(crate) fn vacuum_into(
    connection: &Connection,
    to: &Path,
    file: &'static str,
    stop: &Stop,
) -> Result<(), BackupError> {
    *stop.0.running.lock() = Some(connection.get_interrupt_handle());
    let copied = stop.check().and_then(|()| {
        let copied = connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]);
        copied.map_err(|error| match stop.is_asked() {
            true => BackupError::Stopped,
            false => BackupError::File(file, StorageFault::new(error)),
        })
    });
    *stop.0.running.lock() = None;
    copied.map(drop)
}

/// Reads every record of the copied log at `path` and checks that its bytes have their hash, that positions have no gap and
/// begin at 1, that versions of every stream do, and that heads say so. Blocks. Changes nothing.
///
/// # Errors
/// [`BackupError::Damaged`] tells the first position that is not as it must be.
pub fn verify(path: &Path, stop: &Stop) -> Result<Verified, BackupError> {
    let connection = read_only(path)?;
    let head = sqlite::reader::head(&connection).map_err(|error| unreadable(&error))?;
    let mut versions = HashMap::<StreamId, Version>::new();
    let mut after = Position::START;
    loop {
        stop.check()?;
        let damaged = |what: String| BackupError::Damaged {
            at: after.next(),
            what,
        };
        let page = sqlite::reader::read_after(&connection, after, PAGE);
        let page = page.map_err(|error| damaged(error.to_string()))?;
        for event in &page {
            let expected = after.next();
            let version = versions.entry(event.stream.clone()).or_insert(Version::NONE);
            if event.position != expected || event.version != version.next() {
                return Err(BackupError::Damaged {
                    at: expected,
                    what: format!(
                        "there stands position {}, version {} of {}, which has version {version} before it",
                        event.position, event.version, event.stream
                    ),
                });
            }
            (after, *version) = (expected, event.version);
        }
        stop.0.done.store(after.0, Ordering::Relaxed);
        if page.len() < PAGE {
            break;
        }
    }
    check_heads(&connection, head, after, &versions)?;
    Ok(Verified {
        head,
        streams: versions.len() as u64,
    })
}

fn check_heads(
    connection: &Connection,
    head: Position,
    last: Position,
    versions: &HashMap<StreamId, Version>,
) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged { at: last, what };
    if head != last {
        return Err(damaged(format!(
            "its head says {head}, its records end at {last}"
        )));
    }
    for (stream, version) in versions {
        let found = sqlite::reader::stream_head(connection, stream).map_err(|error| unreadable(&error))?;
        if found.map(|head| head.version) != Some(*version) {
            return Err(damaged(format!("the head of {stream} is not version {version}")));
        }
    }
    Ok(())
}

/// The last checkpoint that was signed over the copied log at `path`: its size and note.
pub(crate) fn last_signed(path: &Path) -> Result<Option<(i64, String)>, BackupError> {
    let connection = read_only(path)?;
    let found = schema::has_tree(&connection).and_then(|has_tree| match has_tree {
        true => connection
            .query_row(LAST_SIGNED, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional(),
        false => Ok(None),
    });
    found.map_err(|error| BackupError::File(sqlite::FILE, StorageFault::new(error)))
}

/// Held by whoever works on a data folder: by many who use it, or by one who replaces it. Ends with the process.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl FolderLock {
    /// Takes part in using the folder `dir`; `None` while somebody replaces it.
    ///
    /// # Errors
    /// [`BackupError::File`] if the lock's file cannot be made.
    pub fn using(dir: &Path) -> Result<Option<Self>, BackupError> {
        Self::take(dir, File::try_lock_shared)
    }

    /// Keeps everybody from using the folder `dir`; `None` while somebody does.
    ///
    /// # Errors
    /// As [`using`](Self::using).
    pub fn replacing(dir: &Path) -> Result<Option<Self>, BackupError> {
        Self::take(dir, File::try_lock)
    }

    fn take(
        dir: &Path,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Self>, BackupError> {
        let fault = |error: std::io::Error| BackupError::File(FOLDER_LOCK, StorageFault::new(error));
        let path = dir.join(FOLDER_LOCK);
        loop {
            let mut options = File::options();
            options.create(true).truncate(false).write(true).mode(0o600);
            let file = options.open(&path).map_err(fault)?;
            match lock(&file) {
                // Opened before the folder was replaced and locked after it, it is the lock of the one that stepped aside.
                Ok(()) if !lies_at(&file, &path).map_err(fault)? => {}
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(fault(error)),
            }
        }
    }
}

fn lies_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let (held, there) = (file.metadata()?, std::fs::metadata(path));
    match there {
        Ok(there) => Ok((held.dev(), held.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_only(path: &Path) -> Result<Connection, BackupError> {
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = opened.map_err(|error| BackupError::File(sqlite::FILE, StorageFault::new(error)))?;
    schema::refuse_other_logs(&connection, path)?;
    Ok(connection)
}

fn unreadable(error: &LogError) -> BackupError {
    BackupError::File(sqlite::FILE, StorageFault::new(error))
}
