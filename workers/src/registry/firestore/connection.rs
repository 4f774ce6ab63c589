//! The way to Firestore: made with the first request, given up when it fails, every request bounded and tried twice.

use std::time::Duration;

use firestore::errors::FirestoreError;
use firestore::{FirestoreDb, FirestoreDbOptions, FirestoreResult};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::FirestoreConfig;
use super::owner::owner;
use super::trouble::FirestoreTrouble;

/// How long to wait before the second try.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(super) struct Connection {
    config: FirestoreConfig,
    made: Mutex<Option<FirestoreDb>>,
}

impl Connection {
    pub(super) fn new(config: FirestoreConfig) -> Self {
        Self {
            config,
            made: Mutex::new(None),
        }
    }

    /// Does `request`, and once more over a new connection when there was no answer. So it must be safe to do twice.
    ///
    /// Takes at most twice the configured patience and a moment.
    pub(super) async fn ask<T, F>(
        &self,
        request: impl Fn(FirestoreDb) -> F + Send + Sync,
    ) -> Result<T, FirestoreTrouble>
    where
        F: Future<Output = FirestoreResult<T>> + Send,
    {
        match self.ask_once(&request).await {
            Err(trouble) if trouble.is_transient() => {
                sleep(PAUSE).await;
                self.ask_once(&request).await
            }
            answer => answer,
        }
    }

    async fn ask_once<T, F>(
        &self,
        request: &(impl Fn(FirestoreDb) -> F + Send + Sync),
    ) -> Result<T, FirestoreTrouble>
    where
        F: Future<Output = FirestoreResult<T>> + Send,
    {
        let asking = async { request(self.connected().await?).await };
        let answer = match timeout(self.config.patience, asking).await {
            Ok(answer) => answer.map_err(|error| FirestoreTrouble::of(&self.config, error)),
            Err(_) => Err(FirestoreTrouble::slow(&self.config)),
        };
        if answer.as_ref().is_err_and(FirestoreTrouble::is_transient) {
            // A connection to a machine that is gone would keep every later request waiting as well.
            *self.made.lock().await = None;
        }
        answer
    }

    async fn connected(&self) -> FirestoreResult<FirestoreDb> {
        let mut made = self.made.lock().await;
        if let Some(db) = &*made {
            return Ok(db.clone());
        }
        let db = connect(&self.config).await?;
        *made = Some(db.clone());
        Ok(db)
    }
}

async fn connect(config: &FirestoreConfig) -> Result<FirestoreDb, FirestoreError> {
    // Tries again here, over a new connection, and not there.
    let mut options = FirestoreDbOptions::new(config.project.clone())
        .with_max_retries(0)
        .with_request_timeout(config.patience);
    let Some(host) = &config.emulator_host else {
        return FirestoreDb::with_options(options).await;
    };
    options.firebase_api_url = Some(format!("http://{host}"));
    FirestoreDb::with_options_auth(options, owner()).await
}
