//! Events appended a second by the log itself, without HTTP and rules.

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

async fn appended(
    folder: &std::path::Path,
    callers: usize,
    events: usize,
    duration: Duration,
) -> Result<f64> {
    let log = EventLog::open(LogConfig::new(folder)).await?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let log = log.clone();
        tasks.spawn(async move {
            let stream = StreamId::new("bench", Uuid::now_v7());
            let mut count = 0;
            while began.elapsed() < duration {
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
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

fn event() -> NewEvent {
    let payload = format!(r#"{{"filler":"{}"}}"#, "x".repeat(PAYLOAD_BYTES));
    NewEvent::new("bench.appended", SchemaVersion(1), payload)
}
