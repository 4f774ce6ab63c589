//! `segue audit history`, beside a working instance and on a stopped one.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::client::{Client, Request, Session};
use bench::server::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
const BINARY: &str = env!("CARGO_BIN_EXE_segue");

async fn tool(program: &Program, arguments: &[&str]) -> Result<String> {
    program
        .tool(&[&["audit", "history"], arguments].concat(), "")
        .await
}

/// What the tool prints as JSON lines.
async fn lines(program: &Program, arguments: &[&str]) -> Result<Vec<Value>> {
    let text = tool(program, &[arguments, &["--format", "json"]].concat()).await?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

async fn get(by: &Session, path: &str) -> Result<Value> {
    by.send(&Request::get(path)).await?.expect(200)?.json()
}

async fn it_prints_what_http_tells(program: &Program, auditor: &Session) -> Result<()> {
    let http = get(auditor, "/v1/events?limit=1000").await?;
    let told = http["items"].as_array().context("items")?;
    let head = told.last().context("a history")?["position"].to_string();
    let printed = lines(program, &["--until", &head, "--limit", "1000"]).await?;
    let is_not_access = |event: &&Value| event["type"] != "access.history_read";
    let told: Vec<_> = told.iter().filter(is_not_access).collect();
    let printed: Vec<_> = printed.iter().filter(is_not_access).collect();
    assert_eq!(told, printed);
    let rated = lines(program, &["--type", "listener.track_rated"]).await?;
    assert!(rated.len() >= 2 && rated.iter().all(|event| event["datastate"] == "open"));
    let table = tool(program, &["--type", "account.", "--limit", "2"]).await?;
    let rows: Vec<&str> = table.lines().collect();
    assert!(
        rows.len() == 3 && rows[0].starts_with("position  recorded at"),
        "{table}"
    );
    assert!(rows[1].ends_with("account.registered    sealed"), "{table}");
    let (_, _, remarks) = program.run(&["audit", "history", "--limit", "1"], "").await?;
    assert!(remarks.contains("there is more: --after 1"), "{remarks}");
    Ok(())
}

async fn it_shows_what_a_request_caused(program: &Program, auditor: &Session) -> Result<()> {
    let requested = lines(program, &["--type", "playlist.requested"]).await?;
    let id = requested[0]["correlationid"].as_str().context("an id")?;
    let http = get(auditor, &format!("/v1/audit/correlations/{id}")).await?;
    let chain = tool(program, &["--chain", id, "--format", "json"]).await?;
    assert_eq!(serde_json::from_str::<Value>(&chain)?, http);
    let tree = tool(program, &["--chain", id]).await?;
    let (root, effect) = tree.split_once('\n').context("two lines")?;
    assert!(root.contains("  playlist.requested  playlist-"), "{tree}");
    assert!(
        effect.starts_with("  ") && effect.contains("  playlist.generated  playlist-"),
        "{tree}"
    );
    Ok(())
}

async fn it_follows_until_interrupted(program: &Program, ada: &Session) -> Result<()> {
    let last = lines(program, &["--limit", "100000"]).await?;
    let after = last.last().context("a history")?["position"].to_string();
    let mut child = Command::new(BINARY)
        .args([
            "audit",
            "history",
            "--follow",
            "--type",
            "listener.",
            "--after",
            &after,
        ])
        .args(["--format", "json", "--data"])
        .arg(program.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let out = child.stdout.take().context("its standard output")?;
    let mut out = BufReader::new(out).lines();
    let page = get(ada, "/v1/tracks?limit=9").await?;
    let track = page["items"][8]["id"].as_str().context("a track")?.to_owned();
    ada.rate(&[(&track, "like")]).await?;
    let line = timeout(PATIENCE, out.next_line()).await??.context("a line")?;
    let event: Value = serde_json::from_str(&line)?;
    assert_eq!(event["data"]["track"], track);
    kill(
        Pid::from_raw(child.id().context("it runs")?.try_into()?),
        Signal::SIGINT,
    )?;
    let status = timeout(PATIENCE, child.wait()).await??;
    assert!(status.success(), "{status}");
    Ok(())
}

async fn wrong_usage_is_named(program: &Program) -> Result<()> {
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (arguments, status, problem) in [
        (&["--type", "nonsense"][..], 1, "--type is no event type"),
        (&["--stream", "ada"], 1, "--stream is not the name of a stream"),
        (&["--subject", "ada"], 1, "--subject is not a UUID"),
        (&["--since", "yesterday"], 1, "--since is not a time"),
        (&["--chain", nobody], 1, "no record has the correlation id"),
        (&["--follow", "--until", "3"], 2, "cannot be used with"),
        (&["--limit", "0"], 2, "0 is not in 1..=100000"),
    ] {
        let arguments = [&["audit", "history"], arguments].concat();
        let (ended, out, err) = program.run(&arguments, "").await?;
        assert_eq!(
            (ended.code(), out.as_str()),
            (Some(status), ""),
            "{arguments:?}: {err}"
        );
        assert!(err.contains(problem), "{arguments:?}: {err}");
    }
    Ok(())
}

/// What was looked at with the tool, each once, and nothing of what was refused.
async fn reads_are_recorded(program: &Program) -> Result<()> {
    let stream = "access-5e60acce-5510-7000-8000-000000000001";
    let reads = lines(program, &["--stream", stream, "--limit", "1000"]).await?;
    let called = |call: &str| reads.iter().filter(|read| read["data"]["call"] == call).count();
    assert_eq!((called("events.follow"), called("correlation.read")), (1, 3));
    let expected = json!({"by": "command_line", "call": "events.list", "asked": {"event_type": "account."}});
    assert_eq!(reads.iter().filter(|read| read["data"] == expected).count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_list_and_follow_the_history() -> Result<()> {
    let folder = TempDir::with_prefix("segue-history-")?;
    let program = Program::new(BINARY, folder.path().join("data"));
    program.furnish(300, 1).await?;
    let server = program.serve(PATIENCE).await?;
    let client = Client::new(server.address())?;
    let ada = client.listener("ada-lovelace").await?;
    let page = get(&ada, "/v1/tracks?limit=2").await?;
    for item in page["items"].as_array().context("tracks")? {
        ada.rate(&[(item["id"].as_str().context("an id")?, "like")])
            .await?;
    }
    let path = ada.request_playlist(&json!({"limit": 5})).await?;
    ada.ready_playlist(&path, PATIENCE).await?;
    let auditor = client.sign_in("the-auditor").await?;
    it_prints_what_http_tells(&program, &auditor).await?;
    it_shows_what_a_request_caused(&program, &auditor).await?;
    it_follows_until_interrupted(&program, &ada).await?;
    wrong_usage_is_named(&program).await?;
    server.stop().await?;
    reads_are_recorded(&program).await
}
