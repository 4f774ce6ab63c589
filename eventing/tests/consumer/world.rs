//! A log, a bus, a store, and consumers that come and go.

use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

use eventing::{
    Append, DeadLetterRow, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, Position, RecordedEvent,
    SchemaVersion, StreamId,
    bus::{Bus, Topology},
    consumer::{Consumer, ConsumerError, ConsumerSettings, ConsumerStatus},
    dead_letters::DeadLetters,
    relay::{Relay, RelayStart},
    testing::TempDir,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::recorder::Recorder;

/// Longer than any wait for something that is bound to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const QUEUE: &str = "work";

pub(crate) struct World {
    _dir: TempDir,
    pub(crate) log: EventLog,
    /// The same log, as another process has it.
    elsewhere: EventLog,
    pub(crate) bus: Bus,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) settings: ConsumerSettings,
}

/// A consumer that runs.
pub(crate) struct Running {
    pub(crate) status: watch::Receiver<ConsumerStatus>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), ConsumerError>>,
}

pub(crate) fn stream(number: u128) -> StreamId {
    StreamId::new("thing", Uuid::from_u128(number))
}

/// Bounds for tests: quick retries, and a look at the log so seldom that nothing passes because of it.
fn settings() -> ConsumerSettings {
    ConsumerSettings {
        heal_every: Duration::from_secs(3_600),
        trail_every: Duration::from_secs(3_600),
        look_every: Duration::from_millis(10),
        attempts_max: 3,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        ..ConsumerSettings::default()
    }
}

async fn append_to(log: &EventLog, stream: &StreamId, count: usize) -> Vec<Arc<RecordedEvent>> {
    let new = |_| NewEvent::new("thing.happened", SchemaVersion(1), "{}");
    let events = (0..count).map(new).collect();
    let append = Append::new(stream.clone(), ExpectedVersion::Any, events, Metadata::new());
    let appended = log.append(append).await.expect("appended");
    appended.events.into_iter().map(Arc::new).collect()
}

impl World {
    /// A new log, and a bus as the test program has it.
    pub(crate) async fn new() -> Self {
        Self::on(crate::fresh_bus().await).await
    }

    /// A new log beside `bus`, on which a queue is declared.
    pub(crate) async fn on(bus: Bus) -> Self {
        let mut topology = Topology::by_tag(|_| Some(QUEUE), &[QUEUE]);
        topology.queues[0].length_max = 1_000;
        bus.declare(&topology).await.expect("the topology is declared");
        Self::beside(bus).await
    }

    /// A new log beside `bus`, as it is.
    pub(crate) async fn beside(bus: Bus) -> Self {
        let dir = TempDir::new();
        let open = async || EventLog::open(LogConfig::new(dir.path())).await;
        let log = open().await.expect("a new log opens");
        let elsewhere = open().await.expect("it opens again");
        Self {
            _dir: dir,
            log,
            elsewhere,
            bus,
            recorder: Arc::default(),
            settings: settings(),
        }
    }

    /// Appends `count` events to a stream, in one append, as another process: no consumer hears of it.
    pub(crate) async fn append(&self, stream: &StreamId, count: usize) -> Vec<Arc<RecordedEvent>> {
        append_to(&self.elsewhere, stream, count).await
    }

    /// The same as the consumers' own process.
    pub(crate) async fn append_here(&self, stream: &StreamId, count: usize) -> Vec<Arc<RecordedEvent>> {
        append_to(&self.log, stream, count).await
    }

    pub(crate) async fn publish(&self, events: &[Arc<RecordedEvent>]) {
        self.bus.publish(events).await.expect("the bus answers");
    }

    /// Starts a consumer and waits until it is live.
    pub(crate) async fn live(&self) -> Running {
        let mut running = self.start();
        running.until("it is live", ConsumerStatus::is_live).await;
        running
    }

    pub(crate) fn start(&self) -> Running {
        let (recorder, log, bus) = (Arc::clone(&self.recorder), self.log.clone(), self.bus.clone());
        let consumer = Consumer::with_settings(recorder, log, bus, QUEUE, self.settings.clone());
        let (status, shutdown) = (consumer.status(), CancellationToken::new());
        let task = tokio::spawn(consumer.run(shutdown.clone()));
        Running {
            status,
            shutdown,
            task,
        }
    }

    pub(crate) fn relay(&self) -> (CancellationToken, JoinHandle<()>) {
        let shutdown = CancellationToken::new();
        let relay = Relay::new(self.log.clone(), self.bus.clone(), RelayStart::Head).run(shutdown.clone());
        (
            shutdown,
            tokio::spawn(async move { relay.await.expect("the relay stops when asked only") }),
        )
    }

    /// Waits until `stream` is applied up to `version`.
    pub(crate) async fn applied(&self, stream: &StreamId, version: u64) {
        self.until("a stream is applied", || {
            self.recorder.version_of(stream) == version
        })
        .await;
    }

    /// Waits until the stored checkpoint is at `position` or above.
    pub(crate) async fn checkpoint(&self, position: Position) {
        self.until("the checkpoint is stored", || {
            self.recorder.stored_checkpoint() >= position
        })
        .await;
    }

    /// Waits until the queue holds nothing.
    pub(crate) async fn drained(&self) {
        let start = Instant::now();
        loop {
            let depth = self.bus.depth(QUEUE).await.expect("the queue is there");
            if depth.ready == 0 && depth.unacknowledged.unwrap_or_default() == 0 {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the queue still holds {depth:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until `count` messages wait in `queue`.
    pub(crate) async fn holds(&self, queue: &str, count: usize) {
        self.holds_from(queue, count..=count).await;
    }

    /// Waits until some number of messages in `counts` waits in `queue`.
    pub(crate) async fn holds_from(&self, queue: &str, counts: RangeInclusive<usize>) {
        let start = Instant::now();
        loop {
            let depth = self.bus.depth(queue).await.expect("the queue is there");
            if counts.contains(&depth.ready) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{queue} holds {depth:?}, not {counts:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The one event that is set aside.
    pub(crate) async fn one_dead_letter(&self) -> DeadLetterRow {
        let letters = DeadLetters::new(self.log.clone());
        let mut rows = letters.list(Some("recorder"), 10).await.expect("the log answers");
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until a handler hangs, then ends its consumer as a crash would.
    pub(crate) async fn crash_when_hanging(&self, running: Running) {
        let hanging = tokio::time::timeout(PATIENCE, self.recorder.hanging.0.acquire()).await;
        hanging.expect("a handler hangs in time").expect("open").forget();
        running.crash().await;
    }
}

impl Running {
    pub(crate) async fn until(&mut self, what: &str, holds: impl FnMut(&ConsumerStatus) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.status.wait_for(holds))
            .await
            .map(|status| status.is_ok());
        assert_eq!(
            waited,
            Ok(true),
            "waited in vain until {what}: {:?}",
            self.status.borrow()
        );
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it stops in time");
        ended.expect("it does not panic").expect("it was asked to stop");
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits until it ends by itself.
    pub(crate) async fn fails(self) -> ConsumerError {
        let ended = tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it ends in time");
        ended
            .expect("it does not panic")
            .expect_err("it was not asked to stop")
    }
}
