//! A scrape of every role of the real program: `docs/metrics.md` names what is told and nothing else, and names and units keep
//! the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request};
use bench::cluster::{Cluster, Models, Role};
use bench::load::get_text;
use bench::server::Program;
use classifier::BaseModel;
use classifier::catalogue::read_csv;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::exposition::{Family, parse};
use crate::{naming, page};

const LIMIT: Duration = Duration::from_secs(60);
const TRACKS: usize = 300;
const SEED: u64 = 1;
/// Names that a client chose; none may turn up in a metric.
const CHOSEN: [&str; 2] = ["somebody-in-particular", "a-path-of-no-route"];

#[tokio::test(flavor = "multi_thread")]
async fn each_role_tells_what_the_page_says() -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), Models::Files).await?;
    cluster.program().furnish(TRACKS, SEED).await?;
    publish_model(cluster.program()).await?;
    cluster.run(&Role::ALL).await?;
    let rest = cluster.rest()?.address();
    make_a_playlist(rest).await?;
    for role in Role::ALL {
        let address = cluster.of(role).next().context("a process")?.address();
        tells_what_the_page_says(address, &[role.command()]).await?;
    }
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_with_all_roles_tells_what_they_all_do() -> Result<()> {
    let folder = TempDir::with_prefix("segue-monitoring-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program.furnish(TRACKS, SEED).await?;
    publish_model(&program).await?;
    let server = program.serve(LIMIT).await?;
    let path = make_a_playlist(server.address()).await?;
    tells_what_the_page_says(server.address(), &Role::ALL.map(Role::command)).await?;

    let told = scrape(server.address()).await?;
    let value = |name: &str, label: &str, value: &str| {
        let samples = told.iter().flat_map(|family| &family.samples);
        let mut found = samples.filter(|sample| sample.name == name);
        let found = found.find(|sample| sample.labels.get(label).is_some_and(|found| found == value));
        found.map(|sample| sample.value)
    };
    let id = path.rsplit('/').next().context("an id")?;
    ensure!(
        value("segue_playlists_total", "outcome", "generated") == Some(1.0),
        "{id}"
    );
    for stage in ["queued", "loading", "generating", "appended"] {
        let count = value("segue_playlist_stage_duration_seconds_count", "stage", stage);
        ensure!(count == Some(1.0), "{stage}: {count:?}");
    }
    ensure!(value("segue_http_requests_total", "status", "202") == Some(1.0));
    ensure!(value("segue_http_requests_total", "route", "none") == Some(1.0));
    let text = get_text(server.address(), "/metrics").await?;
    for chosen in CHOSEN.into_iter().chain([id]) {
        ensure!(!text.contains(chosen), "{chosen} is in {text}");
    }
    server.stop().await
}

/// Asks until `roles` tell all that the page says of them: who relays and who counts is settled a moment after the start.
async fn tells_what_the_page_says(address: SocketAddr, roles: &[&str]) -> Result<()> {
    let page = page::metrics();
    let told_by_roles = page
        .iter()
        .filter(|(_, entry)| roles.iter().any(|role| entry.is_told_by(role)));
    let expected: BTreeMap<&str, (&str, BTreeSet<&str>)> = told_by_roles
        .map(|(name, entry)| {
            let labels = entry.labels.iter().map(String::as_str).collect();
            (name.as_str(), (entry.kind.as_str(), labels))
        })
        .collect();
    let deadline = Instant::now() + LIMIT;
    loop {
        let told = scrape(address).await?;
        let faults: Vec<String> = told.iter().flat_map(naming::faults).collect();
        ensure!(faults.is_empty(), "{faults:#?}");
        let names: Vec<String> = told.iter().map(Family::queried).collect();
        let found = names.iter().zip(&told);
        let found: BTreeMap<&str, (&str, BTreeSet<&str>)> = found
            .map(|(name, family)| (name.as_str(), (family.kind.as_str(), family.labels())))
            .collect();
        if found == expected {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{roles:?} tell {found:#?} and the page says {expected:#?}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

async fn scrape(address: SocketAddr) -> Result<Vec<Family>> {
    let text = get_text(address, "/metrics").await?;
    parse(&text).with_context(|| text.clone())
}

/// A neutral model of the generated catalogue, published as a base model.
async fn publish_model(program: &Program) -> Result<()> {
    let mut catalogue = Vec::new();
    classifier::generator::write_csv(&mut catalogue, TRACKS, SEED)?;
    let catalogue = read_csv(catalogue.as_slice(), None, &mut |_| {})?.catalogue;
    let folder = TempDir::with_prefix("segue-model-")?;
    let file = folder.path().join("model.json");
    std::fs::write(&file, BaseModel::neutral(catalogue.schema()).to_bytes())?;
    let file = file.to_str().context("a readable path")?;
    program.tool(&["model", "publish", file], "").await?;
    Ok(())
}

/// Does a little of everything that is counted, and hands back where the playlist is.
async fn make_a_playlist(address: SocketAddr) -> Result<String> {
    let [name, path] = CHOSEN;
    let client = Client::new(address)?;
    let session = client.listener(name).await?;
    client
        .send(None, &Request::get(format!("/{path}")))
        .await?
        .expect(404)?;
    let asked = session.request_playlist(&json!({"limit": 5})).await?;
    session.ready_playlist(&asked, LIMIT).await?;
    Ok(asked)
}
