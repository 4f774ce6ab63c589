//! The production stack under load, with one fault after the other: processes and servers killed and paused, views flushed
//! and set back, the broker's volume lost, ways cut, messages lost, doubled, reordered and poisoned.
//!
//! After every few faults everything is mended, and everything that must hold is checked.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::cluster::{Cluster, Role};
use bench::server::Server;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::trouble::{self, Fault, KINDS, Pauses, Remains};
use crate::world::{SETTLE_LIMIT, World};
use crate::{number, poison, watcher};

/// Faults between two checks.
const FAULTS_PER_CHECK: usize = 4;
/// What a process may hold in memory of its own, whatever happened to it.
const MEMORY_MAX: u64 = 512 << 20;
/// Messages that a queue holds at most, and a window of the relay that was on its way when the queue was full: the rest of a backlog
/// waits in the log.
const QUEUE_MAX: usize = 100_000 + 1_000;
/// A classifier that was away works off at least so many events a second, on a machine full of other work and built for tests.
const EVENTS_PER_SECOND_MIN: u32 = 500;
/// Seeds that once found something: they come first in every run.
const KEPT_SEEDS: &str = include_str!("seeds.txt");
/// Where the seed of a run that failed is noted.
const FAILED_SEEDS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/failed-seeds.txt");

#[test]
fn whatever_happens_to_the_parts_nothing_acknowledged_is_lost_or_done_twice() {
    let _turn = crate::turn();
    let pauses = pauses();
    let steps = number("SEGUE_FAULT_STEPS").unwrap_or(KINDS as u64);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let fresh = number("SEGUE_FAULT_SEED").unwrap_or_else(rand::random);
    let kept = KEPT_SEEDS.lines().filter_map(|line| line.parse().ok());
    for (seed, steps) in kept.map(|seed| (seed, KINDS as u64)).chain([(fresh, steps)]) {
        eprintln!("SEGUE_FAULT_SEED={seed}, {steps} faults");
        if let Err(error) = runtime.block_on(run(seed, steps as usize, pauses)) {
            keep(seed);
            panic!("with SEGUE_FAULT_SEED={seed}, noted in {FAILED_SEEDS}: {error:?}");
        }
    }
}

fn pauses() -> Pauses {
    match number("SEGUE_FAULT_PAUSE_SECONDS") {
        Some(seconds) => Pauses::Each(Duration::from_secs(seconds)),
        None if number("SEGUE_FAULT_STEPS").is_some() => Pauses::Mixed,
        None => Pauses::Short,
    }
}

fn keep(seed: u64) {
    use std::io::Write;
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(FAILED_SEEDS);
    // The seed stands in the message as well.
    let _ = file.and_then(|mut file| writeln!(file, "{seed}"));
}

async fn run(seed: u64, steps: usize, pauses: Pauses) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), crate::MODELS).await?;
    let mut world = World::on_cluster(&mut cluster, seed).await?;
    let (mut checked, mut remains) = (Vec::new(), Remains::of(&cluster)?);
    for step in 0..steps {
        let fault = trouble::draw(&mut random, step, pauses);
        let lead = Duration::from_millis(random.random_range(0..300));
        one_fault(&mut cluster, &mut world, &mut remains, &fault, lead)
            .await
            .with_context(|| format!("fault {step}: {fault:?}"))?;
        if (step + 1) % FAULTS_PER_CHECK == 0 || step + 1 == steps {
            check(&mut cluster, &mut world, &mut checked)
                .await
                .with_context(|| format!("after fault {step}: {fault:?}"))?;
            eprintln!(
                "{} faults, {} events, all as it must be",
                step + 1,
                world.history.head()
            );
        }
    }
    cluster.stop().await
}

/// Lets one fault happen while the writers write and the watchers watch.
async fn one_fault(
    cluster: &mut Cluster,
    world: &mut World,
    remains: &mut Remains,
    fault: &Fault,
    lead: Duration,
) -> Result<()> {
    eprintln!("{fault:?}");
    let rest = cluster.rest()?.address();
    let stop = CancellationToken::new();
    let writers = world.start_writers(rest, &stop).await?;
    let servers: Vec<_> = cluster.of(Role::Rest).map(|server| server.address()).collect();
    let watchers = watcher::watch(world, &servers, &stop)?;
    sleep(lead).await;
    let happened = trouble::happen(cluster, remains, fault).await;
    sleep(lead).await;
    stop.cancel();
    world.collect_writers(writers).await?;
    watcher::collect(watchers).await?;
    happened?;
    cluster.all_ready().await
}

async fn check(cluster: &mut Cluster, world: &mut World, checked: &mut Vec<usize>) -> Result<()> {
    cluster.clear_ways();
    cluster.all_ready().await?;
    let rest = cluster.rest()?.address();
    if let Err(error) = world.check(rest, checked).await {
        return Err(error.context(format!("the processes said:\n{}", cluster.told().await)));
    }
    for role in [Role::Rest, Role::Usermanagement, Role::Classifier] {
        cluster
            .of(role)
            .try_for_each(|process| is_bounded(role, process))?;
    }
    Ok(())
}

fn is_bounded(role: Role, process: &mut Server) -> Result<()> {
    let held = process.memory()?.anonymous;
    ensure!(
        held < MEMORY_MAX,
        "segue {} holds {} MiB",
        role.command(),
        held >> 20
    );
    Ok(())
}

/// A backlog that nobody took away: the log takes it, the queue and the processes stay small, and it is worked off.
#[test]
fn a_long_backlog_is_worked_off_within_bounds() {
    let _turn = crate::turn();
    let events = number("SEGUE_FAULT_BACKLOG").unwrap_or(20_000) as usize;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(backlog(events)).expect("it is worked off");
}

async fn backlog(events: usize) -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), crate::MODELS).await?;
    let world = World::on_cluster(&mut cluster, 1).await?;
    cluster.scale(Role::Classifier, 0).await?;
    let rest = cluster.rest()?.address();
    let began = Instant::now();
    let position = world.rate_in_bulk(rest, events).await?;
    eprintln!("{events} events recorded in {:?}", began.elapsed());
    let waiting = poison::waiting(&cluster, "classification")?;
    ensure!(waiting <= QUEUE_MAX, "{waiting} messages wait");
    let began = Instant::now();
    cluster.scale(Role::Classifier, 1).await?;
    world.wait_for_ratings(rest, position, patience(events)).await?;
    eprintln!("worked off in {:?}, {waiting} messages waited", began.elapsed());
    for role in [Role::Rest, Role::Classifier] {
        for process in cluster.of(role) {
            is_bounded(role, process)?;
            let peak = process.memory()?.peak >> 20;
            eprintln!("segue {} held {peak} MiB at most", role.command());
        }
    }
    let replayed = cluster.program().tool(&["audit", "replay"], "").await;
    replayed.context("the views are not what the log gives")?;
    cluster.stop().await
}

/// How long a backlog may take to be worked off.
fn patience(events: usize) -> Duration {
    SETTLE_LIMIT + Duration::from_secs(events as u64) / EVENTS_PER_SECOND_MIN
}
