//! Killed again and again under load.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::server::{Program, Readiness, Server};
use eventing::failpoints;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::number;
use crate::schedule::{self, Kill};
use crate::world::{START_LIMIT, World};

/// Kills between two full checks: a check costs about as much as all of them.
const KILLS_PER_CHECK: usize = 20;
/// A failpoint that was not reached under load for so long is given up, and the server is killed.
const FAILPOINT_LIMIT: Duration = Duration::from_secs(3);

/// What happened so far.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    died_at: BTreeMap<&'static str, usize>,
}

#[test]
fn whatever_was_acknowledged_survives_every_kill() {
    survives(number("SEGUE_FAULT_KILLS").unwrap_or(200), World::new);
}

#[test]
fn whatever_was_acknowledged_survives_every_kill_on_postgres() {
    survives(number("SEGUE_FAULT_KILLS").unwrap_or(200) / 4, World::on_postgres);
}

fn survives<F: Future<Output = Result<World>>>(kills: u64, world: impl FnOnce(u64) -> F) {
    let _turn = crate::turn();
    let seed = number("SEGUE_FAULT_SEED").unwrap_or_else(rand::random);
    eprintln!("SEGUE_FAULT_SEED={seed}, {kills} kills");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let killed = async { run(world(seed).await?, seed, kills as usize).await };
    if let Err(error) = runtime.block_on(killed) {
        panic!("with SEGUE_FAULT_SEED={seed}: {error:?}");
    }
}

async fn run(mut world: World, seed: u64, kills: usize) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut checked = Vec::new();
    let mut tally = Tally::default();
    while tally.kills < kills {
        let kill = schedule::draw(&mut random, tally.kills);
        one_kill(&mut world, &kill, &mut tally)
            .await
            .with_context(|| format!("kill {}: {kill:?}", tally.kills))?;
        tally.kills += 1;
        if tally.kills % KILLS_PER_CHECK == 0 || tally.kills == kills {
            check(&mut world, &mut checked)
                .await
                .with_context(|| format!("after {} kills", tally.kills))?;
            eprintln!(
                "{} kills, {} events, all as it must be",
                tally.kills,
                world.history.head()
            );
        }
    }
    eprintln!("died at: {:?}", tally.died_at);
    // A run long enough to come by all of them several times must have met all of them.
    if kills >= 4 * failpoints::ALL.len() {
        for name in schedule::drawn() {
            ensure!(
                tally.died_at.contains_key(name),
                "the binary never came by the failpoint {name}"
            );
        }
    }
    Ok(())
}

async fn one_kill(world: &mut World, kill: &Kill, tally: &mut Tally) -> Result<()> {
    match *kill {
        Kill::Failpoint { name, nth } => {
            if at_failpoint(world, name, nth).await? {
                *tally.died_at.entry(name).or_default() += 1;
            }
            Ok(())
        }
        Kill::Tool { name, after } => {
            let mut server = started(&world.program).await?;
            let tasks = world
                .start_writers(server.address(), &CancellationToken::new())
                .await?;
            die_as_a_tool(&world.program, name).await?;
            *tally.died_at.entry(name).or_default() += 1;
            kill_under_load(world, &mut server, tasks, after).await
        }
        Kill::Starting { after } => {
            let mut server = world.program.start()?;
            sleep(after).await;
            expect_kill(&mut server).await
        }
        Kill::Loaded { after } => {
            let mut server = started(&world.program).await?;
            let tasks = world
                .start_writers(server.address(), &CancellationToken::new())
                .await?;
            kill_under_load(world, &mut server, tasks, after).await
        }
    }
}

/// Starts a server that dies at a failpoint, and keeps it busy. `false` if it never came by and had to be killed.
async fn at_failpoint(world: &mut World, name: &str, nth: u32) -> Result<bool> {
    let program = world
        .program
        .clone()
        .with_env(failpoints::VARIABLE, &format!("{name}:{nth}"));
    let mut server = program.start()?;
    match server.ready(START_LIMIT).await {
        Readiness::Ready => {}
        Readiness::Died(status) => {
            ensure!(
                died_by_signal(status),
                "it ended with {status}:\n{}",
                server.output()
            );
            return Ok(true);
        }
        Readiness::TimedOut => anyhow::bail!("it was not ready in time:\n{}", server.output()),
    }
    let tasks = world
        .start_writers(server.address(), &CancellationToken::new())
        .await?;
    let by_itself = match timeout(FAILPOINT_LIMIT, server.ended()).await {
        Ok(status) => {
            let status = status?;
            ensure!(
                died_by_signal(status),
                "it ended with {status}:\n{}",
                server.output()
            );
            true
        }
        Err(_) => {
            expect_kill(&mut server).await?;
            false
        }
    };
    world.collect_writers(tasks).await?;
    Ok(by_itself)
}

async fn kill_under_load(
    world: &mut World,
    server: &mut Server,
    tasks: tokio::task::JoinSet<Result<crate::writer::Writer>>,
    after: Duration,
) -> Result<()> {
    sleep(after).await;
    let killed = expect_kill(server).await;
    world.collect_writers(tasks).await?;
    killed
}

/// Imports another catalogue with a tool that dies between its blob and its event, or erases somebody with one that dies
/// between two of its steps: the next start does the rest.
async fn die_as_a_tool(program: &Program, name: &str) -> Result<()> {
    let armed = program.clone().with_env(failpoints::VARIABLE, name);
    let (status, _, err) = if name.starts_with("erase.") {
        let somebody = format!("gone-{:08x}", rand::random::<u32>());
        program
            .tool(&["accounts", "create", &somebody], bench::client::PASSWORD)
            .await?;
        armed.run(&["accounts", "erase", &somebody, "--yes"], "").await?
    } else {
        let generate = ["catalogue", "generate", "--tracks", "250", "--seed", "2"];
        armed.run(&generate, "").await?
    };
    ensure!(
        died_by_signal(status),
        "the tool did not come by {name}: {status}\n{err}"
    );
    Ok(())
}

async fn started(program: &Program) -> Result<Server> {
    program.serve(START_LIMIT).await
}

/// Kills the server, which must not have ended before.
async fn expect_kill(server: &mut Server) -> Result<()> {
    let ended = server.exit_status();
    ensure!(
        ended.is_none(),
        "it had ended by itself: {ended:?}\n{}",
        server.output()
    );
    server.kill().await?;
    Ok(())
}

async fn check(world: &mut World, checked: &mut Vec<usize>) -> Result<()> {
    let mut server = started(&world.program).await?;
    let result = world.check(server.address(), checked).await;
    let output = server.output();
    // Killed once more, so that the next start finds everything as a crash leaves it.
    server.kill().await?;
    result.with_context(|| format!("the server said:\n{output}"))
}

fn died_by_signal(status: std::process::ExitStatus) -> bool {
    status.signal().is_some()
}
