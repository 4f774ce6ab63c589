//! Publishes the log to the bus, in order and confirmed.
//!
//! The relay's checkpoint is the highest position up to which everything is confirmed, without a hole. A publish that
//! is refused, or that no queue takes, is not a publish: the relay tries it again and says so. How far it came is noted in the
//! log's database a few times a second while there is more to publish, within a second when there is not, and at the end.
//! What was published and not yet noted is published again after a crash; consumers know duplicates.
//!
//! Of several processes on one log, one relays at a time to a broker: the one that holds the log's
//! [lock of that duty](Duty::RELAY). The others stand by. A relay that lost the lock without noticing can publish
//! what was published before, and nothing worse: its checkpoint never goes back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    Duty, DutyLock, EventLog, LogError, Position, RecordedEvent,
    bus::{Bus, BusError, Confirmation},
    consumer::chain_of,
    failpoint,
    traces::Publishing,
};

/// Events published together at most: a broker's window of outstanding confirmations. Each window costs one wait for the
/// broker's disk, and its events are held in memory.
const BATCH_MAX: usize = 1_000;
/// Bytes of the records published together, unless one record alone is larger: a slow disk writes them within the
/// broker's time to answer. A thousand of the usual records have less.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How long a round that has begun may go on after the relay was asked to stop. A broker that answers needs far less;
/// what was published and not noted is published again.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// Events in one batch from which on the log counts as busy.
const BUSY_FROM: usize = 16;
/// While the log is busy, batches begin about this far apart: one reading of the log serves several commits.
const BUSY_INTERVAL: Duration = Duration::from_millis(4);
/// The same on the way to a broker, where each batch costs a write of its disk, and each of what is made of it in turn.
const BUSY_INTERVAL_BROKER: Duration = Duration::from_millis(10);
/// How often the checkpoint is noted while there is always more to publish: each time is a commit in the log's database.
const NOTE_EVERY: Duration = Duration::from_millis(200);
/// The wait after a first failure; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How often a relay that has nothing to do looks whether it still holds the lock, and one that stands by whether it is
/// free.
const LOCK_EVERY: Duration = Duration::from_secs(1);
/// A relay that has something to publish looks before, unless it has done so a moment ago.
const LOCK_TRUST: Duration = Duration::from_millis(100);
/// The name of the relay's checkpoint in the log's database.
const CHECKPOINT: &str = "relay";

/// Where a relay takes up its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayStart {
    /// At the head of the log: for a bus in this process, whose queues are empty and whose consumers read the log.
    Head,
    /// Where the last relay stopped, as noted in the log's database: for a broker, which keeps what it was given. One
    /// relay of a log works at a time; the others stand by.
    Noted,
}

/// How far a relay has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// Whether it publishes or another one does.
    pub role: RelayRole,
    /// Everything at or below is confirmed, as far as this relay knows.
    pub published: Position,
    /// Why the last attempt failed; nothing when it went well.
    pub last_error: Option<String>,
}

/// Which of the relays of one log this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayRole {
    /// The one that publishes.
    Leading,
    /// It publishes when the other one stops, or has not begun yet.
    Standby,
}

/// Tails the log and publishes it.
#[derive(Debug)]
pub struct Relay {
    log: EventLog,
    bus: Bus,
    start: RelayStart,
    published: Position,
    /// What is noted of it in the log's database, and since when.
    noted: (Position, Instant),
    /// Events in the next window at most: fewer after one that was not answered, which would only be sent again.
    window: usize,
    lock: Option<DutyLock>,
    lock_seen: Instant,
    status: watch::Sender<RelayStatus>,
}

/// The relay cannot go on. Consumers still read the log, so nothing is lost; a person must act.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The log is damaged or closed.
    #[error("the relay cannot read the log")]
    Log(#[source] LogError),
    /// The topology was not declared, or is another one.
    #[error("the relay cannot publish")]
    Bus(#[source] BusError),
}

/// Why one round failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("the log did not answer")]
    Log(#[from] LogError),
    #[error("the bus did not answer")]
    Bus(#[from] BusError),
    #[error("position {0} was not published: {1:?}")]
    NotPublished(Position, Confirmation),
}

impl RoundError {
    /// What waiting cannot mend.
    fn fatal(self) -> Result<RelayError, Self> {
        match self {
            Self::Log(error @ (LogError::Corrupt(_) | LogError::Stopped)) => Ok(RelayError::Log(error)),
            Self::Bus(error @ (BusError::NotDeclared(_) | BusError::Conflict { .. })) => {
                Ok(RelayError::Bus(error))
            }
            other => Err(other),
        }
    }
}

impl Relay {
    /// A relay from `log` to `bus`, whose topology is declared.
    #[must_use]
    pub fn new(log: EventLog, bus: Bus, start: RelayStart) -> Self {
        let status = watch::Sender::new(RelayStatus {
            role: RelayRole::Standby,
            published: Position::START,
            last_error: None,
        });
        Self {
            log,
            bus,
            start,
            published: Position::START,
            noted: (Position::START, Instant::now()),
            window: BATCH_MAX,
            lock: None,
            lock_seen: Instant::now(),
            status,
        }
    }

    /// How far it has come, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    /// Publishes until `shutdown`, waiting out whatever passes. Then it finishes what it is at, or drops it after some
    /// seconds.
    ///
    /// # Errors
    /// [`RelayError`]: it stopped without being asked. What is confirmed stays so.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), RelayError> {
        let mut head = self.log.subscribe_head();
        let mut begun = false;
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let round = tokio::select! {
                round = self.round(&mut begun) => round,
                () = overdue(&shutdown) => break,
            };
            let wait = match round {
                Ok(did) => {
                    failures = 0;
                    self.tell(None);
                    did
                }
                Err(error) => {
                    failures += 1;
                    self.failed(error)?;
                    Rest::For(BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX))
                }
            };
            rest(&shutdown, &mut head, wait).await;
        }
        self.note_at_the_end().await;
        Ok(())
    }

    /// Publishes one batch if it is this relay's turn, and answers how to rest.
    async fn round(&mut self, begun: &mut bool) -> Result<Rest, RoundError> {
        if !self.leads(LOCK_EVERY).await? {
            *begun = false;
            self.take_up_noted().await?;
            return Ok(Rest::For(LOCK_EVERY));
        }
        if !*begun {
            self.begin().await?;
            *begun = true;
        }
        let events = self.next_window().await?;
        if events.is_empty() {
            self.note().await?;
            return Ok(Rest::UntilMoved);
        }
        if !self.leads(LOCK_TRUST).await? {
            *begun = false;
            return Ok(Rest::None);
        }
        let is_full = events.len() >= self.window || bytes_of(&events) >= BATCH_BYTES_MAX / 2;
        failpoint!("relay.before_publish");
        let publishing = Publishing::begin();
        let confirmations = self.publish(&events).await?;
        publishing.end(&self.bus, &events, &confirmations);
        failpoint!("relay.after_publish");
        self.advance(&events, &confirmations).await?;
        Ok(if is_full {
            Rest::None
        } else {
            self.rest_after(events.len())
        })
    }

    /// The events to publish together, within both bounds.
    async fn next_window(&self) -> Result<Vec<Arc<RecordedEvent>>, RoundError> {
        let mut bytes = 0;
        let read = self.log.tail_after(self.published, self.window).await?;
        let fits = read.into_iter().enumerate().take_while(|(nth, event)| {
            bytes += event.record.len();
            *nth == 0 || bytes <= BATCH_BYTES_MAX
        });
        Ok(fits.map(|(_, event)| Arc::new(event)).collect())
    }

    /// Publishes a window, and sees to it that the next one is of a size that the broker answers for in time.
    async fn publish(&mut self, events: &[Arc<RecordedEvent>]) -> Result<Vec<Confirmation>, BusError> {
        let published = self.bus.publish(events).await;
        self.window = match &published {
            // Slowly, since one that is too large again is sent in vain.
            Ok(_) if events.len() >= self.window => (self.window + self.window / 16 + 1).min(BATCH_MAX),
            Err(BusError::Unavailable(_)) => (events.len() / 2).max(1),
            Ok(_) | Err(_) => self.window,
        };
        published
    }

    /// Whether this relay is the one that publishes. A lock that was seen within `trust` counts as held; one that was
    /// lost is taken again only in the next round, which begins at the noted position.
    async fn leads(&mut self, trust: Duration) -> Result<bool, RoundError> {
        if self.start == RelayStart::Head {
            return Ok(true);
        }
        match &self.lock {
            Some(_) if self.lock_seen.elapsed() < trust => return Ok(true),
            Some(lock) if lock.is_held().await => {}
            Some(_) => {
                tracing::warn!("the relay lost its lock; it takes it again or stands by");
                self.lock = None;
                return Ok(false);
            }
            None => {
                self.lock = self.log.duty_lock(Duty::RELAY).await?;
                if self.lock.is_some() {
                    tracing::info!("this process relays from now on");
                }
            }
        }
        self.lock_seen = Instant::now();
        Ok(self.lock.is_some())
    }

    async fn take_up_noted(&mut self) -> Result<(), RoundError> {
        self.published = self.log.checkpoint(CHECKPOINT).await?.unwrap_or_default();
        self.noted = (self.published, Instant::now());
        Ok(())
    }

    /// Notes how far it has come, unless that is noted.
    async fn note(&mut self) -> Result<(), LogError> {
        if self.start == RelayStart::Noted && self.published > self.noted.0 {
            self.log.raise_checkpoint(CHECKPOINT, self.published).await?;
            self.noted = (self.published, Instant::now());
        }
        Ok(())
    }

    async fn note_at_the_end(&mut self) {
        let noted = tokio::time::timeout(LEAVE_WITHIN, self.note()).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::warn!(
                relay.published = self.published.0,
                "the relay could not note how far it came; the next one publishes some of it again"
            );
        }
    }

    async fn begin(&mut self) -> Result<(), RoundError> {
        match self.start {
            RelayStart::Head => self.published = self.log.head().await?,
            RelayStart::Noted => self.take_up_noted().await?,
        }
        Ok(self.bus.begin_after(self.published).await?)
    }

    /// Moves the checkpoint up to the first event that is not confirmed, and fails if there is one.
    async fn advance(
        &mut self,
        events: &[Arc<RecordedEvent>],
        confirmations: &[Confirmation],
    ) -> Result<(), RoundError> {
        let is_published = |confirmation: Confirmation| {
            matches!(
                confirmation,
                Confirmation::Ok | Confirmation::Untagged | Confirmation::LeftToTheLog
            )
        };
        let confirmed = confirmations
            .iter()
            .take_while(|confirmation| is_published(**confirmation))
            .count();
        if let Some(last) = events[..confirmed.min(events.len())].last() {
            self.published = last.position;
            if self.noted.1.elapsed() >= NOTE_EVERY {
                self.note().await?;
            }
        }
        match (events.get(confirmed), confirmations.get(confirmed)) {
            (Some(event), Some(confirmation)) => Err(RoundError::NotPublished(event.position, *confirmation)),
            (Some(event), None) => Err(RoundError::NotPublished(event.position, Confirmation::Refused)),
            (None, _) => Ok(()),
        }
    }

    fn rest_after(&self, published: usize) -> Rest {
        match (published, self.start) {
            (BUSY_FROM.., RelayStart::Head) => Rest::For(BUSY_INTERVAL),
            (BUSY_FROM.., RelayStart::Noted) => Rest::For(BUSY_INTERVAL_BROKER),
            _ => Rest::UntilMoved,
        }
    }

    fn failed(&self, error: RoundError) -> Result<(), RelayError> {
        let error = match error.fatal() {
            Ok(fatal) => return Err(self.stopped(fatal)),
            Err(error) => error,
        };
        let error = chain_of(&error);
        tracing::warn!(
            relay.published = self.published.0,
            error,
            "the relay could not publish; it tries again"
        );
        self.tell(Some(error));
        Ok(())
    }

    fn stopped(&self, error: RelayError) -> RelayError {
        let chain = chain_of(&error);
        tracing::error!(
            relay.published = self.published.0,
            error = chain,
            "the relay stopped"
        );
        self.tell(Some(chain));
        error
    }

    fn tell(&self, last_error: Option<String>) {
        let leads = self.start == RelayStart::Head || self.lock.is_some();
        let status = RelayStatus {
            role: if leads {
                RelayRole::Leading
            } else {
                RelayRole::Standby
            },
            published: self.published,
            last_error,
        };
        self.status.send_if_modified(|before| {
            let changed = *before != status;
            *before = status;
            changed
        });
    }
}

/// What the relay does between two rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing: there may be more.
    None,
    /// Waits for so long.
    For(Duration),
    /// Waits for the log's head to move, or for the next look at the lock.
    UntilMoved,
}

fn bytes_of(events: &[Arc<RecordedEvent>]) -> usize {
    events.iter().map(|event| event.record.len()).sum()
}

/// Ends when the relay was asked to stop and had time enough for it.
async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(LEAVE_WITHIN).await;
}

/// Rests, unless the end comes first.
async fn rest(shutdown: &CancellationToken, head: &mut watch::Receiver<Position>, rest: Rest) {
    let (wait, wake) = match rest {
        Rest::None => return,
        Rest::For(wait) => (wait, false),
        Rest::UntilMoved => (LOCK_EVERY, true),
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        Ok(()) = head.changed(), if wake => {}
        () = tokio::time::sleep(wait) => {}
    }
}
