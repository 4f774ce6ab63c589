//! Durable commands a second through HTTP: ratings, each acknowledged after its commit.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::limits::syncs_per_second;
use super::{REQUESTS_MAX, Ratings, Setting, listeners, serve, track_ids};
use crate::client::Client;
use crate::cpu::CpuWatch;
use crate::load::{self, Bounds, Loaded};
use crate::numbers::{mebibytes, thousands};
use crate::report::Row;

/// Connections of each measurement.
pub(super) const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
pub(super) const TRACKS: usize = 10_000;
/// Listeners of each measurement: a multiple of every number of connections, so that no two connections share one.
pub(super) const LISTENERS: usize = 256;
/// Rows a transaction of the plain SQLite beside it: one for each of 64 connections.
const PEER_ROWS: usize = 64;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), TRACKS).await?;
    let server = serve(&program).await?;
    let under_load = UnderLoad::new(setting, server.address()).await?;
    let idle = server.memory()?;
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let (rate, row) = under_load.commands(connections).await?;
        rows.push(beside(setting, folder.path(), connections, rate, row).await?);
    }
    let memory = server.memory()?;
    let text = format!(
        "{} idle, {} after the load",
        mebibytes(idle.anonymous),
        mebibytes(memory.anonymous)
    );
    let listeners = under_load.listeners;
    rows.push(Row::new(
        format!("memory of its own, {listeners} listeners"),
        text,
        0.0,
    ));
    server.stop().await?;
    Ok(rows)
}

/// A server, and listeners who rate.
pub(super) struct UnderLoad<'a> {
    setting: &'a Setting,
    address: SocketAddr,
    ratings: Ratings,
    listeners: usize,
}

impl<'a> UnderLoad<'a> {
    pub(super) async fn new(setting: &'a Setting, address: SocketAddr) -> Result<Self> {
        let client = Client::new(address)?;
        let sessions = listeners(&client, setting.pick(64, LISTENERS)).await?;
        let tracks = track_ids(&sessions[0], TRACKS).await?;
        Ok(Self {
            setting,
            address,
            ratings: Ratings::new(&sessions, tracks),
            listeners: sessions.len(),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Commands on so many connections, every one of which goes round its share of the listeners.
    pub(super) async fn load(&self, connections: usize, duration: Duration) -> Result<Loaded> {
        let bounds = Bounds {
            connections,
            duration,
            requests_max: REQUESTS_MAX,
        };
        let ratings = self.ratings.clone();
        load::run(self.address, bounds, move |connection, n| {
            ratings.next(connection + n * connections)
        })
        .await
    }

    /// Commands a second on so many connections, and the row that says so.
    async fn commands(&self, connections: usize) -> Result<(f64, Row)> {
        let watch = CpuWatch::start();
        let loaded = self.load(connections, self.setting.duration()).await?;
        Ok((loaded.per_second(), row("", connections, &loaded, watch.others())))
    }
}

/// The row of commands that were answered by what runs `where_`, beside nothing yet.
pub(super) fn row(where_: &str, connections: usize, loaded: &Loaded, others: f64) -> Row {
    let rate = thousands(loaded.per_second());
    Row::new(
        format!("durable commands through HTTP{where_}, {connections} connections"),
        format!("{rate}/s, {}", loaded.latencies.p50_p99()),
        others,
    )
}

async fn beside(
    setting: &Setting,
    folder: &std::path::Path,
    connections: usize,
    rate: f64,
    row: Row,
) -> Result<Row> {
    if connections == 64 {
        let peer = eventing::testing::plain_sqlite_rows_per_second(folder, PEER_ROWS, setting.duration())?;
        let row = row.beside(
            format!("SQLite, {PEER_ROWS} rows a transaction: {}/s", thousands(peer)),
            rate / peer,
        );
        return Ok(row.reach(">= 10,000/s; ratio >= 0.5"));
    }
    let syncs = syncs_per_second(folder, setting.duration() / 4)?;
    Ok(row.beside(
        format!("the disk's own: {} syncs/s", thousands(syncs)),
        rate / syncs,
    ))
}
