//! Transactions that were sent and are not answered yet.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::plan::Plan;
use super::session::Session;
use super::transaction::{Answers, BatchFault, STEP_LIMIT, trusting};
use super::writer::WaitingAppend;

/// Whether a transaction has stored its batch; false when the log was not as its plan supposed, and nothing was written.
pub(super) type Outcome = Result<bool, BatchFault>;

/// A batch whose transaction was sent.
pub(super) struct Flight {
    pub(super) sent: Sent,
    /// False when it failed before all of it was sent: then nothing may be sent behind it.
    pub(super) is_under_way: bool,
    outcome: BoxFuture<'static, Outcome>,
}

/// What was decided about a batch.
pub(super) struct Sent {
    pub(super) batch: Vec<WaitingAppend>,
    /// What its callers are told as soon as it is durable.
    pub(super) answers: Answers,
    pub(super) plan: Arc<Plan>,
    pub(super) begun: Instant,
}

impl Flight {
    /// Sends the transaction of `sent`, behind `ahead` others on `session`, and waits for each of them as long as for itself.
    pub(super) fn take_off(session: &Arc<Session>, sent: Sent, ahead: usize) -> Self {
        let limit = STEP_LIMIT * u32::try_from(ahead + 1).unwrap_or(1);
        let (session, plan) = (Arc::clone(session), Arc::clone(&sent.plan));
        let mut outcome = async move { trusting(&session, &plan, limit).await }.boxed();
        // Polled once, it is sent, unless that fails.
        let early = (&mut outcome).now_or_never();
        Self {
            sent,
            is_under_way: early.is_none(),
            outcome: early.map_or(outcome, |early| std::future::ready(early).boxed()),
        }
    }

    /// What became of it. Cancel-safe.
    pub(super) async fn outcome(&mut self) -> Outcome {
        (&mut self.outcome).await
    }

    /// As [`outcome`](Self::outcome), with what was decided.
    pub(super) async fn land(mut self) -> (Sent, Outcome) {
        let outcome = self.outcome().await;
        (self.sent, outcome)
    }
}
