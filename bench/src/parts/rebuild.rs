//! All views folded again from the log, beside a reader that only reads and parses it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use eventing::{EventLog, LogConfig, Position};

use super::{Setting, fill, serve};
use crate::cpu::CpuWatch;
use crate::numbers::thousands;
use crate::report::Row;

const TRACKS: usize = 10_000;
const PAGE: usize = 1_000;

/// Runs the part.
///
/// # Errors
/// When a tool refuses.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), TRACKS).await?;
    let catalogue = classifier::generator::catalogue(TRACKS, 1);
    let events = fill::fill(program.data(), catalogue, setting.pick(50_000, 1_000_000)).await?;
    // The first start catches up from the log: a rebuild in all but name.
    let watch = CpuWatch::start();
    let began = Instant::now();
    let server = serve(&program).await?;
    server.stop().await?;
    let caught_up = rate(events, began);
    let mut rows = vec![Row::new(
        "first start: catch up, serve, stop",
        per_second(caught_up),
        watch.others(),
    )];

    let scanned = scan(program.data()).await?;
    let watch = CpuWatch::start();
    let began = Instant::now();
    program.tool(&["projections", "rebuild"], "").await?;
    let rebuilt = rate(events, began);
    let row = Row::new(
        format!("rebuild of all views, {} events", thousands(events as f64)),
        per_second(rebuilt),
        watch.others(),
    );
    let row = row.beside(
        format!("paged and parsed scan: {}", per_second(scanned)),
        rebuilt / scanned,
    );
    rows.push(row.reach(">= 100,000 events/s; ratio >= 0.5"));

    let watch = CpuWatch::start();
    let began = Instant::now();
    program.tool(&["audit", "replay"], "").await?;
    let row = Row::new(
        "audit replay: fold again and compare",
        per_second(rate(events, began)),
        watch.others(),
    );
    rows.push(row.reach(">= 100,000 events/s"));
    Ok(rows)
}

async fn scan(data: &Path) -> Result<f64> {
    let log = EventLog::open(LogConfig::new(data)).await?;
    let began = Instant::now();
    let mut after = Position(0);
    loop {
        let page = log.read_after(after, PAGE).await?;
        match page.last() {
            Some(last) => after = last.position,
            None => break,
        }
    }
    ensure!(after.get() > 0, "the log is empty");
    Ok(rate(after.get(), began))
}

fn rate(events: u64, began: Instant) -> f64 {
    events as f64 / began.elapsed().as_secs_f64()
}

fn per_second(rate: f64) -> String {
    format!("{} events/s", thousands(rate))
}
