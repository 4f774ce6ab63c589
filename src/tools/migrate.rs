//! `segue migrate`: the only way in which the shape of a database changes.

use anyhow::Context;
use eventing::PostgresConfig;
use serde::Serialize;

use crate::Outcome;
use crate::output::Output;
use crate::settings::Settings;

/// What was done.
#[derive(Serialize)]
struct Done {
    applied: Vec<i32>,
    version: i32,
}

pub(crate) async fn run(settings: &Settings, output: Output) -> anyhow::Result<Outcome> {
    let url = settings
        .database_url
        .as_ref()
        .context("DATABASE_URL is not set; files in the data folder need no migration")?;
    let migrated = eventing::migrate(&PostgresConfig::parse(url.reveal())?).await?;
    let done = Done {
        applied: migrated.applied,
        version: migrated.version,
    };
    output.print(&done, |done| match done.applied.as_slice() {
        [] => format!("the database has shape {} already", done.version),
        applied => format!(
            "{} migrations applied; the database has shape {}",
            applied.len(),
            done.version
        ),
    })?;
    Ok(Outcome::Done)
}
