//! How many appends a second this machine's disk takes: `cargo run --release -p eventing --example append_rate -- 64 10`
//! for 64 callers and 10 seconds.

use std::time::{Duration, Instant};

use eventing::testing::TempDir;
use eventing::{
    Append, EventId, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, Position, SchemaVersion,
    StreamId,
};
use tokio::task::JoinSet;

/// About the size of a sealed rating.
const PAYLOAD_LEN: usize = 350;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it is a tool for a person")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let callers: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(64);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    let dir = TempDir::new();
    let log = EventLog::open(LogConfig::new(dir.path()))
        .await
        .expect("the log opens");
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        tasks.spawn(call(log.clone(), until));
    }
    let mut waits: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    waits.sort();
    let per_second = waits.len() as u64 / seconds;
    let (half, most) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!("{callers} callers: {per_second} appends/s, p50 {half:?}, p99 {most:?}");
    read_all(&log, waits.len()).await;
}

async fn call(log: EventLog, until: Instant) -> Vec<Duration> {
    let payload = format!(r#"{{"p":"{}"}}"#, "x".repeat(PAYLOAD_LEN));
    let streams: Vec<StreamId> = (0..50)
        .map(|_| StreamId::new("listener", EventId::new().0))
        .collect();
    let mut waits = Vec::new();
    while Instant::now() < until {
        let event = NewEvent::new("listener.track_rated", SchemaVersion(1), payload.clone());
        let stream = streams[waits.len() % streams.len()].clone();
        let start = Instant::now();
        log.append(Append::new(
            stream,
            ExpectedVersion::Any,
            vec![event],
            Metadata::new(),
        ))
        .await
        .expect("an append");
        waits.push(start.elapsed());
    }
    waits
}

#[expect(clippy::print_stdout, reason = "it is a tool for a person")]
async fn read_all(log: &EventLog, count: usize) {
    let start = Instant::now();
    let mut after = Position::START;
    while let Some(last) = log.read_after(after, 4_096).await.expect("the log reads").last() {
        after = last.position;
    }
    println!(
        "{:.0} events/s read, parsed and checked",
        count as f64 / start.elapsed().as_secs_f64()
    );
}
