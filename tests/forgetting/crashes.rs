//! Killed between any two steps of an erasure, which the next start brings to its end.

use anyhow::{Context, Result};
use bench::client::{Client, Request};
use bench::server::Program;
use eventing::{EventLog, Keys, MasterKey, PostgresConfig, failpoints};
use serde_json::json;
use servers::Postgres;
use tempfile::TempDir;

use crate::{LIMIT, account, dies_at, expect_forgotten, program, stores};

const STEPS: [&str; 3] = ["erase.before_key", "erase.before_clear", "erase.after_clear"];
const MASTER_KEY: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

#[test]
fn every_step_is_listed() {
    let all = failpoints::ALL.iter().filter(|name| name.starts_with("erase."));
    assert!(all.eq(STEPS.iter()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_dies_while_it_erases_is_finished_by_the_next_start() -> Result<()> {
    for step in STEPS {
        let folder = TempDir::with_prefix("segue-forgetting-")?;
        let program = program(&folder.path().join("data"));
        let subject = account(&program, "somebody").await?;
        dies_at(&program, step, &["accounts", "erase", "somebody", "--yes"]).await?;
        let server = program.serve(LIMIT).await?;
        let (log, keys) = stores(program.data()).await?;
        let client = Client::new(server.address())?;
        let held = expect_forgotten(&log, &keys, &client, ("somebody", subject)).await;
        held.with_context(|| format!("after {step}"))?;
        server.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_while_it_erases_goes_on_and_gives_the_same_answer() -> Result<()> {
    for step in STEPS {
        let folder = TempDir::with_prefix("segue-forgetting-")?;
        let program = program(&folder.path().join("data"));
        let subject = account(&program, "somebody").await?;
        let mut dying = program
            .clone()
            .with_env(failpoints::VARIABLE, step)
            .serve(LIMIT)
            .await?;
        let session = Client::new(dying.address())?.sign_in("somebody").await?;
        let rate = Request::put("/v1/me/ratings/nothing", &json!({"rating": "like"}));
        session.send(&rate.with_key("kept")).await?;
        let erase = Request::new(reqwest::Method::DELETE, "/v1/me").with_key("once");
        let lost = session.send(&erase).await;
        assert!(lost.is_err(), "{step}: {lost:?}");
        dying.ended().await?;
        let server = program.serve(LIMIT).await?;
        let client = Client::new(server.address())?;
        session.moved_to(&client).send(&erase).await?.expect(204)?;
        let (log, keys) = stores(program.data()).await?;
        let held = expect_forgotten(&log, &keys, &client, ("somebody", subject)).await;
        held.with_context(|| format!("after {step}"))?;
        server.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_dies_on_a_database_is_finished_by_the_next_start() -> Result<()> {
    let database = Postgres::start().await?;
    for step in STEPS {
        let folder = TempDir::with_prefix("segue-forgetting-")?;
        let (program, config) = on(&database, &folder).await?;
        let subject = account(&program, "somebody").await?;
        dies_at(&program, step, &["accounts", "erase", "somebody", "--yes"]).await?;
        let server = program.serve(LIMIT).await?;
        let log = EventLog::open_postgres(config.clone()).await?;
        let keys = Keys::open_postgres(config, MasterKey::from_hex(MASTER_KEY)?).await?;
        let client = Client::new(server.address())?;
        let held = expect_forgotten(&log, &keys, &client, ("somebody", subject)).await;
        held.with_context(|| format!("after {step}"))?;
        server.stop().await?;
    }
    Ok(())
}

/// The binary on a fresh database.
pub(crate) async fn on(database: &Postgres, folder: &TempDir) -> Result<(Program, PostgresConfig)> {
    let url = database.new_database()?;
    let program = program(&folder.path().join("data"))
        .with_env("DATABASE_URL", &url)
        .with_env("SEGUE_MASTER_KEY", MASTER_KEY);
    program.tool(&["migrate"], "").await?;
    Ok((program, PostgresConfig::parse(&url)?))
}

pub(crate) fn master_key() -> Result<MasterKey> {
    Ok(MasterKey::from_hex(MASTER_KEY)?)
}
