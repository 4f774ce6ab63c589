//! Notices the records that other processes append.

use std::sync::Weak;
use std::time::Duration;

use deadpool_postgres::Pool;

use super::reader;
use crate::log::LogError;
use crate::log::tail::Tail;

/// How often the head is read: the most that another process's record stays unnoticed.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How often it is tried while the database is away.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Watches until the log is dropped.
pub(super) async fn watch(pool: Pool, tail: Weak<Tail>) {
    let mut is_away = false;
    loop {
        let wait = if is_away { RETRY_INTERVAL } else { POLL_INTERVAL };
        tokio::time::sleep(wait).await;
        let Some(tail) = tail.upgrade() else { return };
        match poll(&pool, &tail).await {
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

async fn poll(pool: &Pool, tail: &Tail) -> Result<(), LogError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(reader::HEAD).await?;
    tail.advance(reader::head(&client, &statement).await?);
    Ok(())
}
