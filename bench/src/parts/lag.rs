//! How soon a view shows what was just acknowledged, while commands come at fixed rates.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use servers::Postgres;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Ratings, SETTLE_LIMIT, Setting, listeners, postgres, serve, track_ids};
use crate::client::{Client, Request, Session};
use crate::cpu::CpuWatch;
use crate::load::Loaded;
use crate::metrics::settled;
use crate::numbers::{Latencies, thousands};
use crate::paced::{self, Answered, Pace};
use crate::report::Row;

pub(super) const TRACKS: usize = 10_000;
/// The larger one is half of the 5,000 that the log in PostgreSQL is to take.
const COMMANDS_PER_SECOND: [usize; 2] = [1_000, 2_500];
const CONNECTIONS: usize = 64;
/// Commands that are followed until a view shows them: few, so that the reads weigh little.
const SAMPLES_PER_SECOND: usize = 100;

/// Runs the part: the log in PostgreSQL, all else in one process, as where 5,000 commands a second are measured.
///
/// # Errors
/// At the first unexpected answer, or when there is no PostgreSQL.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let database = Postgres::start().await?;
    let folder = setting.temporary()?;
    let program = postgres::program(setting, &database, folder.path(), TRACKS).await?;
    let server = serve(&program).await?;
    let rows = measure(setting, "log on PostgreSQL", server.address()).await?;
    server.stop().await?;
    Ok(rows)
}

/// Two rows for each rate, about the server at `address`, whose stack is called `stack`.
///
/// # Errors
/// At the first unexpected answer.
pub(super) async fn measure(setting: &Setting, stack: &str, address: SocketAddr) -> Result<Vec<Row>> {
    let sessions = listeners(&Client::new(address)?, CONNECTIONS).await?;
    let ratings = Ratings::new(&sessions, track_ids(&sessions[0], TRACKS).await?);
    let mut rows = Vec::new();
    for per_second in COMMANDS_PER_SECOND {
        settled(address, SETTLE_LIMIT).await?;
        let pace = Pace {
            per_second,
            duration: 2 * setting.duration(),
            connections: CONNECTIONS,
        };
        rows.extend(at(stack, pace, address, &sessions, ratings.clone()).await?);
    }
    Ok(rows)
}

async fn at(
    stack: &str,
    pace: Pace,
    address: SocketAddr,
    sessions: &[Session],
    ratings: Ratings,
) -> Result<[Row; 2]> {
    let (samples, taken) = mpsc::unbounded_channel();
    let following = tokio::spawn(follow_all(sessions.to_vec(), taken));
    let every = pace.per_second / SAMPLES_PER_SECOND;
    let watch = CpuWatch::start();
    let shot = move |connection| ratings.next(connection);
    let sample = move |answered: Answered<'_>| {
        if answered.number.is_multiple_of(every) {
            // Nobody takes it when following has failed, which is told below.
            let _ = samples.send(Sample::of(&answered));
        }
    };
    let loaded = paced::run(address, pace, shot, sample).await?;
    let others = watch.others();
    Ok(rows(stack, pace, &loaded, &following.await??, others))
}

fn rows(stack: &str, pace: Pace, loaded: &Loaded, lags: &Latencies, others: f64) -> [Row; 2] {
    let load = format!(
        "{} commands/s due, {} answered",
        thousands(pace.per_second as f64),
        thousands(loaded.per_second())
    );
    let what = format!("{stack}, {load}: a command, from when it was due");
    let command = Row::new(what, loaded.latencies.p50_p99(), others);
    let what = format!("{stack}, {load}: from a command's answer until a reader sees it");
    let lag = format!("{} ({} samples)", lags.p50_p99(), lags.count());
    [command, Row::new(what, lag, others).reach("p99 < 100 ms")]
}

/// An acknowledged command.
struct Sample {
    token: Option<String>,
    position: Option<u64>,
    at: Instant,
}

impl Sample {
    fn of(answered: &Answered<'_>) -> Self {
        let position = answered.headers.get("segue-position");
        Self {
            token: answered.shot.token.clone(),
            position: position.and_then(|value| value.to_str().ok()?.parse().ok()),
            at: answered.at,
        }
    }
}

/// How long each sample took from its acknowledgement until its listener's ratings reflected it.
async fn follow_all(
    sessions: Vec<Session>,
    mut samples: mpsc::UnboundedReceiver<Sample>,
) -> Result<Latencies> {
    let mut tasks = JoinSet::new();
    while let Some(sample) = samples.recv().await {
        let is_of = |session: &&Session| Some(session.token()) == sample.token.as_deref();
        let session = sessions.iter().find(is_of).context("nobody's command")?;
        tasks.spawn(follow(session.clone(), sample));
    }
    let mut lags = Latencies::default();
    while let Some(done) = tasks.join_next().await {
        lags.push(done??);
    }
    Ok(lags)
}

async fn follow(session: Session, sample: Sample) -> Result<Duration> {
    let position = sample.position.context("no Segue-Position")?;
    let request = Request::get("/v1/me/ratings?limit=1")
        .at_least(position)
        .waiting(10);
    session.send(&request).await?.expect(200)?;
    Ok(sample.at.elapsed())
}
