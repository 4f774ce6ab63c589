//! Durable commands a second through HTTP: ratings, each acknowledged after its commit.

use anyhow::Result;

use super::limits::syncs_per_second;
use super::{REQUESTS_MAX, Ratings, Setting, listeners, serve, track_ids};
use crate::client::Client;
use crate::cpu::CpuWatch;
use crate::load::{self, Bounds};
use crate::numbers::{mebibytes, thousands};
use crate::report::Row;

/// Connections of each measurement.
const CONNECTIONS: [usize; 4] = [1, 8, 64, 256];
const TRACKS: usize = 10_000;
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
    let client = Client::new(server.address())?;
    let sessions = listeners(&client, setting.pick(32, 256)).await?;
    let ratings = Ratings::new(&sessions, track_ids(&sessions[0], TRACKS).await?);
    let idle = server.memory()?;
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let watch = CpuWatch::start(&server.pid().into_iter().collect::<Vec<_>>());
        let bounds = Bounds {
            connections,
            duration: setting.duration(),
            requests_max: REQUESTS_MAX,
        };
        let ratings = ratings.clone();
        let loaded = load::run(server.address(), bounds, move |connection, _| {
            ratings.next(connection)
        })
        .await?;
        let others = watch.others();
        let value = format!(
            "{}/s, {}",
            thousands(loaded.per_second()),
            loaded.latencies.p50_p99()
        );
        let row = Row::new(
            format!("durable commands through HTTP, {connections} connections"),
            value,
            others,
        );
        rows.push(beside(setting, folder.path(), connections, loaded.per_second(), row).await?);
    }
    let memory = server.memory()?;
    let text = format!(
        "{} idle, {} after the load",
        mebibytes(idle.anonymous),
        mebibytes(memory.anonymous)
    );
    rows.push(Row::new(
        format!("memory of its own, {} listeners", sessions.len()),
        text,
        0.0,
    ));
    server.stop().await?;
    Ok(rows)
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
