//! Which of several processes on one log does what only one of them should: the one that holds the lock of that duty.

use std::fs::File;
use std::path::Path;

use super::postgres::duty_session::DutySession;
use super::{Backend, EventLog, LogError};
use crate::append::StorageFault;

/// Work that one process of those on a log does at a time. Its name and key are stored state: two programs that spell them
/// differently do the work twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duty {
    /// The locked file beside `log.db`. Empty, and left behind: only the lock on it means something.
    file: &'static str,
    /// The advisory lock in PostgreSQL.
    key: i64,
}

/// The right to do a duty, as long as it [is held](DutyLock::is_held). Dropping it lets another process take it.
///
/// With PostgreSQL it lives and dies with a session, so it can be lost at any time; with SQLite, with this process.
pub struct DutyLock(Held);

enum Held {
    File(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File),
    Session(DutySession),
}

impl Duty {
    /// Publishing the log to the broker.
    pub const RELAY: Self = Self::new("relay.lock", *b"SegueRel");
    /// Growing the log's Merkle tree and signing checkpoints on schedule.
    pub const SEAL: Self = Self::new("seal.lock", *b"SegueSea");

    /// A duty whose lock is `file` beside an embedded log, and `key` in PostgreSQL. No two duties have one in common.
    #[must_use]
    pub const fn new(file: &'static str, key: [u8; 8]) -> Self {
        Self {
            file,
            key: i64::from_be_bytes(key),
        }
    }
}

impl std::fmt::Debug for DutyLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DutyLock").finish_non_exhaustive()
    }
}

impl DutyLock {
    /// Whether it is still ours, asked now. Somebody else may have it an instant later: what its holder does must be
    /// harmless when done twice. With PostgreSQL the server takes it from a holder that does not ask for 20 seconds.
    pub async fn is_held(&self) -> bool {
        match &self.0 {
            Held::File(_) => true,
            Held::Session(session) => session.stands().await,
        }
    }
}

impl EventLog {
    /// Takes the right to do `duty` on this log; `None` while another handle, here or in another process, has it. Waits for
    /// nobody. With PostgreSQL a session of its own is kept, so a proxy that shares sessions between clients breaks it.
    ///
    /// # Errors
    /// [`LogError`] if the log does not answer; then it is not ours.
    pub async fn duty_lock(&self, duty: Duty) -> Result<Option<DutyLock>, LogError> {
        let held = match &self.backend {
            Backend::Sqlite(log) => lock_file(&log.dir().join(duty.file))?.map(Held::File),
            Backend::Postgres(log) => log.duty_session(duty.key).await?.map(Held::Session),
        };
        Ok(held.map(DutyLock))
    }
}

fn lock_file(path: &Path) -> Result<Option<File>, LogError> {
    let unavailable = |error| LogError::Unavailable(StorageFault::new(error));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(unavailable(error)),
    }
}
