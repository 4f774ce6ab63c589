//! Notices the records that other processes append.

use std::sync::{Arc, Weak};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::watch;

use super::reader;
use crate::ids::Position;
use crate::log::LogError;
use crate::log::head::advance;

/// How often the head is read: the most that another process's record stays unnoticed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How often it is tried while the database is away.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Watches until the log is dropped.
pub(super) async fn watch(pool: Pool, head: Weak<watch::Sender<Position>>) {
    let mut is_away = false;
    loop {
        let wait = if is_away { RETRY_INTERVAL } else { POLL_INTERVAL };
        tokio::time::sleep(wait).await;
        let Some(head) = head.upgrade() else { return };
        match poll(&pool, &head).await {
            Ok(()) => is_away = false,
            Err(error) if is_away => {
                tracing::debug!(error.message = %error, "the log's head cannot be read still")
            }
            Err(error) => {
                tracing::warn!(error.message = %error, "the log's head could not be read; it is tried again");
                is_away = true;
            }
        }
    }
}

async fn poll(pool: &Pool, head: &Arc<watch::Sender<Position>>) -> Result<(), LogError> {
    let client = pool.get().await?;
    advance(head, reader::head(&client).await?);
    Ok(())
}
