//! What happens to the production stack: all of it follows from the seed.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench::cluster::{Cluster, Role};
use eventing::failpoints;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use servers::{Firestore, Trouble};
use tokio::time::sleep;

use crate::poison;

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Postgres,
    RabbitMq,
    Redis,
    /// Where there is one. It keeps nothing when it ends; the log has a copy of every model.
    Firestore,
}

impl Part {
    const ALL: [Self; 4] = [Self::Postgres, Self::RabbitMq, Self::Redis, Self::Firestore];
}

/// One fault. Each ends by itself, but for what [`heal`] must mend.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// A process of a role is killed, and another takes its place.
    KillProcess(Role, usize),
    /// A process of a role ends the `nth` time that it comes by a failpoint, and another takes its place.
    DieAt(Role, usize, &'static str, u32),
    /// A process of a role is stopped for a while, and goes on.
    PauseProcess(Role, usize, Duration),
    /// A server is killed, and started again after a while.
    KillServer(Part, Duration),
    /// A server is stopped for a while, and goes on.
    PauseServer(Part, Duration),
    /// The way of a role, or of all roles, to a server is in trouble for a while.
    Way(Option<Role>, Part, Trouble, Duration),
    /// The connection is reset before a commit reaches the database, or before its answer comes back.
    ResetAtCommit { has_happened: bool },
    /// Redis loses everything.
    Flush,
    /// Redis is killed and starts with what it held when the last dump was taken.
    OldDump,
    /// The broker loses everything, its topology included.
    LoseVolume,
    /// The messages that wait in a queue are gone.
    Purge(&'static str),
    /// Messages that are no events, or none that anybody knows.
    Poison,
    /// An event in the log that nobody can read.
    Unknown,
    /// Events of the past come again, in another order.
    Again,
    /// So many classifiers run from now on.
    Scale(usize),
}

/// The queues that messages can be lost from.
const QUEUES: [&str; 2] = ["usermanagement", "classification"];
/// Every kind of fault comes once in so many steps.
pub(crate) const KINDS: usize = 15;
/// A failpoint that was not reached for so long is given up, and the process is killed.
const FAILPOINT_LIMIT: Duration = Duration::from_secs(4);
/// A pause that is longer than the broker's heartbeat and every time-out comes in long runs only.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// How long processes and servers are paused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pauses {
    /// For a moment.
    Short,
    /// For a moment, and now and then for [`LONG_PAUSE`].
    Mixed,
    /// For so long each time, and every role and every server in turn.
    Each(Duration),
}

/// Draws the `n`-th fault. Kinds take turns, so that a run of [`KINDS`] steps has met each of them.
pub(crate) fn draw(random: &mut ChaCha8Rng, n: usize, pauses: Pauses) -> Fault {
    let moment = Duration::from_millis(random.random_range(100..2_000));
    let index = random.random_range(0..4);
    let round = n / KINDS;
    match n % KINDS {
        0 => Fault::KillProcess(a_role(random), index),
        1 => match pauses {
            Pauses::Each(time) => Fault::PauseProcess(Role::ALL[round % Role::ALL.len()], index, time),
            _ => Fault::PauseProcess(a_role(random), index, pause(random, moment, pauses)),
        },
        2 => Fault::KillServer(a_part(random), moment),
        3 => match pauses {
            Pauses::Each(time) => Fault::PauseServer(Part::ALL[round % Part::ALL.len()], time),
            _ => Fault::PauseServer(a_part(random), pause(random, moment, pauses)),
        },
        4 => Fault::Way(
            random.random_bool(0.7).then(|| a_role(random)),
            [Part::Postgres, Part::RabbitMq, Part::Redis][random.random_range(0..3)],
            a_trouble(random),
            moment,
        ),
        5 => Fault::ResetAtCommit {
            has_happened: random.random_bool(0.5),
        },
        6 => Fault::Flush,
        7 => Fault::OldDump,
        8 => Fault::LoseVolume,
        9 => Fault::Purge(QUEUES[random.random_range(0..QUEUES.len())]),
        10 => Fault::Poison,
        11 => Fault::Again,
        12 => at_failpoint(random, index),
        13 => Fault::Unknown,
        _ => Fault::Scale([1, 2, 4][random.random_range(0..3)]),
    }
}

/// Where a process of each role can end: between the steps whose order matters.
fn at_failpoint(random: &mut ChaCha8Rng, index: usize) -> Fault {
    let of_role = |role| {
        move |name: &&str| match name.split('.').next() {
            Some("append" | "http" | "relay") => role == Role::Rest,
            Some("consumer" | "view") => role != Role::Rest,
            Some("generate") => role == Role::Classifier,
            _ => false,
        }
    };
    let role = a_role(random);
    let names: Vec<_> = failpoints::ALL.iter().copied().filter(of_role(role)).collect();
    let name = names[random.random_range(0..names.len())];
    Fault::DieAt(role, index, name, random.random_range(1..=5))
}

fn pause(random: &mut ChaCha8Rng, moment: Duration, pauses: Pauses) -> Duration {
    if matches!(pauses, Pauses::Mixed) && random.random_bool(0.1) {
        LONG_PAUSE
    } else {
        moment
    }
}

fn a_role(random: &mut ChaCha8Rng) -> Role {
    Role::ALL[random.random_range(0..Role::ALL.len())]
}

fn a_part(random: &mut ChaCha8Rng) -> Part {
    Part::ALL[random.random_range(0..Part::ALL.len())]
}

fn a_trouble(random: &mut ChaCha8Rng) -> Trouble {
    match random.random_range(0..5) {
        0 => Trouble::Refuse,
        1 => Trouble::Silence,
        2 => Trouble::DeafServer,
        3 => Trouble::DeafClient,
        _ => Trouble::Delay(Duration::from_millis(random.random_range(5..100))),
    }
}

/// Lets it happen, and waits until it is over.
///
/// # Errors
/// When a server or process cannot be started again, or a process had ended by itself.
pub(crate) async fn happen(cluster: &mut Cluster, world: &mut Remains, fault: &Fault) -> Result<()> {
    match fault {
        Fault::KillProcess(role, index) => cluster.replace(*role, *index).await,
        Fault::DieAt(role, index, name, nth) => {
            let armed = format!("{name}:{nth}");
            let armed = (failpoints::VARIABLE, armed.as_str());
            let came_by = cluster.replace_at_failpoint(*role, *index, armed, FAILPOINT_LIMIT);
            let came_by = came_by.await?;
            eprintln!("it {}", if came_by { "ended there" } else { "did not come by" });
            Ok(())
        }
        Fault::PauseProcess(role, index, time) => pause_process(cluster, *role, *index, *time).await,
        Fault::KillServer(part, time) => kill_server(cluster, *part, *time).await,
        Fault::PauseServer(part, time) => {
            signal_server(cluster, *part, Signal::SIGSTOP);
            sleep(*time).await;
            signal_server(cluster, *part, Signal::SIGCONT);
            Ok(())
        }
        Fault::Way(role, part, trouble, time) => {
            way(cluster, *role, *part, trouble);
            sleep(*time).await;
            way(cluster, *role, *part, &Trouble::None);
            Ok(())
        }
        Fault::ResetAtCommit { has_happened } => {
            let mark = b"COMMIT".to_vec();
            let trouble = match has_happened {
                true => Trouble::ResetAfter(mark),
                false => Trouble::ResetBefore(mark),
            };
            way(cluster, Some(Role::Rest), Part::Postgres, &trouble);
            let proxy = &cluster.ways(Role::Rest).postgres;
            for _ in 0..200 {
                if proxy.trouble() == Trouble::None {
                    return Ok(());
                }
                sleep(Duration::from_millis(50)).await;
            }
            bail!("no commit came by")
        }
        Fault::Flush => Ok(cluster.redis.cli(&["FLUSHALL"]).map(drop)?),
        Fault::OldDump => old_dump(cluster, world).await,
        Fault::LoseVolume => {
            cluster.rabbitmq.kill();
            cluster.rabbitmq.lose_volume()?;
            cluster.rabbitmq.restart().await?;
            Ok(())
        }
        Fault::Purge(queue) => {
            let purge = ["purge_queue", "-p", cluster.vhost(), queue];
            Ok(cluster.rabbitmq.ctl(purge).map(drop)?)
        }
        Fault::Poison => poison::send(cluster).await,
        Fault::Unknown => poison::record(cluster).await,
        Fault::Again => poison::send_again(cluster).await,
        Fault::Scale(count) => cluster.scale(Role::Classifier, *count).await,
    }
}

/// What faults need from earlier ones.
#[derive(Debug)]
pub(crate) struct Remains {
    dump: Vec<u8>,
}

impl Remains {
    /// With a dump to go back to.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub(crate) fn of(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            dump: cluster.redis.dump()?,
        })
    }
}

/// Puts the last dump back, and keeps the present one for the next time.
async fn old_dump(cluster: &mut Cluster, remains: &mut Remains) -> Result<()> {
    let now = cluster.redis.dump()?;
    let old = std::mem::replace(&mut remains.dump, now);
    Ok(cluster.redis.restore(&old).await?)
}

async fn pause_process(cluster: &mut Cluster, role: Role, index: usize, time: Duration) -> Result<()> {
    let count = cluster.count(role).max(1);
    let process = cluster.of(role).nth(index % count).context("no such process")?;
    let pid = Pid::from_raw(i32::try_from(process.pid().context("it has ended")?)?);
    kill(pid, Signal::SIGSTOP)?;
    sleep(time).await;
    kill(pid, Signal::SIGCONT)?;
    Ok(())
}

async fn kill_server(cluster: &mut Cluster, part: Part, time: Duration) -> Result<()> {
    match part {
        Part::Postgres => cluster.postgres.kill(),
        Part::RabbitMq => cluster.rabbitmq.kill(),
        Part::Redis => cluster.redis.kill(),
        Part::Firestore => cluster.firestore.iter_mut().for_each(Firestore::kill),
    }
    sleep(time).await;
    match part {
        Part::Postgres => cluster.postgres.restart().await?,
        Part::RabbitMq => cluster.rabbitmq.restart().await?,
        // What was not dumped is gone with it.
        Part::Redis => cluster.redis.restart().await?,
        Part::Firestore => {
            if let Some(firestore) = &mut cluster.firestore {
                firestore.restart().await?;
            }
        }
    }
    Ok(())
}

fn signal_server(cluster: &Cluster, part: Part, signal: Signal) {
    let stops = signal == Signal::SIGSTOP;
    match (part, stops) {
        (Part::Postgres, true) => cluster.postgres.pause(),
        (Part::Postgres, false) => cluster.postgres.resume(),
        (Part::RabbitMq, true) => cluster.rabbitmq.pause(),
        (Part::RabbitMq, false) => cluster.rabbitmq.resume(),
        (Part::Redis, true) => cluster.redis.pause(),
        (Part::Redis, false) => cluster.redis.resume(),
        (Part::Firestore, true) => cluster.firestore.iter().for_each(Firestore::pause),
        (Part::Firestore, false) => cluster.firestore.iter().for_each(Firestore::resume),
    }
}

fn way(cluster: &Cluster, role: Option<Role>, part: Part, trouble: &Trouble) {
    for role in Role::ALL
        .into_iter()
        .filter(|each| role.is_none_or(|role| role == *each))
    {
        let ways = cluster.ways(role);
        let way = match part {
            Part::Postgres => &ways.postgres,
            Part::RabbitMq => &ways.rabbitmq,
            Part::Redis => &ways.redis,
            Part::Firestore => continue,
        };
        way.make(trouble.clone());
    }
}
