//! How many events a second go from the log through a private RabbitMQ to a consumer that does nothing with them.
//!
//! `cargo run --release -p eventing --example rabbitmq_rate -- [events]`

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use eventing::{
    Append, EventId, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, Position, SchemaVersion,
    StreamId, Version,
    bus::{Bus, RabbitMqConfig, Topology},
    consumer::{Consumer, Handler, HandlerError, Run, Verdict},
    relay::{Relay, RelayStart},
    testing::TempDir,
};
use servers::RabbitMq;
use tokio_util::sync::CancellationToken;

const QUEUE: &str = "work";
/// Events of one append; a stream each.
const APPEND: usize = 50;

/// Keeps versions in memory, and nothing else.
#[derive(Default)]
struct Nothing(Mutex<(HashMap<StreamId, Version>, Position, u64)>);

impl Nothing {
    fn count(&self) -> u64 {
        self.0.lock().expect("not poisoned").2
    }
}

impl Handler for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn wants(&self, _stream: &StreamId) -> bool {
        true
    }

    async fn applied(&self, streams: &[StreamId]) -> Result<Vec<Version>, HandlerError> {
        let state = self.0.lock().expect("not poisoned");
        let version = |stream| state.0.get(stream).copied().unwrap_or_default();
        Ok(streams.iter().map(version).collect())
    }

    async fn checkpoint(&self) -> Result<Position, HandlerError> {
        Ok(self.0.lock().expect("not poisoned").1)
    }

    async fn store_checkpoint(&self, position: Position) -> Result<Position, HandlerError> {
        let mut state = self.0.lock().expect("not poisoned");
        state.1 = state.1.max(position);
        Ok(state.1)
    }

    async fn handle(&self, runs: Vec<Run>) -> Vec<Verdict> {
        let mut state = self.0.lock().expect("not poisoned");
        let mut verdicts = Vec::with_capacity(runs.len());
        for run in runs {
            state.2 += run.events.len() as u64;
            let last = run.last().0;
            state.0.insert(run.stream, last);
            verdicts.push(Verdict::Done);
        }
        verdicts
    }

    async fn pass_over(&self, _: &StreamId, _: Version, _: Position) -> Result<(), HandlerError> {
        Ok(())
    }
}

async fn fill(log: &EventLog, events: usize) {
    let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(150));
    for _ in 0..events / APPEND {
        let stream = StreamId::new("thing", EventId::new().0);
        let new = |_| NewEvent::new("thing.happened", SchemaVersion(1), payload.clone());
        let append = Append::new(
            stream,
            ExpectedVersion::NoStream,
            (0..APPEND).map(new).collect(),
            Metadata::new(),
        );
        log.append(append).await.expect("appended");
    }
}

#[expect(clippy::print_stdout, reason = "it is a tool for a person")]
async fn reaches(what: &str, events: usize, count: impl Fn() -> u64) {
    let begun = Instant::now();
    while count() < events as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = begun.elapsed();
    let rate = events as f64 / took.as_secs_f64();
    println!("{what}: {events} events in {took:?}, {rate:.0}/s");
}

#[tokio::main]
async fn main() {
    let asked = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let events: usize = asked.unwrap_or(90_000);
    let dir = TempDir::new();
    let log = EventLog::open(LogConfig::new(dir.path())).await.expect("a log");
    let broker = RabbitMq::start().await.expect("RabbitMQ starts");
    let mut config = RabbitMqConfig::new(broker.host());
    config.port = broker.port();
    broker.user().clone_into(&mut config.user);
    broker.password().clone_into(&mut config.password);
    let bus = Bus::rabbitmq(config);
    let topology = Topology::by_tag(|_| Some(QUEUE), &[QUEUE]);
    bus.declare(&topology).await.expect("declared");

    // The consumer is at the head before anything is there, and looks at the log no more: all comes by the bus.
    let handler = Arc::new(Nothing::default());
    let settings = eventing::consumer::ConsumerSettings {
        heal_every: Duration::from_secs(3_600),
        trail_every: Duration::from_secs(3_600),
        ..Default::default()
    };
    let stop = CancellationToken::new();
    let consumer = || {
        let (handler, log, bus) = (Arc::clone(&handler), log.clone(), bus.clone());
        Consumer::with_settings(handler, log, bus, QUEUE, settings.clone())
    };
    let first = consumer();
    let mut live = first.status();
    let running = tokio::spawn(first.run(stop.clone()));
    live.wait_for(|status| status.is_live()).await.expect("it runs");
    fill(&log, events).await;
    let relay = Relay::new(log.clone(), bus.clone(), RelayStart::Noted);
    let status = relay.status();
    tokio::spawn(relay.run(stop.clone()));
    let published = reaches("published", events, || status.borrow().published.0);
    let consumed = reaches("published and consumed", events, || handler.count());
    tokio::join!(published, consumed);
    stop.cancel();
    running.await.expect("it ends").expect("it was asked to");
}
