//! A collector that does not take spans: requests go on, memory does not grow, and what is given up is counted.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request};
use bench::load::get_text;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::{LIMIT, embedded};

/// Each is a record, which has a span at its publishing and at its processing.
const RATINGS: usize = 1_000;
/// So many commands with that many ratings are more than wait in the queue.
const COMMANDS: usize = 7;
/// What the program sends at once, and how long it waits for the answer.
const BATCH: u64 = 512;
const ANSWER_WITHIN_S: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_noticed_once_and_harms_nobody() -> Result<()> {
    let folder = TempDir::with_prefix("segue-traces-")?;
    // Nothing listens there.
    let program = embedded(&folder, "http://127.0.0.1:1");
    program.furnish(300, 1).await?;
    let server = program.serve(LIMIT).await?;
    let session = Client::new(server.address())?.listener("somebody").await?;
    let asking = Request::post("/v1/playlists", &json!({"limit": 5}));
    session.send(&asking).await?.expect(202)?;
    let deadline = Instant::now() + LIMIT;
    while dropped(&get_text(server.address(), "/metrics").await?)? == 0 {
        ensure!(Instant::now() < deadline, "nothing is given up");
        sleep(Duration::from_millis(100)).await;
    }
    let asked = session.send(&asking).await?.expect(202)?;
    let path = asked.location.context("no Location")?;
    session.ready_playlist(&path, LIMIT).await?;
    let said = server.output();
    ensure!(
        said.matches("the collector does not take spans").count() == 1,
        "{said}"
    );
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_fills_a_queue_and_no_more() -> Result<()> {
    // Connections are taken by the system, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let folder = TempDir::with_prefix("segue-traces-")?;
    let program = embedded(&folder, &format!("http://{}", silent.local_addr()?));
    program.furnish(RATINGS, 1).await?;
    let server = program.serve(LIMIT).await?;
    let session = Client::new(server.address())?.listener("somebody").await?;
    let begun = Instant::now();
    for command in 0..COMMANDS {
        let rating = if command % 2 == 0 { "like" } else { "dislike" };
        let tracks: Vec<String> = (0..RATINGS).map(|n| format!("demo-{n:07}")).collect();
        let ratings: Vec<_> = tracks.iter().map(|track| (track.as_str(), rating)).collect();
        session.rate(&ratings).await?;
    }
    loop {
        let given_up = dropped(&get_text(server.address(), "/metrics").await?)?;
        // What was sent and not answered in time is given up as well.
        let unanswered = (begun.elapsed().as_secs() / ANSWER_WITHIN_S + 1) * BATCH;
        if given_up > unanswered {
            break;
        }
        ensure!(
            begun.elapsed() < LIMIT,
            "{given_up} spans were given up: the queue has no bound"
        );
        sleep(Duration::from_millis(100)).await;
    }
    let asked_to_stop = Instant::now();
    server.stop().await?;
    ensure!(asked_to_stop.elapsed() < LIMIT / 4, "it waits for the collector");
    Ok(())
}

fn dropped(metrics: &str) -> Result<u64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("segue_spans_dropped_total "));
    Ok(line.context("no such metric")?.parse()?)
}
