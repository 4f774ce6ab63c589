//! Backups of the embedded stack, made beside a busy server, and what is checked before one is put in place.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request, Session};
use bench::server::Program;
use eventing::backup::FolderLock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{LIMIT, account, program, refused, sign_in};

const TRACKS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_is_whole_and_serves() -> Result<()> {
    let folder = TempDir::with_prefix("segue-backup-")?;
    let program = program(&folder.path().join("data"));
    program.furnish(TRACKS, 1).await?;
    let server = program.serve(LIMIT).await?;
    let client = Client::new(server.address())?;
    let session = client.listener("first").await?;
    let stop = CancellationToken::new();
    let busy = tokio::spawn(write_on(client.clone(), session, stop.clone()));
    let backup = folder.path().join("backup");
    let out = backup.display().to_string();
    let arguments = ["backup", "--out", &out, "--with-master-key", "--format", "json"];
    let manifest: Value = serde_json::from_str(&program.tool(&arguments, "").await?)?;
    stop.cancel();
    busy.await??;
    server.stop().await?;
    let refusal = refused(&program, &["backup", "--out", &out]).await?;
    ensure!(refusal.contains("never replaces"), "{refusal}");

    let restored = crate::program(&folder.path().join("restored"));
    restored.tool(&["restore", &out], "").await?;
    let server = restored.serve(LIMIT).await?;
    let client = Client::new(server.address())?;
    ensure!(
        sign_in(&client, "first").await?.status == 201,
        "the first account is there"
    );
    let head = manifest["log_head"].as_u64().context("a head")?;
    ensure!(head > 2, "the log had grown: {head}");
    server.stop().await?;
    restored.tool(&["audit", "replay"], "").await?;
    Ok(())
}

/// Registers, rates and asks for playlists until it is told to stop.
async fn write_on(client: Client, session: Session, stop: CancellationToken) -> Result<()> {
    let mut round = 0;
    while !stop.is_cancelled() {
        let rating = json!({"rating": if round % 2 == 0 { "like" } else { "dislike" }});
        let track = format!("demo-{:07}", round % TRACKS + 1);
        session
            .send(&Request::put(format!("/v1/me/ratings/{track}"), &rating))
            .await?
            .expect(204)?;
        if round % 20 == 0 {
            client.register(&format!("listener-{round}")).await?;
            session.request_playlist(&json!({"limit": 5})).await?;
        }
        round += 1;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_whole_backup_is_refused_and_changes_nothing() -> Result<()> {
    let folder = TempDir::with_prefix("segue-backup-")?;
    let program = program(&folder.path().join("data"));
    account(&program, "somebody").await?;
    let backup = made(&program, &folder, "backup").await?;
    let before = fs::read(program.data().join("log.db"))?;
    let target = crate::program(&folder.path().join("target"));

    let refusal = refused(&target, &["restore", &text(folder.path())]).await?;
    ensure!(refusal.contains("is no backup"), "{refusal}");
    for file in ["log.db", "keys.db"] {
        let broken = damaged(&backup, &folder, file, |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        })?;
        let refusal = refused(&target, &["restore", &text(&broken)]).await?;
        ensure!(refusal.contains(file) && refusal.contains("SHA-256"), "{refusal}");
        let short = damaged(&backup, &folder, file, |bytes| bytes.truncate(4_096))?;
        let refusal = refused(&target, &["restore", &text(&short)]).await?;
        ensure!(
            refusal.contains(file) && refusal.contains("4096 bytes"),
            "{refusal}"
        );
        fs::remove_file(short.join(file))?;
        let refusal = refused(&target, &["restore", &text(&short)]).await?;
        ensure!(refusal.contains("is missing"), "{refusal}");
    }
    ensure!(!target.data().exists(), "nothing was put in place");
    let left: Vec<_> = fs::read_dir(folder.path())?
        .filter_map(|entry| entry.ok())
        .collect();
    let drafts = left
        .iter()
        .filter(|entry| entry.file_name().to_string_lossy().contains("partial"));
    ensure!(drafts.count() == 0, "a draft is left: {left:?}");

    let refusal = refused(&program, &["restore", &text(&backup)]).await?;
    ensure!(refusal.contains("--replace"), "{refusal}");
    ensure!(
        fs::read(program.data().join("log.db"))? == before,
        "the folder was touched"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_served_or_whose_keys_are_anothers_is_not_restored_into() -> Result<()> {
    let folder = TempDir::with_prefix("segue-backup-")?;
    let (here, there) = (
        program(&folder.path().join("here")),
        program(&folder.path().join("there")),
    );
    account(&here, "somebody").await?;
    account(&there, "somebody-else").await?;
    let backup = made(&here, &folder, "backup").await?;
    let refusal = refused(&there, &["restore", &text(&backup), "--replace"]).await?;
    ensure!(refusal.contains("not that of the backup's keys"), "{refusal}");
    let server = here.serve(LIMIT).await?;
    let refusal = refused(&here, &["restore", &text(&backup), "--replace"]).await?;
    ensure!(refusal.contains("a server or a tool works on"), "{refusal}");
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_shorter_than_what_auditors_were_told_is_refused_unless_accepted() -> Result<()> {
    let folder = TempDir::with_prefix("segue-backup-")?;
    let program = program(&folder.path().join("data"));
    program.furnish(TRACKS, 1).await?;
    let backup = text(&made(&program, &folder, "backup").await?);
    let server = program.serve(LIMIT).await?;
    let client = Client::new(server.address())?;
    client.register("somebody").await?;
    let auditor = client.sign_in("the-auditor").await?;
    let told = auditor
        .send(&Request::get("/v1/audit/checkpoint"))
        .await?
        .expect(200)?;
    server.stop().await?;
    let refusal = refused(&program, &["restore", &backup, "--replace"]).await?;
    ensure!(refusal.contains("--accept-shorter-log"), "{refusal}");
    let size = String::from_utf8_lossy(&told.body)
        .lines()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    ensure!(
        refusal.contains(&format!("{size} records")),
        "{refusal} does not say {size}"
    );
    let accept = ["restore", &backup, "--replace", "--accept-shorter-log"];
    program.tool(&accept, "").await?;
    let server = program.serve(LIMIT).await?;
    let answer = sign_in(&Client::new(server.address())?, "somebody").await?;
    ensure!(
        answer.status == 401,
        "it is the log from before: {}",
        answer.status
    );
    server.stop().await
}

/// The public key that an instance signs with, and what verifying its log prints.
async fn verified(program: &Program) -> Result<(String, Value)> {
    program.tool(&["audit", "checkpoint"], "").await?;
    let report = program.tool(&["audit", "verify", "--format", "json"], "").await?;
    let report: Value = serde_json::from_str(&report)?;
    let key = report["public_key"].as_str().context("a key")?;
    Ok((key.to_owned(), report))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_in_an_empty_folder_gets_another_audit_key_unless_nothing_was_signed_since() -> Result<()> {
    let folder = TempDir::with_prefix("segue-backup-")?;
    let here = program(&folder.path().join("here"));
    account(&here, "somebody").await?;
    let (key, _) = verified(&here).await?;
    let backup = text(&made(&here, &folder, "backup").await?);
    let master_key = text(&here.data().join("master.key"));
    let restored = async |name: &str, more: &[&str]| -> Result<(Program, Value)> {
        let there = program(&folder.path().join(name)).with_env("SEGUE_MASTER_KEY_FILE", &master_key);
        let restore = [&["restore", &backup, "--format", "json"], more].concat();
        let printed = there.tool(&restore, "").await?;
        Ok((there, serde_json::from_str(&printed)?))
    };

    let (moved, printed) = restored("moved", &["--keep-audit-key"]).await?;
    ensure!(printed.get("retired_audit_keys").is_none(), "{printed}");
    ensure!(
        verified(&moved).await?.0 == key,
        "the instance moved with its key"
    );

    let (put_back, printed) = restored("put-back", &[]).await?;
    ensure!(printed["retired_audit_keys"] == json!([key]), "{printed}");
    account(&put_back, "somebody-else").await?;
    let (new, report) = verified(&put_back).await?;
    ensure!(new != key, "the key may have signed what is lost");
    ensure!(
        report["live"]["checkpoints"] == 2,
        "what the old key signed still verifies: {report}"
    );
    fs::copy(here.data().join("audit.key"), put_back.data().join("audit.key"))?;
    let refusal = refused(&put_back, &["audit", "checkpoint"]).await?;
    ensure!(refusal.contains("segue audit keygen"), "{refusal}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_at_work_keeps_a_folder_from_being_restored() -> Result<()> {
    let folder = TempDir::with_prefix("segue-backup-")?;
    let program = program(&folder.path().join("data"));
    account(&program, "somebody").await?;
    let backup = text(&made(&program, &folder, "backup").await?);
    let at_work = FolderLock::using(program.data())?.context("nobody replaces the folder")?;
    let refusal = refused(&program, &["restore", &backup, "--replace"]).await?;
    ensure!(refusal.contains("a server or a tool works on"), "{refusal}");
    drop(at_work);
    program.tool(&["restore", &backup, "--replace"], "").await?;
    Ok(())
}

async fn made(program: &Program, folder: &TempDir, name: &str) -> Result<PathBuf> {
    let backup = folder.path().join(name);
    program.tool(&["backup", "--out", &text(&backup)], "").await?;
    Ok(backup)
}

/// A copy of a backup in which one file is another.
fn damaged(
    backup: &Path,
    folder: &TempDir,
    file: &str,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<PathBuf> {
    let copy = folder.path().join(format!("damaged-{}", rand::random::<u32>()));
    bench::server::copy_folder(backup, &copy)?;
    let mut bytes = fs::read(copy.join(file))?;
    change(&mut bytes);
    fs::write(copy.join(file), bytes)?;
    Ok(copy)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
