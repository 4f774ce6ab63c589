//! What a command costs on a long log, against a short one: two servers, loaded in turns.

use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use super::{REQUESTS_MAX, Ratings, Setting, fill, listeners, serve, track_ids};
use crate::client::Client;
use crate::cpu::CpuWatch;
use crate::load::{self, Bounds, Loaded};
use crate::numbers::{mebibytes, thousands};
use crate::report::Row;
use crate::server::Server;

const TRACKS: usize = 1_000;
const SHORT: u64 = 10_000;
const ROUNDS: u32 = 6;
const LISTENERS: usize = 64;

/// Runs the part; the long log has `long` events.
///
/// # Errors
/// At the first unexpected answer.
pub async fn run(setting: &Setting, long: u64) -> Result<Vec<Row>> {
    let short = World::new(setting, SHORT).await?;
    let long = World::new(setting, long).await?;
    let mut rows = Vec::new();
    for connections in [1, LISTENERS] {
        rows.push(compare(setting, &short, &long, connections).await?);
    }
    rows.push(memory(&short, &long)?);
    short.server.stop().await?;
    long.server.stop().await?;
    Ok(rows)
}

/// A server on a log of its own.
struct World {
    events: u64,
    server: Server,
    ratings: Ratings,
    _folder: TempDir,
}

impl World {
    async fn new(setting: &Setting, events: u64) -> Result<Self> {
        let folder = setting.temporary()?;
        let program = setting.program(folder.path(), TRACKS).await?;
        let catalogue = classifier::generator::catalogue(TRACKS, 1);
        let events = fill::fill(program.data(), catalogue, events).await?;
        let server = serve(&program).await?;
        let client = Client::new(server.address())?;
        let sessions = listeners(&client, LISTENERS).await?;
        let ratings = Ratings::new(&sessions, track_ids(&sessions[0], TRACKS).await?);
        Ok(Self {
            events,
            server,
            ratings,
            _folder: folder,
        })
    }

    async fn load(&self, connections: usize, duration: Duration) -> Result<Loaded> {
        let bounds = Bounds {
            connections,
            duration,
            requests_max: REQUESTS_MAX,
        };
        let ratings = self.ratings.clone();
        load::run(self.server.address(), bounds, move |connection, _| {
            ratings.next(connection)
        })
        .await
    }
}

async fn compare(setting: &Setting, short: &World, long: &World, connections: usize) -> Result<Row> {
    let watch = CpuWatch::start();
    let none = Loaded::default();
    let (mut on_short, mut on_long) = (none.clone(), none);
    for _ in 0..ROUNDS {
        on_short.extend(short.load(connections, setting.duration() / ROUNDS).await?);
        on_long.extend(long.load(connections, setting.duration() / ROUNDS).await?);
    }
    let cost = |loaded: &Loaded| 1e6 / loaded.per_second();
    let what = format!(
        "cost of a command after {} events, {connections} connections",
        thousands(long.events as f64)
    );
    let row = Row::new(what, format!("{:.0} us", cost(&on_long)), watch.others());
    let peer = format!(
        "after {} events: {:.0} us",
        thousands(short.events as f64),
        cost(&on_short)
    );
    Ok(row
        .beside(peer, cost(&on_long) / cost(&on_short))
        .reach("ratio <= 1.1"))
}

fn memory(short: &World, long: &World) -> Result<Row> {
    let (on_short, on_long) = (short.server.memory()?.anonymous, long.server.memory()?.anonymous);
    let what = format!("memory of its own after {} events", thousands(long.events as f64));
    let peer = format!(
        "after {} events: {}",
        thousands(short.events as f64),
        mebibytes(on_short)
    );
    Ok(Row::new(what, mebibytes(on_long), 0.0)
        .beside(peer, on_long as f64 / on_short as f64)
        .reach("flat"))
}
