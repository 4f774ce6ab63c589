//! The role `usermanagement`: keeps the view of accounts and sessions.

use std::sync::Arc;

use eventing::consumer::{Consumer, ConsumerStatus};
use projectors::{ProjectionHandler, ProjectionKind};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::parts::{Parts, USERMANAGEMENT, WorkerError};

/// The views it keeps.
pub const PROJECTIONS: [ProjectionKind; 1] = [ProjectionKind::Accounts];
/// The consumer's name: stored state.
pub const CONSUMER: &str = "usermanagement";

/// The role, ready to run.
pub struct UsermanagementWorker {
    consumer: Consumer<ProjectionHandler>,
}

impl UsermanagementWorker {
    /// Makes the role ready. Views that are not there yet begin empty.
    ///
    /// # Errors
    /// - `Views`: the store cannot be written. Nothing is changed.
    pub fn new(parts: &Parts) -> Result<Self, WorkerError> {
        let handler =
            ProjectionHandler::new(parts.views.clone(), parts.keys.clone(), CONSUMER, &PROJECTIONS)?;
        let consumer = Consumer::new(
            Arc::new(handler),
            parts.log.clone(),
            parts.bus.clone(),
            USERMANAGEMENT,
        );
        Ok(Self { consumer })
    }

    /// Where its consumer stands, for readiness.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConsumerStatus> {
        self.consumer.status()
    }

    /// Works until `shutdown`, then finishes the batch in hand and returns. Dropping the future is like a crash: safe.
    ///
    /// # Errors
    /// - `Consumer`: it must not go on, and a person must look.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        Ok(self.consumer.run(shutdown).await?)
    }
}
