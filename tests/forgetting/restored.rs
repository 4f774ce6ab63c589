//! What is put back to before an erasure erases again, before it serves.

use anyhow::{Context, Result, ensure};
use bench::client::Client;
use bench::server::{Program, copy_folder};
use eventing::{EventLog, Keys, PostgresConfig, SubjectId};
use servers::Postgres;
use tempfile::TempDir;

use crate::crashes::{master_key, on};
use crate::{LIMIT, account, expect_forgotten, program, stores};

#[tokio::test(flavor = "multi_thread")]
async fn keys_from_before_an_erasure_are_destroyed_again() -> Result<()> {
    let folder = TempDir::with_prefix("segue-forgetting-")?;
    let program = program(&folder.path().join("data"));
    let subject = account(&program, "somebody").await?;
    let before = folder.path().join("before");
    copy_folder(program.data(), &before)?;
    program
        .tool(&["accounts", "erase", "somebody", "--yes"], "")
        .await?;
    std::fs::copy(before.join("keys.db"), program.data().join("keys.db"))?;
    let server = program.serve(LIMIT).await?;
    let (log, keys) = stores(program.data()).await?;
    let client = Client::new(server.address())?;
    expect_forgotten(&log, &keys, &client, ("somebody", subject)).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_from_before_an_erasure_erases_again() -> Result<()> {
    let folder = TempDir::with_prefix("segue-forgetting-")?;
    let program = program(&folder.path().join("data"));
    let subject = account(&program, "somebody").await?;
    let backup = folder.path().join("backup").display().to_string();
    program.tool(&["backup", "--out", &backup], "").await?;
    program
        .tool(&["accounts", "erase", "somebody", "--yes"], "")
        .await?;
    program.tool(&["restore", &backup, "--replace"], "").await?;
    let server = program.serve(LIMIT).await?;
    let (log, keys) = stores(program.data()).await?;
    let client = Client::new(server.address())?;
    expect_forgotten(&log, &keys, &client, ("somebody", subject)).await?;
    server.stop().await?;
    program.tool(&["audit", "replay"], "").await?;
    Ok(())
}

/// The steps of docs/backup.md, with the programs that it names.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_a_database_from_before_an_erasure_erases_again() -> Result<()> {
    let database = Postgres::start().await?;
    let folder = TempDir::with_prefix("segue-forgetting-")?;
    let (program, config) = on(&database, &folder).await?;
    let name = database_of(&program)?;
    let subject = account(&program, "somebody").await?;
    let (log_dump, keys_dump) = (
        database.dump(&name, "segue")?,
        database.dump(&name, "segue_keys")?,
    );
    program
        .tool(&["accounts", "erase", "somebody", "--yes"], "")
        .await?;
    // The keys alone are put back: the log knows better.
    database.psql(&name, "DROP SCHEMA segue_keys CASCADE")?;
    database.load(&name, &keys_dump)?;
    let keys = Keys::open_postgres(config.clone(), master_key()?).await?;
    ensure!(keys.ensure(subject).await.is_ok(), "the key is there again");
    drop(keys);
    serve_and_expect(&program, &config, subject)
        .await
        .context("keys from before")?;
    // And the log alone: the keys know better. Views that are ahead of it are deleted, as the page says.
    database.psql(&name, "DROP SCHEMA segue CASCADE")?;
    database.load(&name, &log_dump)?;
    std::fs::remove_dir_all(program.data().join("views"))?;
    serve_and_expect(&program, &config, subject)
        .await
        .context("the log from before")
}

async fn serve_and_expect(program: &Program, config: &PostgresConfig, subject: SubjectId) -> Result<()> {
    let server = program.serve(LIMIT).await?;
    let log = EventLog::open_postgres(config.clone()).await?;
    let keys = Keys::open_postgres(config.clone(), master_key()?).await?;
    let client = Client::new(server.address())?;
    expect_forgotten(&log, &keys, &client, ("somebody", subject)).await?;
    server.stop().await
}

fn database_of(program: &Program) -> Result<String> {
    let url = program.env("DATABASE_URL").context("a database")?;
    Ok(url.rsplit('/').next().unwrap_or_default().to_owned())
}
