//! The task that folds, counts and publishes.

use std::time::{Duration, Instant, SystemTime};

use classifier::Companions;
use domain::{CompanionsCommand, CompanionsId, CompanionsRejection, Digest, companions};
use eventing::{Duty, DutyLock, EventLog, ExecuteError, Keys, LogError, Metadata, Order, Position, StreamId};
use projectors::DomainExecutor;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::due::{Standing, Why, due};
use super::fold::{Fold, FoldError, PAGE};
use super::{CompanionsSettings, CompanionsStatus};
use crate::inputs::{InputsError, last_companions_before};
use crate::parts::Parts;

const DUTY: Duty = Duty::new("companions.lock", *b"SegueCom");
/// The wait after a first failure; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A round came to nothing. What was folded and published stays so, and the next round tries again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error("the log did not answer")]
    Log(#[from] LogError),
    #[error("the current companions could not be read")]
    Current(#[from] InputsError),
    #[error("counting panicked")]
    Panicked(#[source] tokio::task::JoinError),
    #[error("counting was stopped")]
    Stopped,
    #[error("the companions could not be published")]
    Publish(#[source] ExecuteError<CompanionsRejection>),
}

/// Publishes companions, while it is this process's turn.
pub struct CompanionsTask {
    log: EventLog,
    keys: Keys,
    executor: DomainExecutor,
    settings: CompanionsSettings,
    status: watch::Sender<CompanionsStatus>,
    leading: Option<Leading>,
}

/// What the task that counts knows.
struct Leading {
    lock: DutyLock,
    lock_seen: Instant,
    fold: Fold,
    current: Option<companions::Published>,
    published_at: Option<Instant>,
    took: Duration,
    bytes: u64,
}

impl CompanionsTask {
    /// A task over shared parts. It uses neither views nor bus.
    #[must_use]
    pub fn new(parts: &Parts, settings: CompanionsSettings) -> Self {
        Self {
            log: parts.log.clone(),
            keys: parts.keys.clone(),
            executor: parts.executor.clone(),
            settings,
            status: watch::Sender::default(),
            leading: None,
        }
    }

    /// How far it has come, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<CompanionsStatus> {
        self.status.subscribe()
    }

    /// Works until `shutdown`, waiting out whatever passes. Dropping the future is like a crash: safe, and what is being
    /// counted is counted again by whoever comes next.
    pub async fn run(mut self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.work()).await;
    }

    async fn work(&mut self) {
        let mut failures = 0;
        loop {
            let wait = match self.round().await {
                Ok(wait) => {
                    failures = 0;
                    wait
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "companions were not kept up; it is tried again"
                    );
                    self.status
                        .send_modify(|status| status.last_error = Some(error.to_string()));
                    failures += 1;
                    BACKOFF_MIN
                        .saturating_mul(1 << (failures - 1).min(10))
                        .min(BACKOFF_MAX)
                }
            };
            sleep(wait).await;
        }
    }

    /// Folds a page and publishes if it is time. Answers how long to rest.
    async fn round(&mut self) -> Result<Duration, RoundError> {
        if !self.leads().await? {
            self.status.send_replace(CompanionsStatus::default());
            return Ok(self.settings.lock_every);
        }
        let Some(leading) = &mut self.leading else {
            return Ok(self.settings.lock_every);
        };
        let read = leading.fold.page(&self.log, &self.keys).await?;
        if read < PAGE
            && let Some(why) = leading.due(&self.settings)
        {
            leading
                .publish(&self.log, &self.executor, &self.settings, why)
                .await?;
        }
        self.status.send_replace(leading.status());
        Ok(if read == PAGE {
            Duration::ZERO
        } else {
            self.settings.poll_every
        })
    }

    /// Whether it is this task's turn; takes the lock if it is free.
    async fn leads(&mut self) -> Result<bool, RoundError> {
        if let Some(leading) = &mut self.leading {
            if leading.holds(self.settings.lock_every).await {
                return Ok(true);
            }
            tracing::warn!("the lock on counting companions is lost");
            self.leading = None;
        }
        if let Some(lock) = self.log.duty_lock(DUTY).await? {
            self.leading = Some(Leading::begin(lock, &self.log).await?);
        }
        Ok(self.leading.is_some())
    }
}

impl Leading {
    async fn begin(lock: DutyLock, log: &EventLog) -> Result<Self, RoundError> {
        let current = last_companions_before(log, Position(u64::MAX)).await?;
        let as_of = current
            .as_ref()
            .map_or(Position::START, |current| Position(current.as_of));
        Ok(Self {
            lock,
            lock_seen: Instant::now(),
            fold: Fold::new(as_of),
            published_at: current.as_ref().map(|_| Instant::now()),
            current,
            took: Duration::ZERO,
            bytes: 0,
        })
    }

    /// Whether the lock is held; one that was seen within `trust` counts as held.
    async fn holds(&mut self, trust: Duration) -> bool {
        if self.lock_seen.elapsed() < trust {
            return true;
        }
        let is_held = self.lock.is_held().await;
        self.lock_seen = Instant::now();
        is_held
    }

    fn has_enough(&self, settings: &CompanionsSettings) -> bool {
        self.fold.likes().listeners_with(settings.likes_each_min) >= settings.listeners_min
    }

    fn due(&self, settings: &CompanionsSettings) -> Option<Why> {
        let is_untouched = self.fold.changes == 0 && !self.fold.is_erased;
        if is_untouched && self.current.is_some() {
            return None;
        }
        let current = self.current.as_ref();
        let standing = Standing {
            has_enough: self.has_enough(settings),
            listeners: current.map_or(0, |current| current.listeners),
            likes: current.map_or(0, |current| current.likes),
            changes: self.fold.changes,
            is_erased: self.fold.is_erased,
            changed_ago: self.fold.changed_at.elapsed(),
            published_ago: self.published_at.map(|at| at.elapsed()),
            took: self.took,
            bytes: self.bytes,
        };
        due(settings, &standing)
    }

    /// Counts what is folded and publishes it. Somebody who was faster and knows as much is as good.
    async fn publish(
        &mut self,
        log: &EventLog,
        executor: &DomainExecutor,
        settings: &CompanionsSettings,
        why: Why,
    ) -> Result<(), RoundError> {
        let companions = self.count(settings).await?;
        let bytes = companions.to_bytes();
        self.bytes = bytes.len() as u64;
        let is_current = |current: &companions::Published| current.digest == companions.digest();
        if !self.current.as_ref().is_some_and(is_current) {
            let blob = Digest::from_bytes(log.put_blob(bytes).await?);
            self.record(executor, &companions, blob).await?;
            tracing::info!(
                companions.digest = %companions.digest(),
                companions.as_of = self.fold.position().0,
                companions.listeners = companions.listeners(),
                ?why,
                "companions were published"
            );
        }
        self.fold.is_published();
        self.published_at = Some(Instant::now());
        self.current = last_companions_before(log, Position(u64::MAX)).await?;
        Ok(())
    }

    async fn count(&mut self, settings: &CompanionsSettings) -> Result<Companions, RoundError> {
        if !self.has_enough(settings) {
            return Ok(Companions::none());
        }
        let started = Instant::now();
        let likes = self.fold.likes().clone();
        let stop = CancellationToken::new();
        // When this future is dropped nobody waits for the count any more, and the process may be about to end.
        let _stopping = stop.clone().drop_guard();
        let counting =
            tokio::task::spawn_blocking(move || Companions::count_while(&likes, || !stop.is_cancelled()));
        let companions = counting.await.map_err(RoundError::Panicked)?;
        let companions = companions.ok_or(RoundError::Stopped)?;
        self.took = started.elapsed();
        Ok(companions)
    }

    async fn record(
        &self,
        executor: &DomainExecutor,
        companions: &Companions,
        blob: Digest,
    ) -> Result<(), RoundError> {
        let stream = StreamId::new(CompanionsId::CATEGORY, CompanionsId::MAIN.uuid());
        let command = CompanionsCommand::Publish {
            digest: companions.digest(),
            blob,
            as_of: self.fold.position().0,
            listeners: companions.listeners().into(),
            likes: companions.likes(),
            at: SystemTime::now().into(),
        };
        let order = Order::<domain::Companions>::new(stream, command, Metadata::new());
        match executor.execute(order).await {
            Ok(_) | Err(ExecuteError::Rejected(CompanionsRejection::Overtaken { .. })) => Ok(()),
            Err(error) => Err(RoundError::Publish(error)),
        }
    }

    fn status(&self) -> CompanionsStatus {
        CompanionsStatus {
            leads: true,
            folded: self.fold.position(),
            published: self.current.as_ref().map(|current| Position(current.as_of)),
            last_error: None,
        }
    }
}
