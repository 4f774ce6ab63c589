//! A session of its own that holds the lock of a duty: the lock is gone when the session is, however it ends.

use std::time::Duration;

use tokio_postgres::Client;

use super::PostgresConfig;
use crate::log::LogError;

/// How long the session may take to show that it still stands.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// The server ends the session of a holder that hangs, and notices one whose machine is gone, so that another takes over.
/// A relay asks at least once a second and may need some seconds for one window of messages.
const SESSION: &str = "SET idle_session_timeout = '20s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; \
     SET tcp_keepalives_count = 3";

/// See the module.
pub(in crate::log) struct DutySession(Client);

pub(super) async fn take(config: &PostgresConfig, key: i64) -> Result<Option<DutySession>, LogError> {
    let client = config.connect().await?;
    client.batch_execute(SESSION).await?;
    let sql = "SELECT pg_try_advisory_lock($1)";
    let is_ours: bool = client.query_one(sql, &[&key]).await?.try_get(0)?;
    Ok(is_ours.then_some(DutySession(client)))
}

impl DutySession {
    pub(in crate::log) async fn stands(&self) -> bool {
        let asking = tokio::time::timeout(ANSWER_LIMIT, self.0.simple_query("SELECT 1"));
        matches!(asking.await, Ok(Ok(_)))
    }
}
