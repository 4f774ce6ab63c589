//! Which of several processes on one log relays it: the one that holds the lock.

use std::fs::File;
use std::path::Path;

use super::postgres::relay_session::RelaySession;
use super::{Backend, EventLog, LogError};
use crate::append::StorageFault;

/// The locked file beside `log.db`. Empty, and left behind: only the lock on it means something.
const FILE: &str = "relay.lock";

/// The right to relay a log, as long as it [is held](RelayLock::is_held). Dropping it lets another process take it.
///
/// With PostgreSQL it lives and dies with a session, so it can be lost at any time; with SQLite, with this process.
pub struct RelayLock(Held);

enum Held {
    File(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File),
    Session(RelaySession),
}

impl std::fmt::Debug for RelayLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayLock").finish_non_exhaustive()
    }
}

impl RelayLock {
    /// Whether it is still ours, asked now. Somebody else may have it an instant later: what its holder does must be
    /// harmless when done twice.
    pub async fn is_held(&self) -> bool {
        match &self.0 {
            Held::File(_) => true,
            Held::Session(session) => session.stands().await,
        }
    }
}

impl EventLog {
    /// Takes the right to relay this log; `None` while another handle, here or in another process, has it. Waits for
    /// nobody. With PostgreSQL a session of its own is kept, so a proxy that shares sessions between clients breaks it.
    ///
    /// # Errors
    /// [`LogError`] if the log does not answer; then it is not ours.
    pub async fn relay_lock(&self) -> Result<Option<RelayLock>, LogError> {
        let held = match &self.backend {
            Backend::Sqlite(log) => lock_file(log.dir())?.map(Held::File),
            Backend::Postgres(log) => log.relay_session().await?.map(Held::Session),
        };
        Ok(held.map(RelayLock))
    }
}

fn lock_file(dir: &Path) -> Result<Option<File>, LogError> {
    let unavailable = |error| LogError::Unavailable(StorageFault::new(error));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(FILE))
        .map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(unavailable(error)),
    }
}
