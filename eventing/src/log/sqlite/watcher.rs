//! Notices the records that other processes append.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use super::{reader, schema};
use crate::log::tail::Tail;

/// How often the head is read: the most that another process's record stays unnoticed.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Starts the thread. It ends by itself when the log is dropped.
pub(super) fn start(path: &Path, tail: &Arc<Tail>) -> std::io::Result<()> {
    let connection = schema::open_reader(path).map_err(std::io::Error::other)?;
    let tail = Arc::downgrade(tail);
    thread::Builder::new()
        .name("log-watcher".to_owned())
        .spawn(move || watch(&connection, &tail))?;
    Ok(())
}

fn watch(connection: &Connection, tail: &Weak<Tail>) {
    loop {
        thread::sleep(POLL_INTERVAL);
        let Some(tail) = tail.upgrade() else { return };
        match reader::head(connection) {
            Ok(position) => tail.advance(position),
            Err(error) => tracing::warn!(error.message = %error, "the log's head could not be read"),
        }
    }
}
