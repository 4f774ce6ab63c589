//! The parts of a benchmark run. Each sets up its own world, measures, hands back rows, and cleans up.

pub mod appends;
pub mod arrangement;
pub mod audit;
pub mod cluster;
pub mod commands;
pub mod fill;
pub mod generation;
pub mod growth;
pub mod lag;
pub mod limits;
pub mod operations;
pub mod peer;
pub mod playlists;
pub mod postgres;
pub mod reads;
pub mod rebuild;
pub mod scale;
pub mod scoring;
pub mod signins;
pub mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Client, Request, Session};
use crate::cpu::cores;
use crate::load::Shot;
use crate::server::{Program, Server};

/// How long a server may take to come up: after many events it first catches up.
pub const START_LIMIT: Duration = Duration::from_secs(3_600);
/// How long a server may take to hear of a catalogue and load it.
const CATALOGUE_LIMIT: Duration = Duration::from_secs(60);
/// How long views may take to be abreast of the log, and backlogs to be worked off.
const SETTLE_LIMIT: Duration = Duration::from_secs(300);
/// No load sends more than this, however fast the answers come.
pub const REQUESTS_MAX: usize = 5_000_000;

/// What every part needs to know.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The binary to measure.
    pub binary: PathBuf,
    /// Where data folders are made: the disk that is measured.
    pub folder: PathBuf,
    /// The folder of real data, which may be absent.
    pub data: PathBuf,
    /// Small and short, to see whether everything runs.
    pub quick: bool,
}

impl Setting {
    /// How long one measurement lasts.
    #[must_use]
    pub fn duration(&self) -> Duration {
        if self.quick {
            Duration::from_millis(1_500)
        } else {
            Duration::from_secs(8)
        }
    }

    /// How many turns are taken by what is compared.
    #[must_use]
    pub fn turns(&self) -> usize {
        self.pick(1, 3)
    }

    /// How long each lasts.
    #[must_use]
    pub fn turn(&self) -> Duration {
        self.duration() / 2
    }

    /// One of two numbers: the first when the run is quick.
    #[must_use]
    pub fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A folder that is deleted at the end of a part.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn temporary(&self) -> Result<TempDir> {
        TempDir::with_prefix_in("segue-bench-", &self.folder).context("no temporary folder")
    }

    /// The binary on a new data folder inside `folder`, with a generated catalogue.
    ///
    /// # Errors
    /// When the catalogue cannot be generated.
    pub async fn program(&self, folder: &Path, tracks: usize) -> Result<Program> {
        let program = self.bare_program(folder);
        generate_catalogue(&program, tracks).await?;
        Ok(program)
    }

    /// The binary on a new data folder inside `folder`, with nothing in it.
    #[must_use]
    pub fn bare_program(&self, folder: &Path) -> Program {
        Program::new(&self.binary, folder.join("data")).with_env("SEGUE_THROTTLE", "off")
    }
}

/// Gives an instance a catalogue.
///
/// # Errors
/// When it cannot be generated.
pub async fn generate_catalogue(program: &Program, tracks: usize) -> Result<()> {
    program
        .tool(
            &[
                "catalogue",
                "generate",
                "--tracks",
                &tracks.to_string(),
                "--seed",
                "1",
            ],
            "",
        )
        .await?;
    Ok(())
}

/// Starts a server and says where load will go.
///
/// # Errors
/// When it does not come up.
#[expect(
    clippy::print_stdout,
    reason = "the target is printed before anything is sent to it"
)]
pub async fn serve(program: &Program) -> Result<Server> {
    let server = program.serve(START_LIMIT).await?;
    println!("target: http://{}", server.address());
    Ok(server)
}

/// Registers and signs in `count` listeners, as many at a time as there are cores.
///
/// # Errors
/// When one is refused.
pub async fn listeners(client: &Client, count: usize) -> Result<Vec<Session>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..cores() {
        let (client, next) = (client.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut sessions = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok(sessions);
                }
                sessions.push(client.listener(&format!("listener-{n}")).await?);
            }
        });
    }
    let mut sessions = Vec::with_capacity(count);
    while let Some(done) = tasks.join_next().await {
        sessions.extend(done??);
    }
    Ok(sessions)
}

/// The ids of the first `count` tracks, once the server knows of a catalogue: another process may have to tell it.
///
/// # Errors
/// When there are not so many.
pub async fn track_ids(session: &Session, count: usize) -> Result<Vec<String>> {
    let deadline = Instant::now() + CATALOGUE_LIMIT;
    loop {
        match track_ids_now(session, count).await {
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
            answered => return answered,
        }
    }
}

async fn track_ids_now(session: &Session, count: usize) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    while ids.len() < count {
        let page = session
            .send(&Request::get(format!("/v1/tracks?limit=1000{cursor}")))
            .await?
            .expect(200)?
            .json()?;
        let items = page["items"].as_array().context("no items")?;
        ids.extend(
            items
                .iter()
                .filter_map(|item| item["id"].as_str().map(str::to_owned)),
        );
        ensure!(!items.is_empty(), "only {} tracks", ids.len());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ensure!(ids.len() >= count, "only {} tracks of {count}", ids.len());
    ids.truncate(count);
    Ok(ids)
}

/// Ratings that always change something: each listener goes round the tracks, and turns the rating over each time.
#[derive(Clone, Debug)]
pub struct Ratings {
    listeners: Arc<Vec<(String, AtomicUsize)>>,
    tracks: Arc<Vec<String>>,
}

impl Ratings {
    /// By these listeners of these tracks.
    #[must_use]
    pub fn new(sessions: &[Session], tracks: Vec<String>) -> Self {
        let listeners = sessions
            .iter()
            .map(|session| (session.token().to_owned(), AtomicUsize::new(0)));
        Self {
            listeners: Arc::new(listeners.collect()),
            tracks: Arc::new(tracks),
        }
    }

    /// The next rating of the listener with this number, round and round.
    #[must_use]
    pub fn next(&self, listener: usize) -> Shot {
        let (token, count) = &self.listeners[listener % self.listeners.len()];
        let n = count.fetch_add(1, Ordering::Relaxed);
        let like = (n / self.tracks.len()).is_multiple_of(2);
        Shot {
            method: Method::PUT,
            path: format!("/v1/me/ratings/{}", self.tracks[n % self.tracks.len()]),
            token: Some(token.clone()),
            headers: Vec::new(),
            body: Some(Bytes::from_static(if like {
                br#"{"rating":"like"}"#
            } else {
                br#"{"rating":"dislike"}"#
            })),
            expected: 204,
        }
    }
}
