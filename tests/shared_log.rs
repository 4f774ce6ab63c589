//! Two servers, each with views of its own, on one log in PostgreSQL.

use std::time::Duration;

use anyhow::Result;
use bench::client::{Client, Request};
use bench::server::{Program, Server};
use serde_json::json;
use servers::Postgres;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const MASTER_KEY: &str = "7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a";
const PATIENCE: Duration = Duration::from_secs(60);

fn program(folder: &TempDir, name: &str, url: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join(name))
        .with_env("DATABASE_URL", url)
        .with_env("SEGUE_MASTER_KEY", MASTER_KEY)
}

async fn client(server: &Server) -> Result<Client> {
    Client::new(server.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_at_one_server_goes_on_at_the_other() -> Result<()> {
    let database = Postgres::start().await?;
    let url = database.new_database()?;
    let folder = TempDir::with_prefix("segue-shared-")?;
    let (here, there) = (program(&folder, "here", &url), program(&folder, "there", &url));
    here.tool(&["migrate"], "").await?;
    here.tool(&["catalogue", "generate", "--tracks", "300", "--seed", "1"], "")
        .await?;
    let (first, second) = (here.serve(PATIENCE).await?, there.serve(PATIENCE).await?);
    let (at_first, at_second) = (client(&first).await?, client(&second).await?);

    let listener = at_first.listener("ada").await?;
    let elsewhere = listener.moved_to(&at_second);
    let rated = elsewhere
        .rate(&[("demo-0000001", "like"), ("demo-0000002", "dislike")])
        .await?;
    let seen = Request::get("/v1/me/ratings").at_least(rated).waiting(30);
    let ratings = listener.send(&seen).await?.expect(200)?.json()?;
    assert_eq!(ratings["items"].as_array().map(Vec::len), Some(2), "{ratings}");
    let path = listener
        .request_playlist(&json!({"limit": 10, "random_seed": 7}))
        .await?;
    let at_both = [
        listener.ready_playlist(&path, PATIENCE).await?,
        elsewhere.ready_playlist(&path, PATIENCE).await?,
    ];
    assert_eq!(at_both[0]["items"].as_array().map(Vec::len), Some(10));
    assert_eq!(at_both[0], at_both[1], "both show the same");

    let sign_out = Request::new("DELETE".parse()?, "/v1/sessions/current");
    listener.send(&sign_out).await?.expect(204)?;
    let deadline = Instant::now() + PATIENCE;
    while elsewhere.send(&Request::get("/v1/me")).await?.status != 401 {
        anyhow::ensure!(Instant::now() < deadline, "the other server never hears of it");
        sleep(Duration::from_millis(10)).await;
    }

    for program in [&here, &there] {
        program.tool(&["audit", "replay"], "").await?;
    }
    first.stop().await?;
    second.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_what_is_missing_before_it_serves_on_a_database() -> Result<()> {
    let database = Postgres::start().await?;
    let url = database.new_database()?;
    let folder = TempDir::with_prefix("segue-shared-")?;
    let refusal = async |program: Program| {
        let (status, _, said) = program.run(&["serve"], "").await?;
        anyhow::ensure!(status.code() == Some(1), "{status}: {said}");
        Ok(said)
    };
    let without_key =
        Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data")).with_env("DATABASE_URL", &url);
    let said: String = refusal(without_key).await?;
    assert!(said.contains("SEGUE_MASTER_KEY"), "{said}");
    let said = refusal(program(&folder, "data", &url)).await?;
    assert!(said.contains("segue migrate"), "{said}");
    let program = program(&folder, "data", &url);
    program.tool(&["migrate"], "").await?;
    program.tool(&["catalogue", "list"], "").await?;
    let other_key = program.with_env("SEGUE_MASTER_KEY", &MASTER_KEY.replace('7', "8"));
    let said = refusal(other_key).await?;
    assert!(said.contains("another master key"), "{said}");
    Ok(())
}
