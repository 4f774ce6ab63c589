//! From the start of the embedded form until it is ready.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::{START_LIMIT, Setting};
use super::TRACKS;
use crate::cpu::CpuWatch;
use crate::numbers::{Latencies, millis, thousands};
use crate::report::Row;
use crate::server::Program;

/// On a new folder, which gets its keys, log and views, and on one with a catalogue.
pub(super) async fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let times = setting.pick(2, 10);
    let watch = CpuWatch::start();
    let mut new = Latencies::default();
    for _ in 0..times {
        let folder = setting.temporary()?;
        new.push(started(&setting.bare_program(folder.path())).await?);
    }
    let others = watch.others();
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), TRACKS).await?;
    let watch = CpuWatch::start();
    let mut full = Latencies::default();
    for _ in 0..times {
        full.push(started(&program).await?);
    }
    let tracks = format!("a folder with {} tracks", thousands(TRACKS as f64));
    Ok(vec![
        row("a new folder", &new, others),
        row(&tracks, &full, watch.others()),
    ])
}

/// Starts a server, waits until it is ready, and stops it.
async fn started(program: &Program) -> Result<Duration> {
    let began = Instant::now();
    let server = program.serve(START_LIMIT).await?;
    let took = began.elapsed();
    server.stop().await?;
    Ok(took)
}

fn row(on: &str, took: &Latencies, others: f64) -> Row {
    let value = format!(
        "p50 {}, longest of {} {}",
        millis(took.quantile(0.5)),
        took.count(),
        millis(took.quantile(1.0))
    );
    Row::new(format!("start to ready, embedded, {on}"), value, others).reach("< 2 s")
}
