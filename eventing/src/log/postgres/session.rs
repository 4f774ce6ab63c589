//! A connection of the writer.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::{Client, Error};

use super::connect::PostgresConfig;
use super::known;
use super::statements::Statements;
use crate::ids::new_uuid_v7;
use crate::log::LogError;

/// A connection with its statements.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    /// Whether transactions that other sessions had sent before are barred.
    is_alone: AtomicBool,
}

impl Session {
    pub(super) async fn connect(config: &PostgresConfig) -> Result<Self, Error> {
        let client = config.connect().await?;
        let statements = Statements::prepare(&client).await?;
        Ok(Self {
            client,
            statements,
            is_alone: AtomicBool::new(false),
        })
    }

    /// Begins a transaction under the log's lock. When it is [ended](Self::end_alone), what this process had sent on other
    /// sessions, and the database has not begun, comes to nothing: it holds only while the head has the mark that it had.
    pub(super) async fn begin_alone(&self) -> Result<(), LogError> {
        self.client.batch_execute(&known::begin()).await?;
        if !self.is_alone.load(Ordering::Relaxed) {
            let bar = "UPDATE segue.log_head SET mark = $1";
            self.client.execute(bar, &[&new_uuid_v7()]).await?;
        }
        Ok(())
    }

    pub(super) async fn end_alone(&self) -> Result<(), LogError> {
        self.client.batch_execute("COMMIT").await?;
        self.is_alone.store(true, Ordering::Relaxed);
        Ok(())
    }
}
