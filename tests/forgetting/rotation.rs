//! Another master key.

use std::path::Path;

use anyhow::{Result, ensure};
use bench::client::Client;
use bench::server::Program;
use eventing::{KeyError, Keys, MasterKey};
use servers::Postgres;
use tempfile::TempDir;

use crate::crashes::on;
use crate::{LIMIT, account, dies_at, program, refused, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_whole_wherever_it_is_killed_and_the_old_key_opens_nothing() -> Result<()> {
    let folder = TempDir::with_prefix("segue-rotation-")?;
    let program = program(&folder.path().join("data"));
    account(&program, "somebody").await?;
    let (data, new_key) = (program.data().to_owned(), folder.path().join("new.key"));
    let old = MasterKey::load_or_create(&data)?;
    let file = new_key.display().to_string();
    program.tool(&["keys", "generate", &file], "").await?;
    let rotate = ["keys", "rotate", "--new-key-file", &file];
    dies_at(&program, "rotate.before_commit", &rotate).await?;
    ensure!(
        Keys::open(&data, old.clone()).await.is_ok(),
        "the old key opens them still"
    );
    dies_at(&program, "rotate.after_commit", &rotate).await?;
    let refusal = Keys::open(&data, old.clone()).await;
    ensure!(matches!(refusal, Err(KeyError::WrongMasterKey)), "{refusal:?}");
    program.tool(&rotate, "").await?;
    let said = refused(&program, &rotate).await?;
    ensure!(said.contains("is the present one"), "{said}");
    signs_in(&program, "somebody").await?;
    nowhere(&data, &old).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_on_a_database_is_whole_wherever_it_is_killed() -> Result<()> {
    let database = Postgres::start().await?;
    let folder = TempDir::with_prefix("segue-rotation-")?;
    let (program, config) = on(&database, &folder).await?;
    account(&program, "somebody").await?;
    let new_key = folder.path().join("new.key");
    let new = MasterKey::create_file(&new_key)?;
    let file = new_key.display().to_string();
    let rotate = ["keys", "rotate", "--new-key-file", &file];
    dies_at(&program, "rotate.before_commit", &rotate).await?;
    let early = Keys::open_postgres(config.clone(), new.clone()).await;
    ensure!(matches!(early, Err(KeyError::WrongMasterKey)), "{early:?}");
    dies_at(&program, "rotate.after_commit", &rotate).await?;
    program.tool(&rotate, "").await?;
    let old = crate::crashes::master_key()?;
    let late = Keys::open_postgres(config.clone(), old).await;
    ensure!(matches!(late, Err(KeyError::WrongMasterKey)), "{late:?}");
    let text = std::fs::read_to_string(&new_key)?;
    signs_in(&program.with_env("SEGUE_MASTER_KEY", text.trim()), "somebody").await
}

/// A process that runs with the old key goes on with the keys that it has, and makes none that the new key could not open.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_process_refuses_after_a_rotation_and_damages_nothing() -> Result<()> {
    let folder = TempDir::with_prefix("segue-rotation-")?;
    let program = program(&folder.path().join("data"));
    account(&program, "in-memory").await?;
    account(&program, "on-disk").await?;
    let server = program.serve(LIMIT).await?;
    let client = Client::new(server.address())?;
    ensure!(
        sign_in(&client, "in-memory").await?.status == 201,
        "before the rotation"
    );
    let file = folder.path().join("new.key").display().to_string();
    program.tool(&["keys", "generate", &file], "").await?;
    program
        .tool(&["keys", "rotate", "--new-key-file", &file], "")
        .await?;
    ensure!(
        sign_in(&client, "in-memory").await?.status == 201,
        "its key is in memory"
    );
    ensure!(
        client.register("newcomer").await.is_err(),
        "no key is made under the old one"
    );
    let output = server.output();
    ensure!(output.contains("master key was rotated"), "{output}");
    server.stop().await?;
    let server = program.serve(LIMIT).await?;
    let client = Client::new(server.address())?;
    for name in ["in-memory", "on-disk"] {
        let answer = sign_in(&client, name).await?;
        ensure!(answer.status == 201, "{name}: {}", answer.status);
    }
    client.register("newcomer").await?;
    server.stop().await?;
    let letters = program
        .tool(&["dead-letters", "list", "--format", "json"], "")
        .await?;
    ensure!(letters.trim() == "[]", "nothing was set aside: {letters}");
    Ok(())
}

async fn signs_in(program: &Program, name: &str) -> Result<()> {
    let server = program.serve(LIMIT).await?;
    let answer = sign_in(&Client::new(server.address())?, name).await?;
    ensure!(answer.status == 201, "signing in answers {}", answer.status);
    server.stop().await
}

/// No file of the folder holds a key that the old master key opens: the file of keys was opened with it in vain, and nothing
/// else holds any.
async fn nowhere(data: &Path, old: &MasterKey) -> Result<()> {
    let refusal = Keys::open(data, old.clone()).await;
    ensure!(matches!(refusal, Err(KeyError::WrongMasterKey)), "{refusal:?}");
    ensure!(
        !data.join("keys.db-wal").exists() || std::fs::metadata(data.join("keys.db-wal"))?.len() == 0,
        "the write-ahead file is not empty"
    );
    Ok(())
}
