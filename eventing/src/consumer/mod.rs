//! A consumer: takes what the bus delivers, and trusts the log.
//!
//! A message says only "stream S is at version V". What is applied already is acknowledged; what follows on is applied;
//! for what is missing the log is read. So loss, duplicates and reordering cost time, never truth. At its start, and
//! every few seconds, a consumer reads from the log what no message told it.
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
mod ledger;
mod lives;
mod patience;
mod plan;
mod settings;
mod status;
mod waiting;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    applier::Applier,
    catch_up::ReadAhead,
    error::Ended,
    ledger::Ledger,
    lives::Lives,
    patience::{Patience, ask_log, ask_store},
    status::{StatusBoard, chain_of},
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
    bus::{Bus, BusError, Deliveries, Delivery, Malformed},
    failpoint,
};

/// A named reader of one queue. Several of one name, in one or more processes, share the work.
pub struct Consumer<H> {
    bus: Bus,
    queue: String,
    applier: Applier<H>,
    status: Arc<StatusBoard>,
    head: watch::Receiver<Position>,
    lives: Lives,
    /// Every event at or below was seen: it is stored, parked, or its stream waits.
    read_to: Position,
    /// What the handler has stored as its checkpoint, as far as this replica knows.
    checkpoint: Position,
    alarms: Alarms,
}

/// When something is to be done though nothing comes.
struct Alarms {
    heal: Instant,
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
            lives: Lives::new(log.clone(), name),
            status,
            read_to: Position::START,
            checkpoint: Position::START,
            alarms: Alarms {
                heal: now,
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
        let mut deliveries = self.subscribe().await?;
        self.start().await?;
        while !self.is_asked_to_stop() {
            match self.next(&mut deliveries).await? {
                Next::Taken(batch) => self.take_in_step(batch).await?,
                Next::Alarm => {}
                Next::Disconnected => deliveries = self.subscribe().await?,
            }
            self.keep_house(&deliveries).await?;
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
        self.read_to = self.checkpoint;
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

    async fn subscribe(&self) -> Result<Deliveries, Ended> {
        let mut failures = 0;
        loop {
            match self
                .bus
                .consume(&self.queue, self.applier.settings.prefetch)
                .await
            {
                Ok(deliveries) => return Ok(deliveries),
                Err(error @ BusError::Unavailable(_)) => {
                    failures += 1;
                    self.status.failed("reach the bus", &error);
                    self.applier.patience.wait(failures).await?;
                }
                Err(source) => {
                    let consumer = self.applier.patience.consumer;
                    return Err(ConsumerError::Bus { consumer, source }.into());
                }
            }
        }
    }

    async fn next(&self, deliveries: &mut Deliveries) -> Result<Next, Ended> {
        let alarm = self.next_alarm(deliveries).into();
        tokio::select! {
            biased;
            () = self.applier.patience.shutdown.cancelled() => Err(Ended::Asked),
            taken = deliveries.next(self.applier.settings.batch_max) => match taken {
                Ok(batch) => Ok(Next::Taken(batch)),
                Err(error) => {
                    self.status.failed("take deliveries", &error);
                    Ok(Next::Disconnected)
                }
            },
            () = tokio::time::sleep_until(alarm) => Ok(Next::Alarm),
        }
    }

    fn next_alarm(&self, deliveries: &Deliveries) -> Instant {
        let alarms = [
            Some(self.alarms.heal),
            Some(self.alarms.look),
            self.applier.waiting.next_due(),
        ];
        let unsettled = self.can_settle(deliveries).then_some(self.alarms.checkpoint);
        alarms
            .into_iter()
            .chain([unsettled])
            .flatten()
            .min()
            .unwrap_or(self.alarms.heal)
    }

    fn can_settle(&self, deliveries: &Deliveries) -> bool {
        let settled = deliveries.settled().map_or(Position::START, |settled| settled.to);
        self.ceiling(settled.max(self.read_to)) > self.checkpoint
    }

    /// Takes a batch, and after a large one lets the next gather.
    async fn take_in_step(&mut self, batch: Vec<Delivery>) -> Result<(), Ended> {
        let is_busy = batch.len() >= self.applier.settings.busy_from;
        let next = Instant::now() + self.applier.settings.busy_interval;
        self.take(batch).await?;
        if is_busy {
            tokio::select! {
                () = self.applier.patience.shutdown.cancelled() => {}
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
        Ok(())
    }

    /// Applies a batch of deliveries, then acknowledges it.
    async fn take(&mut self, batch: Vec<Delivery>) -> Result<(), Ended> {
        if batch.is_empty() {
            return Ok(());
        }
        let head = self.head_for(&batch).await?;
        let events = batch.iter().filter_map(|delivery| delivery.content.as_ref().ok());
        let known = events.filter(|event| event.position <= head);
        let wanted = known
            .filter(|event| self.applier.handler.wants(&event.stream))
            .cloned()
            .collect();
        self.applier.apply(wanted).await?;
        failpoint!("consumer.before_ack");
        for delivery in batch {
            self.answer(delivery, head).await;
        }
        Ok(())
    }

    /// The log's head, asked for only when the batch lies beyond what is known of it.
    async fn head_for(&self, batch: &[Delivery]) -> Result<Position, Ended> {
        let known = *self.head.borrow();
        let events = batch.iter().filter_map(|delivery| delivery.content.as_ref().ok());
        if events.map(|event| event.position).max() <= Some(known) {
            return Ok(known);
        }
        let log = &self.applier.log;
        Ok(ask_log!(self.applier.patience, "read the log's head", log.head()))
    }

    /// Acknowledges, unless the delivery's stream waits, or it is no event of this log.
    async fn answer(&mut self, delivery: Delivery, head: Position) {
        let answered = match delivery.content.clone() {
            Ok(event) if event.position <= head => match self.applier.waiting.hold(&event.stream, delivery) {
                Some(delivery) => delivery.ack().await,
                None => Ok(()),
            },
            Ok(event) => {
                let unknown = Malformed(format!("position {} is not in the log", event.position));
                self.set_aside(delivery, &unknown).await
            }
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
    async fn keep_house(&mut self, deliveries: &Deliveries) -> Result<(), Ended> {
        let now = Instant::now();
        if self.applier.waiting.next_due().is_some_and(|due| due <= now) {
            self.applier.retry_due().await?;
        }
        if let Some(settled) = deliveries.settled() {
            if settled.after > self.read_to {
                self.catch_up().await?;
            }
            if settled.after <= self.read_to {
                self.read_to = self.read_to.max(settled.to);
            }
        }
        if self.alarms.heal <= now {
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

    /// Finds what no message told, and whether the checkpoint was really stored.
    async fn heal(&mut self) -> Result<(), Ended> {
        self.catch_up().await?;
        let handler = Arc::clone(&self.applier.handler);
        self.checkpoint = ask_store!(self.applier.patience, "read its checkpoint", handler.checkpoint());
        Ok(())
    }

    /// Applies what the log has above [`Consumer::read_to`].
    async fn catch_up(&mut self) -> Result<(), Ended> {
        let mut failures = 0;
        while let Err(error) = self.read_to_head().await? {
            let patience = self.applier.patience.clone();
            patience.log_failed(&mut failures, "read the log", error).await?;
        }
        self.alarms.heal = Instant::now() + self.applier.settings.heal_every;
        Ok(())
    }

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
        if position > self.checkpoint {
            let handler = Arc::clone(&self.applier.handler);
            let stored = AssertUnwindSafe(handler.handle(Vec::new(), Some(position)))
                .catch_unwind()
                .await;
            if stored.is_err() {
                let what = "it panicked over a checkpoint".to_owned();
                return Err(ConsumerError::HandlerBroke {
                    consumer: handler.name(),
                    what,
                }
                .into());
            }
            self.checkpoint = position;
        }
        self.alarms.checkpoint = Instant::now() + self.applier.settings.checkpoint_every;
        Ok(())
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
