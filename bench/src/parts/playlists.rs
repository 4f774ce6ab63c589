//! A playlist, from its request to its being ready, on catalogues of three sizes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Setting, listeners, serve, track_ids};
use crate::client::{Client, Request, Session};
use crate::cpu::CpuWatch;
use crate::numbers::{Latencies, mebibytes};
use crate::report::Row;

/// Ratings of the listener who asks.
const RATED: usize = 60;
const READY_LIMIT: Duration = Duration::from_secs(120);

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for tracks in setting.pick(vec![10_000], vec![10_000, 100_000, 1_000_000]) {
        rows.extend(of_size(setting, tracks).await?);
    }
    Ok(rows)
}

async fn of_size(setting: &Setting, tracks: usize) -> Result<Vec<Row>> {
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), tracks).await?;
    let server = serve(&program).await?;
    let client = Client::new(server.address())?;
    let listener = listeners(&client, 1).await?.pop().context("no listener")?;
    rate_some(&listener).await?;
    // The first one loads the catalogue.
    requested_to_ready(&listener).await?;
    let watch = CpuWatch::start();
    let mut latencies = Latencies::default();
    for _ in 0..setting.pick(30, 300) {
        latencies.push(requested_to_ready(&listener).await?);
    }
    let others = watch.others();
    let memory = server.memory()?;
    server.stop().await?;
    let what = format!("playlist of 50 requested to ready, {tracks} tracks");
    let row = Row::new(what, latencies.p50_p99(), others);
    let row = if tracks == 100_000 {
        row.reach("p50 < 20 ms, p99 < 100 ms")
    } else {
        row
    };
    let text = format!(
        "{} now, {} at most",
        mebibytes(memory.anonymous),
        mebibytes(memory.peak)
    );
    Ok(vec![
        row,
        Row::new(format!("memory of its own, {tracks} tracks"), text, 0.0),
    ])
}

pub(super) async fn rate_some(listener: &Session) -> Result<()> {
    let tracks = track_ids(listener, RATED).await?;
    let ratings: Vec<(&str, &str)> = tracks
        .iter()
        .enumerate()
        .map(|(n, id)| (id.as_str(), if n % 3 == 0 { "dislike" } else { "like" }))
        .collect();
    listener.rate(&ratings).await?;
    Ok(())
}

/// One request, and the wait for it: nobody asks again in between.
pub(super) async fn requested_to_ready(listener: &Session) -> Result<Duration> {
    let began = Instant::now();
    let path = listener.request_playlist(&json!({ "limit": 50 })).await?;
    let deadline = began + READY_LIMIT;
    loop {
        let answer = listener
            .send(&Request::get(&path).waiting(10))
            .await?
            .expect(200)?;
        let took = began.elapsed();
        match answer.json()?["status"].as_str() {
            Some("ready") => return Ok(took),
            Some("pending") => ensure!(Instant::now() < deadline, "{path} is still pending"),
            other => anyhow::bail!("{path} is {other:?}"),
        }
    }
}
