//! A consumer: takes what the bus delivers, and trusts the log.
//!
//! A message says only "stream S is at version V". What is applied already is acknowledged; what follows on is applied;
//! for what is missing the log is read. So loss, duplicates and reordering cost time, never truth. At its start, and
//! every few seconds, a consumer reads from the log what no message told it; so it does while the bus is away.
//!
//! The in-process bus vouches for what is acknowledged, so the checkpoint follows without a look at the log. A broker
//! knows no positions: there the checkpoint trails the head by up to [`ConsumerSettings::trail_every`], and one look at
//! the log shows that nothing is missing below it. Replicas share this: each goes on from the highest checkpoint stored.
//!
//! Beside a broker a consumer also hears of what its own process appends, as soon as that is durable. The message that comes
//! later is then about something that is applied already; an append that was not heard costs the way by the broker.
//!
//! # Invariants
//! 1. The order is: handle, store the effect, then acknowledge; the checkpoint comes last.
//! 2. Everything wanted at or below the checkpoint is stored, parked as a dead letter, or skipped.
//! 3. A stream that fails holds up nothing but itself. Its attempts are counted, durably, before each further one;
//!    after too many it is parked, also when the process dies in each of them.
//! 4. A consumer that stops without being asked returns an error and says so in its [`ConsumerStatus`].
//!
//! Not here: what an event does ([`Handler`]), and what people do about dead letters
//! ([`dead_letters`](crate::dead_letters)).

mod applier;
mod catch_up;
mod error;
mod handler;
mod known;
mod ledger;
mod lives;
mod own;
mod patience;
mod plan;
mod settings;
mod status;
mod subscription;
mod waiting;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::status::chain_of;
use self::{
    applier::Applier,
    catch_up::ReadAhead,
    error::Ended,
    known::{Known, to_prove},
    ledger::Ledger,
    lives::Lives,
    own::Own,
    patience::{Patience, ask_log, ask_store},
    status::StatusBoard,
    subscription::Subscription,
    waiting::Waiting,
};
pub use self::{
    error::ConsumerError,
    handler::{DeadLetterReason, HaltReason, Handler, HandlerError, Run, Verdict},
    settings::ConsumerSettings,
    status::{ConsumerState, ConsumerStatus},
};
use crate::{
    EventLog, Position, RecordedEvent,
    bus::{Bus, BusError, Delivery, Malformed, Settled},
    failpoint, jitter,
};

/// The wait after a checkpoint that was not stored, or not in full.
const CHECKPOINT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A named reader of one queue. Several of one name, in one or more processes, share the work.
pub struct Consumer<H> {
    bus: Bus,
    queue: String,
    applier: Applier<H>,
    status: Arc<StatusBoard>,
    head: watch::Receiver<Position>,
    own: Own,
    lives: Lives,
    /// Every event at or below was seen: it is stored, parked, or its stream waits.
    read_to: Position,
    /// What the handler has stored as its checkpoint, as far as this replica knows.
    checkpoint: Position,
    /// The highest checkpoint that the handler was asked to store, or answered. One that has less lacks something.
    handed: Position,
    /// The handler lacks something: no checkpoint is stored before that was read again.
    must_go_back: bool,
    alarms: Alarms,
}

/// When something is to be done though nothing comes.
struct Alarms {
    heal: Instant,
    trail: Instant,
    look: Instant,
    checkpoint: Instant,
}

impl<H: Handler> Consumer<H> {
    /// A consumer of `queue` on `bus`, which the topology declares, with the usual bounds.
    #[must_use]
    pub fn new(handler: Arc<H>, log: EventLog, bus: Bus, queue: impl Into<String>) -> Self {
        Self::with_settings(handler, log, bus, queue, ConsumerSettings::default())
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_settings(
        handler: Arc<H>,
        log: EventLog,
        bus: Bus,
        queue: impl Into<String>,
        settings: ConsumerSettings,
    ) -> Self {
        let name = handler.name();
        let status = Arc::new(StatusBoard::new(name));
        let patience = Patience {
            consumer: name,
            status: Arc::clone(&status),
            shutdown: CancellationToken::new(),
            min: settings.backoff_min,
            max: settings.backoff_max,
        };
        let now = Instant::now();
        Self {
            bus,
            queue: queue.into(),
            head: log.subscribe_head(),
            own: Own::new(log.clone()),
            lives: Lives::new(log.clone(), name),
            status,
            read_to: Position::START,
            checkpoint: Position::START,
            handed: Position::START,
            must_go_back: false,
            alarms: Alarms {
                heal: now,
                trail: now,
                look: now,
                checkpoint: now,
            },
            applier: Applier {
                ledger: Ledger::new(log.clone(), name),
                handler,
                log,
                waiting: Waiting::default(),
                settings,
                patience,
                careful: false,
                went_well: None,
            },
        }
    }

    /// Where it stands, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ConsumerStatus> {
        self.status.subscribe()
    }

    /// Works until `shutdown`: then it finishes and acknowledges the batch in hand, and leaves. What it still held
    /// comes again. Dropping the future is safe too, and like a crash.
    ///
    /// # Errors
    /// [`ConsumerError`]: it stopped without being asked, and a person must look. What was not acknowledged comes again.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ConsumerError> {
        self.applier.patience.shutdown = shutdown;
        match self.work().await {
            Ok(()) | Err(Ended::Asked) => {
                self.leave().await;
                Ok(())
            }
            Err(Ended::Broken(error)) => {
                let chain = chain_of(&error);
                tracing::error!(consumer.name = self.applier.patience.consumer, error = %chain, "a consumer stopped");
                self.status.update(|status| {
                    status.state = ConsumerState::Halted;
                    status.last_error = Some(chain);
                });
                Err(error)
            }
        }
    }

    async fn leave(&self) {
        if let Err(error) = self.lives.end().await {
            self.status.failed("note its end", &error);
        }
        self.status.update(|status| status.state = ConsumerState::Stopped);
    }

    async fn work(&mut self) -> Result<(), Ended> {
        self.start().await?;
        let prefetch = self.applier.settings.prefetch;
        let mut inbox = Subscription::new(self.bus.clone(), self.queue.clone(), prefetch);
        while !self.is_asked_to_stop() {
            match self.next(&mut inbox).await? {
                Next::Taken(batch) => {
                    let own = self.heard(inbox.settled());
                    self.take_in_step(batch, own).await?;
                }
                Next::Alarm | Next::Disconnected => {}
            }
            self.keep_house(inbox.settled()).await?;
        }
        Ok(())
    }

    fn is_asked_to_stop(&self) -> bool {
        self.applier.patience.shutdown.is_cancelled()
    }

    /// Brings the handler up to the log's head before anything is taken from the queue.
    async fn start(&mut self) -> Result<(), Ended> {
        let patience = self.applier.patience.clone();
        let handler = Arc::clone(&self.applier.handler);
        self.checkpoint = ask_store!(patience, "read its checkpoint", handler.checkpoint());
        (self.handed, self.read_to) = (self.checkpoint, self.checkpoint);
        self.applier.careful = ask_log!(patience, "note its start", self.lives.begin(self.checkpoint));
        if self.applier.careful {
            tracing::warn!(
                consumer.name = patience.consumer,
                "it died here before: one event at a time"
            );
        }
        self.applier.look_at_decisions().await?;
        self.catch_up().await?;
        self.applier.careful = false;
        self.status.update(|status| {
            status.state = ConsumerState::Live;
            status.live_since = Some(Instant::now());
        });
        Ok(())
    }

    async fn next(&self, inbox: &mut Subscription) -> Result<Next, Ended> {
        let settled = inbox.settled();
        let alarm = self.next_alarm(settled).into();
        let (mut head, read_to) = (self.head.clone(), self.read_to);
        let is_abreast = settled.is_none() && !self.trails(settled);
        tokio::select! {
            biased;
            () = self.applier.patience.shutdown.cancelled() => Err(Ended::Asked),
            taken = inbox.next(self.applier.settings.batch_max) => match taken {
                Ok(batch) => Ok(Next::Taken(batch)),
                Err(error) => self.without_bus(error),
            },
            () = self.own.wait(read_to), if settled.is_none() => Ok(Next::Taken(Vec::new())),
            () = tokio::time::sleep_until(alarm) => Ok(Next::Alarm),
            Ok(_) = head.wait_for(|head| *head > read_to), if is_abreast => Ok(Next::Alarm),
        }
    }

    /// Goes on without the bus, unless that would last for ever.
    fn without_bus(&self, error: BusError) -> Result<Next, Ended> {
        match error {
            BusError::Unavailable(_) | BusError::Misconfigured(_) => {
                self.status
                    .failed("take deliveries, so it goes by the log", &error);
                Ok(Next::Disconnected)
            }
            source => {
                let consumer = self.applier.patience.consumer;
                Err(ConsumerError::Bus { consumer, source }.into())
            }
        }
    }

    fn next_alarm(&self, settled: Option<Settled>) -> Instant {
        let alarms = [
            Some(self.alarms.heal),
            Some(self.alarms.look),
            self.applier.waiting.next_due(),
        ];
        let unsettled = self.can_settle(settled).then_some(self.alarms.checkpoint);
        let trailing = self.trails(settled).then_some(self.alarms.trail);
        alarms
            .into_iter()
            .chain([unsettled, trailing])
            .flatten()
            .min()
            .unwrap_or(self.alarms.heal)
    }

    /// Whether the checkpoint may be behind, with no bus that could say that nothing is missing.
    fn trails(&self, settled: Option<Settled>) -> bool {
        settled.is_none() && *self.head.borrow() > self.read_to
    }

    fn can_settle(&self, settled: Option<Settled>) -> bool {
        let settled = settled.map_or(Position::START, |settled| settled.to);
        self.ceiling(settled.max(self.read_to)) > self.checkpoint
    }

    /// What this process has appended and no message has told of. A bus in this process tells as soon.
    fn heard(&mut self, settled: Option<Settled>) -> Vec<Arc<RecordedEvent>> {
        match settled {
            Some(_) => Vec::new(),
            None => self.own.take(self.read_to, self.applier.settings.batch_max),
        }
    }

    /// Takes a batch and what was heard, and after much of it lets the next gather.
    async fn take_in_step(
        &mut self,
        batch: Vec<Delivery>,
        own: Vec<Arc<RecordedEvent>>,
    ) -> Result<(), Ended> {
        let interval = self.applier.settings.interval_after(batch.len() + own.len());
        let next = Instant::now() + interval;
        self.take(batch, own).await?;
        if !interval.is_zero() {
            self.rest_until(next).await;
        }
        Ok(())
    }

    /// Waits, unless it is asked to stop.
    async fn rest_until(&self, next: Instant) {
        tokio::select! {
            () = self.applier.patience.shutdown.cancelled() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }

    /// Applies a batch of deliveries and what was heard, then acknowledges.
    async fn take(&mut self, batch: Vec<Delivery>, own: Vec<Arc<RecordedEvent>>) -> Result<(), Ended> {
        if batch.is_empty() && own.is_empty() {
            return Ok(());
        }
        let known = self.known_of(&batch).await?;
        let events = batch.iter().filter_map(|delivery| delivery.content.as_ref().ok());
        let ours = events.filter(|event| known.check(event).is_ok()).cloned();
        let wanted = ours
            .chain(own)
            .filter(|event| self.applier.handler.wants(&event.stream))
            .collect();
        self.applier.apply(wanted).await?;
        failpoint!("consumer.before_ack");
        for delivery in batch {
            self.answer(delivery, &known).await;
        }
        Ok(())
    }

    /// What the log says about a batch. Of its own events, the head is asked for only when they lie beyond what is known.
    async fn known_of(&self, batch: &[Delivery]) -> Result<Known, Ended> {
        let (patience, log) = (&self.applier.patience, &self.applier.log);
        if let Some(positions) = to_prove(batch) {
            let hashes = ask_log!(patience, "read hashes", log.leaf_hashes(positions.clone()));
            return Ok(Known::Records(hashes));
        }
        let known = *self.head.borrow();
        let events = batch.iter().filter_map(|delivery| delivery.content.as_ref().ok());
        if events.map(|event| event.position).max() <= Some(known) {
            return Ok(Known::Head(known));
        }
        Ok(Known::Head(ask_log!(patience, "read the log's head", log.head())))
    }

    /// Acknowledges, unless the delivery's stream waits, or it is no event of this log.
    async fn answer(&mut self, delivery: Delivery, known: &Known) {
        let checked = delivery.content.clone().and_then(|event| {
            known.check(&event)?;
            Ok(event)
        });
        let answered = match checked {
            Ok(event) => match self.applier.waiting.hold(&event.stream, delivery) {
                Some(delivery) => delivery.ack().await,
                None => Ok(()),
            },
            Err(malformed) => self.set_aside(delivery, &malformed).await,
        };
        if let Err(error) = answered {
            self.status.failed("acknowledge", &error);
        }
    }

    async fn set_aside(&self, delivery: Delivery, why: &Malformed) -> Result<(), BusError> {
        self.status.failed("use a message, so it is set aside", why);
        delivery.nack(false).await
    }

    /// Does what is due: retries, the checkpoint, decisions about dead letters, and a look at the log.
    async fn keep_house(&mut self, settled: Option<Settled>) -> Result<(), Ended> {
        let now = Instant::now();
        if self.applier.waiting.next_due().is_some_and(|due| due <= now) {
            self.applier.retry_due().await?;
        }
        if let Some(settled) = settled {
            if settled.after > self.read_to {
                self.catch_up().await?;
            }
            if settled.after <= self.read_to {
                self.read_to = self.read_to.max(settled.to);
            }
        }
        if self.alarms.heal <= now || (self.alarms.trail <= now && self.trails(settled)) {
            self.heal().await?;
        }
        if self.alarms.look <= now {
            self.applier.look_at_decisions().await?;
            self.alarms.look = now + self.applier.settings.look_every;
        }
        if self.alarms.checkpoint <= now {
            self.store_checkpoint().await?;
        }
        self.see_head();
        Ok(())
    }

    /// Finds what no message told, from the checkpoint that is really stored: other replicas may have raised it, and a
    /// store that was lost or put back from a dump has a lower one.
    async fn heal(&mut self) -> Result<(), Ended> {
        self.go_back().await?;
        self.catch_up().await
    }

    /// Goes by what is stored, not by what is believed to be.
    async fn go_back(&mut self) -> Result<(), Ended> {
        let handler = Arc::clone(&self.applier.handler);
        let stored = ask_store!(self.applier.patience, "read its checkpoint", handler.checkpoint());
        if stored < self.handed {
            tracing::warn!(
                consumer.name = handler.name(),
                stored = stored.0,
                believed = self.handed.0,
                "the store has less than was handed to it: it was away, lost or put back; what it may lack is read again"
            );
            self.read_to = stored;
        }
        self.read_to = self.read_to.max(stored);
        (self.checkpoint, self.handed, self.must_go_back) = (stored, stored, false);
        Ok(())
    }

    /// Applies what the log has above [`Consumer::read_to`].
    async fn catch_up(&mut self) -> Result<(), Ended> {
        self.read_on().await?;
        while self.must_go_back {
            self.rest_until(Instant::now() + CHECKPOINT_AGAIN_AFTER).await;
            self.go_back().await?;
            self.read_on().await?;
        }
        let settings = &self.applier.settings;
        self.alarms.heal = Instant::now() + spread(settings.heal_every);
        self.alarms.trail = Instant::now() + spread(settings.trail_every);
        Ok(())
    }

    async fn read_on(&mut self) -> Result<(), Ended> {
        let mut failures = 0;
        while let Err(error) = self.read_to_head().await? {
            let patience = self.applier.patience.clone();
            patience.log_failed(&mut failures, "read the log", error).await?;
        }
        Ok(())
    }

    /// Stops early when the handler lacks something below.
    async fn read_to_head(&mut self) -> Result<Result<(), crate::LogError>, Ended> {
        let log = self.applier.log.clone();
        let mut ahead = ReadAhead::start(log, self.read_to, self.applier.settings.catch_up_batch);
        loop {
            let batch = match ahead.next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            if self.is_asked_to_stop() {
                return Err(Ended::Asked);
            }
            self.apply_batch(batch).await?;
            self.see_head();
            if self.must_go_back {
                return Ok(Ok(()));
            }
        }
    }

    async fn apply_batch(&mut self, batch: Vec<RecordedEvent>) -> Result<(), Ended> {
        let last = batch.last().map_or(self.read_to, |event| event.position);
        let wanted = batch
            .into_iter()
            .filter(|event| self.applier.handler.wants(&event.stream));
        let wanted = wanted.map(Arc::new).collect();
        self.applier.apply(wanted).await?;
        // Earlier lives died at or soon after their checkpoint, so one batch is enough to find where.
        self.applier.careful = false;
        self.read_to = last;
        self.store_checkpoint().await
    }

    /// `position`, or less when a stream waits below it.
    fn ceiling(&self, position: Position) -> Position {
        self.applier
            .waiting
            .ceiling()
            .map_or(position, |ceiling| position.min(ceiling))
    }

    async fn store_checkpoint(&mut self) -> Result<(), Ended> {
        let position = self.ceiling(self.read_to);
        let mut wait = self.applier.settings.checkpoint_every;
        if position > self.checkpoint && !self.must_go_back {
            self.handed = self.handed.max(position);
            let handler = Arc::clone(&self.applier.handler);
            let storing = AssertUnwindSafe(handler.store_checkpoint(position)).catch_unwind();
            let Ok(stored) = storing.await else {
                let (consumer, what) = (handler.name(), "it panicked over a checkpoint".to_owned());
                return Err(ConsumerError::HandlerBroke { consumer, what }.into());
            };
            if !self.learn_checkpoint(stored, position) {
                wait = wait.max(CHECKPOINT_AGAIN_AFTER);
            }
        }
        self.alarms.checkpoint = Instant::now() + wait;
        Ok(())
    }

    /// Knows what is stored by now; whether that is all of `position`. A handler that has less knows that it lacks something: it
    /// is healed at once.
    fn learn_checkpoint(&mut self, stored: Result<Position, HandlerError>, position: Position) -> bool {
        match stored {
            Ok(stored) if stored < position => {
                self.must_go_back = true;
                self.alarms.heal = Instant::now();
            }
            Ok(stored) => {
                self.checkpoint = stored;
                self.handed = self.handed.max(stored);
            }
            Err(error) => self.status.failed("store its checkpoint", &error),
        }
        self.checkpoint >= position
    }

    fn see_head(&self) {
        let head = (*self.head.borrow()).max(self.read_to);
        let checkpoint = self.checkpoint;
        self.status.update(|status| {
            status.head_seen = status.head_seen.max(head);
            status.checkpoint = checkpoint;
        });
    }
}

/// About `every`, so that replicas do not all look at the log at once: the first to look saves the others most of it.
fn spread(every: Duration) -> Duration {
    every * 3 / 4 + jitter::up_to(every / 2)
}

/// What a consumer woke up for.
enum Next {
    Taken(Vec<Delivery>),
    Alarm,
    Disconnected,
}

impl<H> std::fmt::Debug for Consumer<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
