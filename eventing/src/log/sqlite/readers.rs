//! A small pool of reading connections, used off the async threads.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{LogError, schema};
use crate::append::StorageFault;

#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, count_max: usize) -> Self {
        Self {
            path,
            idle: Mutex::default(),
            free: Arc::new(Semaphore::new(count_max.max(1))),
        }
    }

    pub(super) async fn read<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let permit = Arc::clone(&self.free)
            .acquire_owned()
            .await
            .map_err(|_| LogError::Stopped)?;
        let reading = move || {
            let _permit = permit;
            self.with_connection(work)
        };
        tokio::task::spawn_blocking(reading)
            .await
            .unwrap_or_else(|died| Err(LogError::Unavailable(StorageFault::new(died))))
    }

    /// A connection goes back to the pool only after a read that went well: a fresh one is cheap.
    fn with_connection<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let found = work(&connection)?;
        self.idle.lock().push(connection);
        Ok(found)
    }
}
