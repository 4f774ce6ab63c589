//! Forgetting, from outside: the real binary, its files, and on the production stack its servers.
//!
//! [`canary`] looks for what a person wrote in everything that is stored, said or sent; [`crashes`] kills between any two
//! steps; [`restored`] puts back what is older; [`backups`] and [`rotation`] hold the tools.

mod backups;
mod canary;
mod crashes;
mod restored;
mod rotation;
mod search;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use bench::client::{Answer, Client, PASSWORD, Request};
use bench::server::Program;
use eventing::{EventFilter, EventLog, Keys, LogConfig, MasterKey, Position, SubjectId, failpoints};
use serde_json::{Value, json};

/// How long a server may take to be ready; a machine full of other work is slow.
const LIMIT: Duration = Duration::from_secs(60);

fn program(data: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_segue"), data).with_env("SEGUE_THROTTLE", "off")
}

/// Creates an account with the command line, and answers whose it is.
async fn account(program: &Program, name: &str) -> Result<SubjectId> {
    let printed = program
        .tool(&["accounts", "create", name, "--format", "json"], PASSWORD)
        .await?;
    let created: Value = serde_json::from_str(&printed)?;
    let id: uuid::Uuid = serde_json::from_value(created["account"].clone())?;
    Ok(id.into())
}

/// Runs a tool that must die at a failpoint.
async fn dies_at(program: &Program, failpoint: &str, arguments: &[&str]) -> Result<()> {
    let armed = program.clone().with_env(failpoints::VARIABLE, failpoint);
    let (status, out, err) = armed.run(arguments, "").await?;
    ensure!(
        status.signal().is_some(),
        "{arguments:?} did not come by {failpoint}: {status}\n{out}{err}"
    );
    Ok(())
}

/// Runs a tool that must refuse, and answers what it said.
async fn refused(program: &Program, arguments: &[&str]) -> Result<String> {
    let (status, out, err) = program.run(arguments, "").await?;
    ensure!(
        status.code() == Some(1),
        "{arguments:?} ended with {status}\n{out}{err}"
    );
    Ok(err)
}

async fn sign_in(client: &Client, name: &str) -> Result<Answer> {
    let body = json!({"username": name, "password": PASSWORD});
    Ok(client.send(None, &Request::post("/v1/sessions", &body)).await?)
}

/// The log and the keys of a data folder, as another process opens them.
async fn stores(data: &Path) -> Result<(EventLog, Keys)> {
    let keys = Keys::open(data, MasterKey::load_or_create(data)?).await?;
    Ok((EventLog::open(LogConfig::new(data)).await?, keys))
}

/// How often the log says that somebody was erased.
async fn erasures(log: &EventLog, subject: SubjectId) -> Result<usize> {
    let filter = EventFilter {
        event_type: Some("account.erased".to_owned()),
        ..EventFilter::after(Position::START, 1_000)
    };
    let found = log.read_filtered(filter).await?;
    Ok(found
        .iter()
        .filter(|event| event.subject == Some(subject))
        .count())
}

/// Holds what holds of somebody who is forgotten: the fact stands in the log once, the key is gone, nothing is kept beside
/// the records, and the name is free.
async fn expect_forgotten(
    log: &EventLog,
    keys: &Keys,
    client: &Client,
    who: (&str, SubjectId),
) -> Result<()> {
    let (name, subject) = who;
    ensure!(erasures(log, subject).await? == 1, "the fact stands not once");
    let known = keys.destroyed().await?;
    ensure!(known.iter().any(|key| key.subject == subject), "the key is there");
    ensure!(log.receipts_about(subject).await? == 0, "answers are kept");
    let answer = sign_in(client, name).await?;
    ensure!(answer.status == 401, "signing in answers {}", answer.status);
    client.register(name).await?;
    Ok(())
}
