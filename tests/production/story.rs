//! The same history gives the same playlists, byte for byte, whoever makes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request, Session};
use bench::cluster::{Cluster, Role};
use bench::server::Program;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::MODELS;

const LIMIT: Duration = Duration::from_secs(60);
const TRACKS: usize = 2_000;
const LISTENERS: usize = 3;
const RATINGS: usize = 40;
const ROUNDS: usize = 4;

/// Name of a playlist to the bytes of what was generated.
type Playlists = BTreeMap<String, String>;

#[tokio::test(flavor = "multi_thread")]
async fn one_two_and_four_classifiers_make_the_playlists_of_the_embedded_run() -> Result<()> {
    let embedded = embedded().await?;
    ensure!(
        embedded.len() == LISTENERS * ROUNDS * requests(0).len(),
        "{} playlists",
        embedded.len()
    );

    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), MODELS).await?;
    cluster.program().furnish(TRACKS, 3).await?;
    cluster
        .run(&[Role::Rest, Role::Usermanagement, Role::Classifier])
        .await?;
    let client = Client::new(cluster.rest()?.address())?;
    for classifiers in [1, 2, 4] {
        cluster.scale(Role::Classifier, classifiers).await?;
        let told = tell(&client, &format!("with-{classifiers}")).await?;
        for (name, playlist) in &embedded {
            let made = told.get(name).with_context(|| format!("{name} was not made"))?;
            ensure!(
                made == playlist,
                "{classifiers} classifiers, {name}: {made} and not {playlist}"
            );
        }
    }
    let replayed = cluster.program().tool(&["audit", "replay"], "").await;
    replayed.context("the views are not what the log gives")?;
    cluster.stop().await
}

async fn embedded() -> Result<Playlists> {
    let folder = TempDir::with_prefix("segue-story-")?;
    let program = program(&folder.path().join("data"));
    program.furnish(TRACKS, 3).await?;
    let server = program.serve(LIMIT).await?;
    let told = tell(&Client::new(server.address())?, "embedded").await?;
    server.stop().await?;
    Ok(told)
}

fn program(data: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_segue"), data).with_env("SEGUE_THROTTLE", "off")
}

/// Listeners rate, play, change their minds and ask for playlists, always in the same way; `run` tells their names from
/// those of other runs.
async fn tell(client: &Client, run: &str) -> Result<Playlists> {
    let auditor = client.sign_in("the-auditor").await?;
    let before = head(&auditor).await?;
    let mut asked = Vec::new();
    for listener in 0..LISTENERS {
        let session = client.listener(&format!("{run}-{listener}")).await?;
        for round in 0..ROUNDS {
            live(&session, listener, round).await?;
            for (number, mut request) in requests(listener + round).into_iter().enumerate() {
                request["name"] = json!(format!("{listener}-{round}-{number}"));
                asked.push((session.clone(), session.request_playlist(&request).await?));
            }
        }
    }
    for (session, path) in &asked {
        session.ready_playlist(path, LIMIT).await?;
    }
    generated(&auditor, before).await
}

/// A round of ratings, of which some turn over earlier ones, and a play.
async fn live(session: &Session, listener: usize, round: usize) -> Result<()> {
    let ratings: Vec<(String, &str)> = (0..RATINGS)
        .map(|n| {
            let track = (n * 37 + listener * 11 + round * 7) % TRACKS + 1;
            let rating = if (n + listener + round).is_multiple_of(3) {
                "dislike"
            } else {
                "like"
            };
            (format!("demo-{track:07}"), rating)
        })
        .collect();
    let ratings: Vec<_> = ratings
        .iter()
        .map(|(track, rating)| (track.as_str(), *rating))
        .collect();
    session.rate(&ratings).await?;
    let play =
        json!({"track": ratings[0].0, "played_at": "2026-01-01T00:00:00Z", "duration_played_ms": 30_000});
    session
        .send(&Request::post("/v1/me/plays", &play))
        .await?
        .expect(204)?;
    Ok(())
}

/// One request of each kind.
fn requests(seed: usize) -> Vec<Value> {
    vec![
        json!({"limit": 20, "random_seed": seed}),
        json!({"limit": 50, "order": "smooth", "max_per_artist": 1, "random_seed": seed}),
        json!({"limit": 10, "exploration": 0.7, "random_seed": seed + 100}),
        json!({"limit": 15, "target_energy": 0.8, "min_danceability": 0.3, "order": "shuffle", "random_seed": seed}),
    ]
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    position: u64,
    #[serde(rename = "type")]
    kind: String,
    stream: String,
    data: Option<Box<RawValue>>,
}

async fn head(auditor: &Session) -> Result<u64> {
    let page = auditor
        .send(&Request::get("/v1/events?limit=1"))
        .await?
        .expect(200)?;
    page.position.context("no Segue-Position")
}

/// What was generated after position `after`, by the name that was asked for.
async fn generated(auditor: &Session, mut after: u64) -> Result<Playlists> {
    let (mut names, mut payloads) = (BTreeMap::new(), Vec::new());
    loop {
        let path = format!("/v1/events?after={after}&limit=1000");
        let page = auditor.send(&Request::get(path)).await?.expect(200)?;
        let page: Page = serde_json::from_slice(&page.body)?;
        let Some(last) = page.items.last() else { break };
        after = last.position;
        for item in page.items {
            let Some(data) = item.data else { continue };
            match item.kind.as_str() {
                "playlist.requested" => {
                    let requested: Value = serde_json::from_str(data.get())?;
                    let name = requested["name"].as_str().context("no name")?;
                    names.insert(item.stream, name.to_owned());
                }
                "playlist.generated" => payloads.push((item.stream, data.get().to_owned())),
                _ => {}
            }
        }
    }
    let named = payloads.into_iter().map(|(stream, payload)| {
        let name = names.get(&stream).context("it was not asked for")?;
        Ok((name.clone(), payload))
    });
    named.collect()
}
