//! Events appended a second by the log itself, without HTTP and rules.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use eventing::{Append, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, SchemaVersion, StreamId};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Setting;
use super::limits::syncs_per_second;
use crate::cpu::CpuWatch;
use crate::numbers::thousands;
use crate::report::Row;

/// Callers at a time, and events each appends at once.
const SHAPES: [(usize, usize); 4] = [(1, 1), (64, 1), (256, 1), (4, 500)];
/// About what a sealed rating takes.
const PAYLOAD_BYTES: usize = 300;

/// Runs the part.
///
/// # Errors
/// When the log refuses an append.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (callers, events) in SHAPES {
        let folder = setting.temporary()?;
        let syncs = syncs_per_second(folder.path(), setting.duration() / 4)?;
        let watch = CpuWatch::start();
        let rate = appended(folder.path(), callers, events, setting.duration()).await?;
        let what = format!("events appended by the log alone, {callers} callers, {events} at once");
        let row = Row::new(what, format!("{}/s", thousands(rate)), watch.others());
        rows.push(row.beside(
            format!("the disk's own: {} syncs/s", thousands(syncs)),
            rate / syncs,
        ));
    }
    Ok(rows)
}

async fn appended(folder: &Path, callers: usize, events: usize, duration: Duration) -> Result<f64> {
    let log = EventLog::open(LogConfig::new(folder)).await?;
    let began = Instant::now();
    let count = append_for(&log, callers, events, duration).await?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// Lets `callers` append `events` at once again and again for `duration`, and hands back how many there were.
pub(super) async fn append_for(
    log: &EventLog,
    callers: usize,
    events: usize,
    duration: Duration,
) -> Result<usize> {
    let began = Instant::now();
    append_while(log, callers, events, move |_| began.elapsed() < duration).await
}

/// Appends about `count` events, as fast as it goes.
pub(super) async fn append_events(log: &EventLog, count: u64) -> Result<()> {
    const CALLERS: usize = 4;
    const EVENTS: usize = 500;
    let share = (count as usize).div_ceil(CALLERS);
    append_while(log, CALLERS, EVENTS, move |appended| appended < share).await?;
    Ok(())
}

/// Each caller goes on while `more` holds of how many events it has appended.
async fn append_while(
    log: &EventLog,
    callers: usize,
    events: usize,
    more: impl Fn(usize) -> bool + Copy + Send + 'static,
) -> Result<usize> {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let log = log.clone();
        tasks.spawn(async move {
            let stream = StreamId::new("bench", Uuid::now_v7());
            let mut count = 0;
            while more(count) {
                let events: Vec<NewEvent> = (0..events).map(|_| event()).collect();
                count += events.len();
                log.append(Append::new(
                    stream.clone(),
                    ExpectedVersion::Any,
                    events,
                    Metadata::new(),
                ))
                .await?;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(count)
}

fn event() -> NewEvent {
    let payload = format!(r#"{{"filler":"{}"}}"#, "x".repeat(PAYLOAD_BYTES));
    NewEvent::new("bench.appended", SchemaVersion(1), payload)
}
