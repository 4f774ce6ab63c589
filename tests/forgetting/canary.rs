//! A person leaves a name, a password and free text in everything that takes text. What of it stands where, before they are
//! erased and after: in every file, table, key, queue, log line, measure and answer to an auditor.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request, Session};
use bench::cluster::{Cluster, Models, Role};
use bench::server::Program;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::search::{Found, Needle};
use crate::{LIMIT, program};

const NAME: &str = "canary-Qx7Wv-name";
const PASSWORD: &str = "canary Qx7Wv password with lanterns";
const OTHER_PASSWORD: &str = "canary Qx7Wv another with harbours";
const TEXT: &str = "canary-Qx7Wv-free-text";
/// Everything that the program can say of itself.
const LOUDLY: (&str, &str) = ("RUST_LOG", "trace");
/// Where base models lie: Firestore, when the binary can speak to it.
const MODELS: Models = if cfg!(feature = "production") {
    Models::Firestore
} else {
    Models::Files
};

/// Nothing of it stands in the open at any time.
fn needles() -> Vec<Needle> {
    vec![
        Needle::new("the name", NAME),
        Needle::new("the password", PASSWORD),
        Needle::new("the other password", OTHER_PASSWORD),
        Needle::new("the free text", TEXT),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_lies_in_the_open_in_the_embedded_stack() -> Result<()> {
    let folder = TempDir::with_prefix("segue-canary-")?;
    let program = program(&folder.path().join("data")).with_env(LOUDLY.0, LOUDLY.1);
    program.furnish(200, 1).await?;
    let server = program.serve(LIMIT).await?;
    let client = Client::new(server.address())?;
    let person = live(&client).await?;
    let backup = folder.path().join("backup").display().to_string();
    program
        .tool(&["backup", "--out", &backup, "--with-master-key"], "")
        .await?;
    exported(&program, &folder, "before.ndjson").await?;
    expect_nothing(folder.path(), "before the erasure")?;
    expect_nothing_told(&client, true).await?;
    erase(&client, &person).await?;
    exported(&program, &folder, "after.ndjson").await?;
    expect_nothing(folder.path(), "after the erasure")?;
    expect_nothing_told(&client, false).await?;
    server.stop().await?;
    let server = program.serve(LIMIT).await?;
    expect_nothing_told(&Client::new(server.address())?, false).await?;
    server.stop().await?;
    expect_nothing(folder.path(), "after a restart")?;
    program.tool(&["audit", "replay"], "").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_lies_in_the_open_in_the_production_stack() -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), MODELS).await?;
    cluster.set_env(LOUDLY.0, LOUDLY.1);
    cluster.program().furnish(200, 1).await?;
    cluster
        .run(&[Role::Rest, Role::Usermanagement, Role::Classifier])
        .await?;
    let client = Client::new(cluster.rest()?.address())?;
    let person = live(&client).await?;
    expect_nothing_on_servers(&cluster, "before the erasure")?;
    expect_nothing_told(&client, true).await?;
    erase(&client, &person).await?;
    expect_nothing_told(&client, false).await?;
    for role in [Role::Usermanagement, Role::Classifier] {
        let address = cluster.of(role).next().context("a process")?.address();
        let measures = Client::new(address)?
            .send(None, &Request::get("/metrics"))
            .await?;
        let mut found = Found::default();
        found.look("the measures of a worker", &measures.body, &needles());
        expect_none(&found, "after the erasure")?;
    }
    expect_nothing_on_servers(&cluster, "after the erasure")?;
    cluster.stop().await?;
    expect_nothing_on_servers(&cluster, "after a stop")
}

/// The history as auditors take it with them, uncompressed, beside the data.
async fn exported(program: &Program, folder: &TempDir, name: &str) -> Result<()> {
    let file = folder.path().join(name).display().to_string();
    program.tool(&["audit", "export", "--out", &file], "").await?;
    Ok(())
}

/// Leaves the texts in everything that takes text, and is refused with them where it is possible.
async fn live(client: &Client) -> Result<Session> {
    let account = json!({"username": NAME, "password": PASSWORD});
    let register = Request::post("/v1/accounts", &account).with_key("register");
    client.send(None, &register).await?.expect(201)?;
    client
        .send(None, &Request::post("/v1/accounts", &account).with_key("again"))
        .await?
        .expect(409)?;
    for wrong in [
        json!({"username": NAME, "password": OTHER_PASSWORD}),
        json!({"username": OTHER_PASSWORD, "password": NAME}),
    ] {
        client
            .send(None, &Request::post("/v1/sessions", &wrong))
            .await?
            .expect(401)?;
    }
    let session = sign_in(client, PASSWORD).await?;
    let change = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    let change = Request::put("/v1/me/password", &change).with_key("change");
    session.send(&change).await?.expect(204)?;
    session
        .rate(&[("demo-0000001", "like"), ("demo-0000002", "dislike")])
        .await?;
    let unknown = json!({"ratings": [{"track": TEXT, "rating": "like"}]});
    session
        .send(&Request::post("/v1/me/ratings", &unknown).with_key("unknown"))
        .await?
        .expect(200)?;
    let play = json!({"track": "demo-0000001", "duration_played_ms": 30_000});
    session
        .send(&Request::post("/v1/me/plays", &play))
        .await?
        .expect(204)?;
    let wishes = [
        json!({"name": TEXT, "limit": 5}),
        json!({"name": TEXT, "limit": 5, "seed_artists": [TEXT], "seed_genres": [TEXT]}),
    ];
    for wish in wishes {
        let asked = session.send(&Request::post("/v1/playlists", &wish)).await?;
        if let (202, Some(path)) = (asked.status.as_u16(), &asked.location) {
            let made = session.settled_playlist(path, LIMIT).await?;
            ensure!(made["name"] == TEXT, "its owner sees the name: {made}");
        }
    }
    let export = session.send(&Request::get("/v1/me/export")).await?.expect(200)?;
    let mut held = Found::default();
    held.look("the export", &export.body, &needles());
    ensure!(
        held.0 == ["the name in the export", "the free text in the export"],
        "{:?}",
        held.0
    );
    // What cannot be read, or is nowhere.
    for request in [
        Request::get(format!("/v1/tracks/{TEXT}")),
        Request::get(format!("/v1/tracks?q={TEXT}")),
        Request::post("/v1/playlists", &json!({"nam": TEXT, TEXT: 1})),
        Request::new(Method::PATCH, format!("/{NAME}")),
    ] {
        session.send(&request).await?;
    }
    Ok(session)
}

async fn sign_in(client: &Client, password: &str) -> Result<Session> {
    let body = json!({"username": NAME, "password": password});
    let answer = client.send(None, &Request::post("/v1/sessions", &body)).await?;
    let token = answer.expect(201)?.json()?["token"]
        .as_str()
        .context("a token")?
        .to_owned();
    Ok(Session::new(client.clone(), token))
}

async fn erase(client: &Client, person: &Session) -> Result<()> {
    let erase = Request::new(Method::DELETE, "/v1/me").with_key("erase");
    let erased = person.send(&erase).await?.expect(204)?;
    let position = erased.position.context("a position")?;
    let auditor = client.sign_in("the-auditor").await?;
    // The views have come to the erasure when a read that must reflect it is answered.
    let deadline = Instant::now() + LIMIT;
    loop {
        let read = Request::get("/v1/me/taste").at_least(position).waiting(10);
        let answer = auditor.send(&read).await?;
        match answer.status.as_u16() {
            503 if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
            _ => return answer.expect(200).map(drop),
        }
    }
}

/// Everything below a folder, log lines among it.
fn expect_nothing(folder: &Path, when: &str) -> Result<()> {
    let mut found = Found::default();
    let files = found.look_below(folder, &needles())?;
    ensure!(files > 5, "only {files} files");
    expect_none(&found, when)
}

/// What the API tells an auditor: the history, and its records as they are stored, and the measures. What listeners wrote is
/// open to auditors until they are erased; who they are is not.
async fn expect_nothing_told(client: &Client, is_text_open: bool) -> Result<()> {
    let auditor = client.sign_in("the-auditor").await?;
    let mut needles = needles();
    if is_text_open {
        needles.pop();
    }
    let mut found = Found::default();
    let (mut after, mut streams) = (0, Vec::new());
    loop {
        let page = auditor
            .send(&Request::get(format!("/v1/events?after={after}&limit=1000")))
            .await?
            .expect(200)?;
        found.look("the history", &page.body, &needles);
        let page: Value = page.json()?;
        let items = page["items"].as_array().context("items")?;
        streams.extend(
            items
                .iter()
                .filter_map(|item| item["stream"].as_str().map(str::to_owned)),
        );
        match items.last() {
            Some(last) => after = last["position"].as_u64().context("a position")?,
            None => break,
        }
    }
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        let records = auditor
            .send(&Request::get(format!("/v1/streams/{stream}")))
            .await?;
        found.look(&stream, &records.body, &needles);
    }
    let measures = client.send(None, &Request::get("/metrics")).await?.expect(200)?;
    found.look("the measures", &measures.body, &needles);
    expect_none(&found, "told")
}

/// Files and answers of every server, and the log lines of every process.
fn expect_nothing_on_servers(cluster: &Cluster, when: &str) -> Result<()> {
    let needles = needles();
    let mut found = Found::default();
    let database = cluster.database_url().rsplit('/').next().context("a database")?;
    for schema in ["segue", "segue_keys"] {
        let dump = cluster.postgres.dump(database, schema)?;
        ensure!(dump.contains("COPY"), "an empty dump");
        found.look("the database", dump.as_bytes(), &needles);
    }
    cluster.postgres.psql(database, "CHECKPOINT")?;
    let files = cluster.postgres.psql(database, "SHOW data_directory")?;
    found.look_below(&PathBuf::from(files), &needles)?;
    // Otherwise what repeats would be written in a shorter form.
    cluster.redis.cli(&["CONFIG", "SET", "rdbcompression", "no"])?;
    let dump = cluster.redis.dump()?;
    ensure!(dump.len() > 1_000, "an empty Redis");
    found.look("Redis", &dump, &needles);
    let files = cluster.rabbitmq.ctl(["eval", "rabbit_mnesia:dir()."])?;
    let files = Path::new(files.trim_matches('"'));
    ensure!(
        found.look_below(files, &needles)? > 5,
        "no files of the broker in {files:?}"
    );
    let own = cluster.program().data().parent().context("a folder")?;
    found.look_below(own, &needles)?;
    expect_none(&found, when)
}

fn expect_none(found: &Found, when: &str) -> Result<()> {
    ensure!(found.0.is_empty(), "{when}: {:#?}", found.0);
    Ok(())
}
