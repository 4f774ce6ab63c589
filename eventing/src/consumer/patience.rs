//! Waits out what will pass: a store or a log that does not answer.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{ConsumerError, HandlerError, error::Ended, status::StatusBoard, waiting::backoff};
use crate::LogError;

/// Asks again until there is an answer, or the consumer is to stop.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) consumer: &'static str,
    pub(super) status: Arc<StatusBoard>,
    pub(super) shutdown: CancellationToken,
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Patience {
    /// Waits after the `failures`-th failure in a row.
    pub(super) async fn wait(&self, failures: u32) -> Result<(), Ended> {
        let wait = backoff(failures, Duration::ZERO, self.min, self.max);
        tokio::select! {
            () = self.shutdown.cancelled() => Err(Ended::Asked),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Tells of a failure of the handler's store, then waits.
    pub(super) async fn store_failed(
        &self,
        failures: &mut u32,
        doing: &str,
        error: &HandlerError,
    ) -> Result<(), Ended> {
        *failures += 1;
        self.status.failed(doing, error);
        self.wait(*failures).await
    }

    /// Tells of a failure of the log, then waits; unless waiting does not help.
    pub(super) async fn log_failed(
        &self,
        failures: &mut u32,
        doing: &str,
        error: LogError,
    ) -> Result<(), Ended> {
        if matches!(error, LogError::Corrupt(_) | LogError::Stopped) {
            return Err(self.log_broken(error).into());
        }
        *failures += 1;
        self.status.failed(doing, &error);
        self.wait(*failures).await
    }

    fn log_broken(&self, error: LogError) -> ConsumerError {
        ConsumerError::Log {
            consumer: self.consumer,
            source: Box::new(error),
        }
    }
}

/// Asks the log until it answers; `?` leaves when that cannot help.
macro_rules! ask_log {
    ($patience:expr, $doing:literal, $ask:expr) => {{
        let mut failures = 0;
        loop {
            match $ask.await {
                Ok(answer) => break answer,
                Err(error) => $patience.log_failed(&mut failures, $doing, error).await?,
            }
        }
    }};
}

/// Asks the handler's store until it answers; `?` leaves when the consumer is to stop.
macro_rules! ask_store {
    ($patience:expr, $doing:literal, $ask:expr) => {{
        let mut failures = 0;
        loop {
            match $ask.await {
                Ok(answer) => break answer,
                Err(error) => $patience.store_failed(&mut failures, $doing, &error).await?,
            }
        }
    }};
}

pub(super) use {ask_log, ask_store};
