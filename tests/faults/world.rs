//! A data folder with a small catalogue and some accounts, and the writers that work on it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request, Session};
use bench::cluster::{Cluster, Role};
use bench::server::Program;
use eventing::{EventLog, LogConfig, PostgresConfig};
use serde_json::Value;
use servers::Postgres;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::history::History;
use crate::watcher::Ended;
use crate::writer::Writer;
use crate::{sealed, watcher};

pub(crate) const LISTENERS: usize = 3;
const TRACKS: usize = 300;
pub(crate) const WRITERS: usize = 6;
pub(crate) const START_LIMIT: Duration = Duration::from_secs(30);
/// How long anything that must come may take; a machine full of other work is slow.
pub(crate) const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// Everything that outlives a server.
pub(crate) struct World {
    pub(crate) program: Program,
    pub(crate) writers: Vec<Writer>,
    pub(crate) history: History,
    /// Sessions that were ended under faults.
    pub(crate) ended: Ended,
    listeners: Vec<Session>,
    auditor: Session,
    place: Place,
    pub(crate) database: Option<Postgres>,
    _folder: Option<TempDir>,
}

/// The master key of worlds on a database; in a folder the server makes its own.
const MASTER_KEY: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

impl World {
    /// Sets up a world in a temporary folder.
    pub(crate) async fn new(seed: u64) -> Result<Self> {
        let folder = TempDir::with_prefix("segue-faults-")?;
        let mut world = Self::in_folder(&folder.path().join("data"), seed).await?;
        world._folder = Some(folder);
        Ok(world)
    }

    /// Sets up a world with its log and keys on a PostgreSQL of its own.
    pub(crate) async fn on_postgres(seed: u64) -> Result<Self> {
        let database = Postgres::start().await?;
        let url = database.new_database()?;
        let folder = TempDir::with_prefix("segue-faults-")?;
        let program = program(&folder.path().join("data"))
            .with_env("DATABASE_URL", &url)
            .with_env("SEGUE_MASTER_KEY", MASTER_KEY);
        program.tool(&["migrate"], "").await?;
        let mut world = Self::of(program, Place::Database(url), seed).await?;
        (world.database, world._folder) = (Some(database), Some(folder));
        Ok(world)
    }

    /// Sets up a world in `data`.
    pub(crate) async fn in_folder(data: &Path, seed: u64) -> Result<Self> {
        Self::of(program(data), Place::Folder(data.to_owned()), seed).await
    }

    /// Sets up a world on a cluster, with two processes of REST, one of usermanagement and two classifiers.
    pub(crate) async fn on_cluster(cluster: &mut Cluster, seed: u64) -> Result<Self> {
        let program = cluster.program().clone();
        program.furnish(TRACKS, 1).await?;
        let roles = [
            Role::Rest,
            Role::Rest,
            Role::Usermanagement,
            Role::Classifier,
            Role::Classifier,
        ];
        cluster.run(&roles).await?;
        let place = Place::Database(cluster.database_url().to_owned());
        Self::with(program, place, seed, cluster.rest()?.address()).await
    }

    /// A catalogue, listeners, an auditor, and as many writers, by means of a server that is stopped again.
    async fn of(program: Program, place: Place, seed: u64) -> Result<Self> {
        program.furnish(TRACKS, 1).await?;
        let server = program.serve(START_LIMIT).await?;
        let world = Self::with(program, place, seed, server.address()).await?;
        server.stop().await?;
        Ok(world)
    }

    async fn with(program: Program, place: Place, seed: u64, server: SocketAddr) -> Result<Self> {
        let client = Client::new(server)?;
        client.register(watcher::VISITOR).await?;
        let auditor = client.sign_in("the-auditor").await?;
        let mut listeners = Vec::new();
        for n in 0..LISTENERS {
            listeners.push(client.listener(&format!("listener-{n}")).await?);
        }
        let tracks = track_ids(&listeners[0]).await?;
        let share = tracks.chunks(tracks.len() / WRITERS);
        let writers = share
            .take(WRITERS)
            .enumerate()
            .map(|(id, tracks)| Writer::new(id, id % LISTENERS, tracks, seed));
        Ok(Self {
            program,
            writers: writers.collect(),
            history: History::default(),
            ended: Ended::default(),
            listeners,
            auditor,
            place,
            database: None,
            _folder: None,
        })
    }

    /// Lets every writer work on `server`, until the connections break or `stop` is cancelled.
    pub(crate) async fn start_writers(
        &mut self,
        server: SocketAddr,
        stop: &CancellationToken,
    ) -> Result<JoinSet<Result<Writer>>> {
        let client = Client::new(server)?;
        let mut tasks = JoinSet::new();
        for writer in self.writers.drain(..) {
            let session = self.listeners[writer.listener].moved_to(&client);
            tasks.spawn(writer.work(session, stop.clone()));
        }
        Ok(tasks)
    }

    /// Takes the writers back, once their server is gone.
    ///
    /// # Errors
    /// When one of them met a broken promise.
    pub(crate) async fn collect_writers(&mut self, mut tasks: JoinSet<Result<Writer>>) -> Result<()> {
        while let Some(done) = tasks.join_next().await {
            self.writers.push(done??);
        }
        self.writers.sort_by_key(|writer| writer.id);
        Ok(())
    }

    /// Checks everything that must hold, on a server that nobody else uses now. `checked` says how many wishes of
    /// each writer were asked again by an earlier check.
    ///
    /// # Errors
    /// At the first thing that does not hold.
    pub(crate) async fn check(&mut self, server: SocketAddr, checked: &mut Vec<usize>) -> Result<()> {
        let client = Client::new(server)?;
        self.settle(&client, checked).await?;
        self.read_until_generated(&client).await?;
        self.history.check_writers(&self.writers)?;
        ensure!(
            self.history.count("catalogue.imported") == 1,
            "a killed import is in the log"
        );
        let log = self.place.open().await?;
        self.history.check_stored(&log).await?;
        sealed::check(&log).await?;
        for listener in 0..self.listeners.len() {
            self.check_ratings(&client, listener).await?;
        }
        // Views are at the head now, or the reads above had not been answered: so this compares all of them.
        self.program
            .tool(&["audit", "replay"], "")
            .await
            .context("the replay differs")?;
        *checked = self.writers.iter().map(|writer| writer.granted.len()).collect();
        Ok(())
    }

    async fn settle(&mut self, client: &Client, checked: &[usize]) -> Result<()> {
        let mut tasks = JoinSet::new();
        for mut writer in self.writers.drain(..) {
            let session = self.listeners[writer.listener].moved_to(client);
            let from = checked.get(writer.id).copied().unwrap_or(0);
            tasks.spawn(async move {
                writer.settle_open(&session, SETTLE_LIMIT).await?;
                writer.ask_all_again(&session, from).await?;
                anyhow::Ok(writer)
            });
        }
        self.collect_writers(tasks).await
    }

    /// Reads the history until every playlist in it is generated: nothing is recorded after that. While one comes after the other
    /// there is time: many may be left from what happened, and each is computed from all that its listener ever did.
    async fn read_until_generated(&mut self, client: &Client) -> Result<()> {
        let auditor = self.auditor.moved_to(client);
        let (mut generated, mut deadline) = (0, Instant::now() + SETTLE_LIMIT);
        loop {
            self.history.read_on(&auditor).await?;
            let count = self.history.count("playlist.generated");
            if count > generated {
                (generated, deadline) = (count, Instant::now() + SETTLE_LIMIT);
            }
            match self.history.check_playlists() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Every listener's session on the server behind `client`.
    pub(crate) fn sessions(&self, client: &Client) -> Vec<Session> {
        self.listeners
            .iter()
            .map(|session| session.moved_to(client))
            .collect()
    }

    /// Rates all tracks again and again until there are `events` ratings, and tells the position of the last.
    pub(crate) async fn rate_in_bulk(&self, server: SocketAddr, events: usize) -> Result<u64> {
        let listener = self.listeners[0].moved_to(&Client::new(server)?);
        let tracks = track_ids(&listener).await?;
        let mut position = 0;
        for round in 0..events.div_ceil(tracks.len()) {
            let rating = if round % 2 == 0 { "like" } else { "dislike" };
            let ratings: Vec<_> = tracks.iter().map(|track| (track.as_str(), rating)).collect();
            position = listener.rate(&ratings).await?;
        }
        Ok(position)
    }

    /// Waits until a listener's ratings reflect `position`, for `limit` at most.
    pub(crate) async fn wait_for_ratings(
        &self,
        server: SocketAddr,
        position: u64,
        limit: Duration,
    ) -> Result<()> {
        let listener = self.listeners[0].moved_to(&Client::new(server)?);
        let request = Request::get("/v1/me/ratings?limit=1")
            .at_least(position)
            .waiting(60);
        let deadline = Instant::now() + limit;
        loop {
            let answer = listener.send(&request).await?;
            match answer.status.as_u16() {
                503 if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
                _ => return answer.expect(200).map(drop),
            }
        }
    }

    /// Compares a listener's ratings as the view has them with what the writers were told.
    async fn check_ratings(&self, client: &Client, listener: usize) -> Result<()> {
        let session = self.listeners[listener].moved_to(client);
        let expected: Vec<(&str, &str)> = {
            let own = self.writers.iter().filter(|writer| writer.listener == listener);
            let ratings = own.flat_map(|writer| &writer.ratings);
            let mut rated: Vec<_> = ratings
                .filter_map(|(track, rating)| Some((track.as_str(), rating.as_deref()?)))
                .collect();
            rated.sort_unstable();
            rated
        };
        let request = Request::get("/v1/me/ratings?limit=1000")
            .at_least(self.history.head())
            .waiting(60);
        let page = session.send(&request).await?.expect(200)?.json()?;
        let items = page["items"].as_array().context("no items")?;
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = items
            .iter()
            .map(|item| (text(item, "track"), text(item, "rating")))
            .collect();
        found.sort_unstable();
        let same = found
            .iter()
            .map(|(track, rating)| (track.as_str(), rating.as_str()))
            .eq(expected.iter().copied());
        ensure!(
            same,
            "listener {listener}: the view has {found:?}, the writers know {expected:?}"
        );
        Ok(())
    }
}

/// Where the log is.
enum Place {
    Folder(PathBuf),
    Database(String),
}

impl Place {
    /// Opens it as another process.
    async fn open(&self) -> Result<EventLog> {
        Ok(match self {
            Self::Folder(data) => EventLog::open(LogConfig::new(data)).await?,
            Self::Database(url) => EventLog::open_postgres(PostgresConfig::parse(url)?).await?,
        })
    }
}

fn program(data: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_segue"), data)
        .with_env("SEGUE_THROTTLE", "off")
        .with_env("SEGUE_CHECKPOINT_INTERVAL", "1")
}

async fn track_ids(listener: &Session) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut path = "/v1/tracks?limit=1000".to_owned();
    loop {
        let page = listener.send(&Request::get(&path)).await?.expect(200)?.json()?;
        let items = page["items"].as_array().context("no items")?;
        ids.extend(
            items
                .iter()
                .filter_map(|item| item["id"].as_str().map(str::to_owned)),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/tracks?limit=1000&cursor={cursor}"),
            None => break,
        }
    }
    ensure!(ids.len() == TRACKS, "{} tracks of {TRACKS}", ids.len());
    Ok(ids)
}
