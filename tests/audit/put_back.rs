//! A log that was put back to an older state behind the program's back, and a folder that is being restored.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bench::client::PASSWORD;
use eventing::backup::{FolderLock, Stop, copy_log};
use eventing::{EventLog, LogConfig, Position};

use crate::history::{Instance, append, text};

/// What every tool that opens an instance may be asked for; `{}` stands for a file that may be written.
const TOOLS: &[&[&str]] = &[
    &["accounts", "create", "somebody"],
    &["accounts", "grant", "the-auditor", "operator"],
    &["accounts", "erase", "the-auditor", "--yes"],
    &["audit", "checkpoint"],
    &["audit", "diff", "1", "2"],
    &["audit", "export", "--out", "{}"],
    &["audit", "history"],
    &["audit", "prove", "1"],
    &["audit", "replay"],
    &["audit", "tiles", "--out", "{}"],
    &["catalogue", "generate", "--tracks", "10"],
    &["dead-letters", "list"],
    &["model", "list"],
    &["projections", "status"],
    &["serve"],
];

/// An instance whose log is older than the checkpoint that its keys remember.
async fn put_back() -> Result<Instance> {
    let instance = Instance::with(20).await?;
    let auditor = ["accounts", "create", "the-auditor", "--role", "auditor"];
    instance.program.tool(&auditor, PASSWORD).await?;
    let log = instance.program.data().join("log.db");
    let older = instance.file("older.db");
    copy_log(instance.program.data(), &older, &Stop::default())?;
    append(instance.program.data(), 20).await?;
    instance.done(&["checkpoint"]).await?;
    for beside in ["log.db-wal", "log.db-shm"] {
        let _ = std::fs::remove_file(instance.program.data().join(beside));
    }
    std::fs::rename(&older, &log)?;
    Ok(instance)
}

async fn head(data: &Path) -> Result<Position> {
    Ok(EventLog::open(LogConfig::new(data)).await?.head().await?)
}

/// What a tool says that must not do what it is asked for.
async fn refusal(instance: &Instance, tool: &[&str]) -> Result<String> {
    let file = instance.file("written");
    let tool: Vec<&str> = tool
        .iter()
        .map(|word| if *word == "{}" { text(&file) } else { word })
        .collect();
    let (status, out, err) = instance.program.run(&tool, PASSWORD).await?;
    ensure!(
        status.code() == Some(1),
        "{tool:?} ended with {status}: {out}{err}"
    );
    ensure!(!file.exists(), "{tool:?} wrote something");
    Ok(err)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_works_on_a_log_that_is_shorter_than_what_was_signed() -> Result<()> {
    let instance = put_back().await?;
    let before = head(instance.program.data()).await?;
    for tool in TOOLS {
        let refusal = refusal(&instance, tool).await?;
        ensure!(refusal.contains("--accept-shorter-log"), "{tool:?}: {refusal}");
    }
    ensure!(
        head(instance.program.data()).await? == before,
        "something was appended"
    );
    let (status, report) = instance.json(&["verify"]).await?;
    ensure!(status == 7, "verifying says what it is: {report}");
    let accept = ["accounts", "create", "somebody", "--accept-shorter-log"];
    instance.program.tool(&accept, PASSWORD).await?;
    instance.done(&["history"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_shorter_log_is_signed_with_another_key_and_still_verifies() -> Result<()> {
    let instance = put_back().await?;
    let old = instance.public_key().await?;
    let accept = ["audit", "history", "--accept-shorter-log"];
    instance.program.tool(&accept, "").await?;
    instance.done(&["checkpoint"]).await?;
    let new = instance.public_key().await?;
    ensure!(new != old, "the key that signed a longer log goes on");
    let (status, report) = instance.json(&["verify"]).await?;
    ensure!(status == 0 && report["public_key"] == new.as_str(), "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_works_on_a_folder_that_is_being_restored() -> Result<()> {
    let instance = Instance::with(5).await?;
    let data = instance.program.data().to_owned();
    let before = head(&data).await?;
    let restoring = FolderLock::replacing(&data)?.context("nobody uses the folder")?;
    let key = instance.file("new.key");
    instance
        .program
        .tool(&["keys", "generate", text(&key)], "")
        .await?;
    let backup = instance.file("backup");
    let others: [&[&str]; 3] = [
        &["keys", "rotate", "--new-key-file", text(&key)],
        &["backup", "--out", text(&backup)],
        &["audit", "verify"],
    ];
    for tool in TOOLS.iter().chain(&others) {
        let refusal = refusal(&instance, tool).await?;
        ensure!(refusal.contains("is being restored"), "{tool:?}: {refusal}");
    }
    drop(restoring);
    ensure!(head(&data).await? == before, "something was appended");
    instance.done(&["verify"]).await?;
    Ok(())
}
