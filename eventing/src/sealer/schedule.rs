//! Keeps the tree up with the log, and signs on schedule.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{SealError, Sealer};
use crate::consumer::chain_of;
use crate::ids::Position;
use crate::log::{Duty, DutyLock, LogError};

/// How often the tree is grown while there is little to add: each time is a commit in the log's database.
const GROW_EVERY: Duration = Duration::from_secs(1);
/// With so many records to add it is grown at once: they are still in the memory of the process that appended them, and need
/// not be read from the log.
const GROW_AT: u64 = 2_048;
/// How long it rests after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Sealer {
    /// Follows the log until `stopping`: grows the tree about once a second, or as soon as many records are there,
    /// and signs on schedule. Waits out whatever passes; what does not pass is logged and told by
    /// [`status`](Self::status), and hinders nobody who appends.
    pub async fn run(self, stopping: CancellationToken) {
        let head = self.shared.log.subscribe_head();
        let mut turn = Turn {
            checkpoint_at: self.next_checkpoint(),
            sealer: self,
            head,
            grown: 0,
            lock: None,
        };
        while !stopping.is_cancelled() {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = turn.take_and_rest() => {}
            }
        }
    }

    fn next_checkpoint(&self) -> Option<Instant> {
        self.shared.settings.key.as_ref()?;
        self.shared
            .settings
            .checkpoint_interval
            .map(|interval| Instant::now() + interval)
    }

    fn failed(&self, error: &SealError) {
        let chain = chain_of(error);
        if error.is_damage() {
            tracing::error!(
                error = chain,
                "THE LOG CANNOT BE SEALED: its history is damaged or was changed"
            );
        } else {
            tracing::warn!(error = chain, "the log could not be sealed; it is tried again");
        }
        *self.shared.problem.lock() = Some(chain);
    }
}

/// What the follower knows between two turns.
struct Turn {
    sealer: Sealer,
    head: watch::Receiver<Position>,
    /// How far the tree is known to have grown.
    grown: u64,
    /// When the next checkpoint is due.
    checkpoint_at: Option<Instant>,
    lock: Option<DutyLock>,
}

impl Turn {
    async fn take_and_rest(&mut self) {
        let taken = self.take().await;
        let begun = Instant::now();
        match taken {
            Ok(true) => self.rest(begun + GROW_EVERY).await,
            Ok(false) => sleep_until(begun + GROW_EVERY).await,
            Err(error) => {
                self.sealer.failed(&error);
                sleep_until(begun + RETRY_AFTER).await;
            }
        }
    }

    /// Grows the tree to the head of the log, and signs if that is due. `false` if another process does.
    async fn take(&mut self) -> Result<bool, SealError> {
        let head = *self.head.borrow_and_update();
        let is_due = self.checkpoint_at.is_some_and(|at| at <= Instant::now());
        if head.0 <= self.grown && !is_due {
            return Ok(true);
        }
        if !self.leads().await? {
            return Ok(false);
        }
        self.grown = self.sealer.tree().extend_to(head.0).await?;
        if is_due {
            self.sign().await?;
        }
        *self.sealer.shared.problem.lock() = None;
        Ok(true)
    }

    /// Signs, if the log has moved since it was signed last.
    async fn sign(&mut self) -> Result<(), SealError> {
        let latest = self.sealer.tree().latest_checkpoint().await?;
        if latest.map_or(0, |latest| latest.size) < self.grown {
            self.sealer.seal(Position(self.grown)).await?;
        }
        self.checkpoint_at = self.sealer.next_checkpoint();
        Ok(())
    }

    /// Whether this process keeps the schedule.
    async fn leads(&mut self) -> Result<bool, LogError> {
        let is_held = match &self.lock {
            Some(lock) => lock.is_held().await,
            None => false,
        };
        if !is_held {
            self.lock = self.sealer.shared.log.duty_lock(Duty::SEAL).await?;
        }
        Ok(self.lock.is_some())
    }

    /// Rests, unless many records come first.
    async fn rest(&mut self, until: Instant) {
        let enough = self.grown + GROW_AT;
        tokio::select! {
            () = sleep_until(until) => {}
            Ok(_) = self.head.wait_for(|head| head.0 >= enough) => {}
        }
    }
}
