//! Notices the records that other processes append.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::{reader, schema};
use crate::ids::Position;
use crate::log::head::advance;

/// How often the head is read: the most that another process's record stays unnoticed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Starts the thread. It ends by itself when the log is dropped.
pub(super) fn start(path: &Path, head: &Arc<watch::Sender<Position>>) -> std::io::Result<()> {
    let connection = schema::open_reader(path).map_err(std::io::Error::other)?;
    let head = Arc::downgrade(head);
    thread::Builder::new()
        .name("log-watcher".to_owned())
        .spawn(move || watch(&connection, &head))?;
    Ok(())
}

fn watch(connection: &Connection, head: &Weak<watch::Sender<Position>>) {
    loop {
        thread::sleep(POLL_INTERVAL);
        let Some(head) = head.upgrade() else { return };
        match reader::head(connection) {
            Ok(position) => advance(&head, position),
            Err(error) => tracing::warn!(error.message = %error, "the log's head could not be read"),
        }
    }
}
