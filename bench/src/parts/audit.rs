//! What the Merkle tree costs appends, and how long a proof takes on a long log.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventing::notes::SigningKey;
use eventing::sealer::{Sealer, SealerSettings};
use eventing::{EventLog, Keys, LogConfig, MasterKey, Position};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_util::sync::CancellationToken;

use super::Setting;
use super::appends::{append_events, append_for};
use crate::cpu::CpuWatch;
use crate::numbers::{Latencies, thousands};
use crate::report::Row;

/// Callers at a time, and events each appends at once.
const SHAPES: [(usize, usize); 2] = [(64, 1), (4, 500)];
/// Rounds with the tree and without it, in turns; the middle one counts.
const ROUNDS: usize = 5;
/// More often than anybody needs, so that signing is part of what is measured.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Records that proofs are made of.
const LONG: u64 = 1_000_000;
const LONG_QUICK: u64 = 20_000;
const PROOFS: usize = 5_000;

/// Runs the part.
///
/// # Errors
/// When the log refuses an append, or has no proof.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (callers, events) in SHAPES {
        rows.push(appends(setting, callers, events).await?);
    }
    rows.extend(proofs(setting).await?);
    Ok(rows)
}

/// Events appended a second with the tree growing beside, and without it.
async fn appends(setting: &Setting, callers: usize, events: usize) -> Result<Row> {
    let watch = CpuWatch::start();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..setting.pick(1, ROUNDS) {
        without.push(one_round(setting, callers, events, false).await?);
        with.push(one_round(setting, callers, events, true).await?);
    }
    let (with, without) = (middle(with), middle(without));
    let what = format!("events appended with the tree on, {callers} callers, {events} at once");
    let row = Row::new(what, format!("{}/s", thousands(with)), watch.others());
    let peer = format!("with the tree off: {}/s", thousands(without));
    Ok(row.beside(peer, with / without).reach(">= 0.9x"))
}

/// What the tree is behind at the end is caught up with within the time that counts.
async fn one_round(setting: &Setting, callers: usize, events: usize, sealed: bool) -> Result<f64> {
    let folder = setting.temporary()?;
    let log = EventLog::open(LogConfig::new(folder.path())).await?;
    let sealer = sealer(&log, folder.path()).await?;
    let stopping = CancellationToken::new();
    let began = Instant::now();
    let sealing = sealed.then(|| tokio::spawn(sealer.run(stopping.clone())));
    let count = append_for(&log, callers, events, setting.duration() / 2).await?;
    if let Some(sealing) = sealing {
        stopping.cancel();
        sealing.await?;
        log.tree().extend_to(log.head().await?.0).await?;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

async fn sealer(log: &EventLog, folder: &Path) -> Result<Sealer> {
    let keys = Keys::open(folder, MasterKey::load_or_create(folder)?).await?;
    let settings = SealerSettings {
        key: Some(SigningKey::generate("bench")?),
        checkpoint_interval: Some(CHECKPOINT_INTERVAL),
    };
    Ok(Sealer::new(log.clone(), keys, settings))
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A long log: how fast its tree is made from nothing, and how long a proof takes.
async fn proofs(setting: &Setting) -> Result<[Row; 2]> {
    let folder = setting.temporary()?;
    let log = EventLog::open(LogConfig::new(folder.path())).await?;
    append_events(&log, setting.pick(LONG_QUICK, LONG)).await?;
    // A handle that has nothing in memory, as after a start.
    let log = EventLog::open(LogConfig::new(folder.path())).await?;
    let (tree, size) = (log.tree(), log.head().await?.0);
    let watch = CpuWatch::start();
    let began = Instant::now();
    tree.extend_to(size).await?;
    let rate = size as f64 / began.elapsed().as_secs_f64();
    let made = Row::new(
        format!("records a second taken into the tree of a log of {size}"),
        format!("{}/s", thousands(rate)),
        watch.others(),
    );
    let watch = CpuWatch::start();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut took = Latencies::default();
    for _ in 0..PROOFS {
        let position = Position(random.random_range(1..=size));
        let began = Instant::now();
        tree.inclusion(position, size).await.context("a proof")?;
        took.push(began.elapsed());
    }
    let proof = Row::new(
        format!("inclusion proof in a log of {size}, made and verified"),
        took.p50_p99(),
        watch.others(),
    );
    Ok([made, proof.reach("< 1 ms")])
}
