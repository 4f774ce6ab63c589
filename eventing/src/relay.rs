//! Publishes the log to the bus, in order and confirmed.
//!
//! The relay's checkpoint is the highest position up to which everything is confirmed, without a hole. A publish that
//! is refused, or that no queue takes, is not a publish: the relay tries it again and says so. What was published and
//! not yet noted is published again after a crash; consumers know duplicates.
//!
//! Not here: which of several processes relays. Until there is a lock for it, one process of a deployment does.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    EventLog, LogError, Position, RecordedEvent,
    bus::{Bus, BusError, Confirmation},
    failpoint,
};

/// Events published together: a broker's window of outstanding confirmations.
const BATCH_MAX: usize = 500;
/// Events in one batch from which on the log counts as busy.
const BUSY_FROM: usize = 16;
/// While the log is busy, batches begin about this far apart: one reading of the log serves several commits.
const BUSY_INTERVAL: Duration = Duration::from_millis(4);
/// How often the log is asked besides being told of its head: other processes append too.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// The wait after a first failure; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// The name of the relay's checkpoint in the log's database.
const CHECKPOINT: &str = "relay";

/// Where a relay takes up its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayStart {
    /// At the head of the log: for a bus in this process, whose queues are empty and whose consumers read the log.
    Head,
    /// Where the last relay stopped, as noted in the log's database: for a broker, which keeps what it was given.
    Noted,
}

/// How far a relay has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// Everything at or below is confirmed.
    pub published: Position,
    /// Why the last attempt failed; nothing when it went well.
    pub last_error: Option<String>,
}

/// Tails the log and publishes it.
#[derive(Debug)]
pub struct Relay {
    log: EventLog,
    bus: Bus,
    start: RelayStart,
    published: Position,
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
            Self::Bus(error @ (BusError::NotDeclared(_) | BusError::Conflict(_))) => {
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
            published: Position::START,
            last_error: None,
        });
        Self {
            log,
            bus,
            start,
            published: Position::START,
            status,
        }
    }

    /// How far it has come, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    /// Publishes until `shutdown`, waiting out whatever passes.
    ///
    /// # Errors
    /// [`RelayError`]: it stopped without being asked. What is confirmed stays so.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), RelayError> {
        let mut head = self.log.subscribe_head();
        let mut begun = false;
        let mut failures = 0;
        while !shutdown.is_cancelled() {
            let wait = match self.round(&mut begun).await {
                Ok(published) => {
                    failures = 0;
                    self.tell(None);
                    Rest::after(published)
                }
                Err(error) => {
                    failures += 1;
                    self.failed(error)?;
                    Rest::For(BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX))
                }
            };
            rest(&shutdown, &mut head, wait).await;
        }
        Ok(())
    }

    /// Publishes one batch, and answers how many events it had.
    async fn round(&mut self, begun: &mut bool) -> Result<usize, RoundError> {
        if !*begun {
            self.begin().await?;
            *begun = true;
        }
        let events: Vec<Arc<RecordedEvent>> = self
            .log
            .read_after(self.published, BATCH_MAX)
            .await?
            .into_iter()
            .map(Arc::new)
            .collect();
        if events.is_empty() {
            return Ok(0);
        }
        failpoint!("relay.before_publish");
        let confirmations = self.bus.publish(&events).await?;
        failpoint!("relay.after_publish");
        self.advance(&events, &confirmations).await?;
        Ok(events.len())
    }

    async fn begin(&mut self) -> Result<(), RoundError> {
        self.published = match self.start {
            RelayStart::Head => self.log.head().await?,
            RelayStart::Noted => self.log.checkpoint(CHECKPOINT).await?.unwrap_or_default(),
        };
        Ok(self.bus.begin_after(self.published).await?)
    }

    /// Moves the checkpoint up to the first event that is not confirmed, and fails if there is one.
    async fn advance(
        &mut self,
        events: &[Arc<RecordedEvent>],
        confirmations: &[Confirmation],
    ) -> Result<(), RoundError> {
        let is_published =
            |confirmation: Confirmation| matches!(confirmation, Confirmation::Ok | Confirmation::Untagged);
        let confirmed = confirmations
            .iter()
            .take_while(|confirmation| is_published(**confirmation))
            .count();
        if let Some(last) = events[..confirmed.min(events.len())].last() {
            self.published = last.position;
            if self.start == RelayStart::Noted {
                self.log.set_checkpoint(CHECKPOINT, self.published).await?;
            }
        }
        match (events.get(confirmed), confirmations.get(confirmed)) {
            (Some(event), Some(confirmation)) => Err(RoundError::NotPublished(event.position, *confirmation)),
            (Some(event), None) => Err(RoundError::NotPublished(event.position, Confirmation::Refused)),
            (None, _) => Ok(()),
        }
    }

    fn failed(&self, error: RoundError) -> Result<(), RelayError> {
        let error = match error.fatal() {
            Ok(fatal) => return Err(self.stopped(fatal)),
            Err(error) => error,
        };
        tracing::warn!(relay.published = self.published.0, error = %error, "the relay could not publish; it tries again");
        self.tell(Some(error.to_string()));
        Ok(())
    }

    fn stopped(&self, error: RelayError) -> RelayError {
        tracing::error!(relay.published = self.published.0, error = %error, "the relay stopped");
        self.tell(Some(error.to_string()));
        error
    }

    fn tell(&self, last_error: Option<String>) {
        let status = RelayStatus {
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
    /// Waits for the log's head to move, or for the next time to ask.
    UntilMoved,
}

impl Rest {
    fn after(published: usize) -> Self {
        match published {
            BATCH_MAX.. => Self::None,
            BUSY_FROM.. => Self::For(BUSY_INTERVAL),
            _ => Self::UntilMoved,
        }
    }
}

/// Rests, unless the end comes first.
async fn rest(shutdown: &CancellationToken, head: &mut watch::Receiver<Position>, rest: Rest) {
    let (wait, wake) = match rest {
        Rest::None => return,
        Rest::For(wait) => (wait, false),
        Rest::UntilMoved => (POLL_EVERY, true),
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        Ok(()) = head.changed(), if wake => {}
        () = tokio::time::sleep(wait) => {}
    }
}
