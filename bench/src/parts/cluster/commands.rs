//! Durable commands a second while every role works: the same load as on PostgreSQL alone, beside the same peers.

use anyhow::Result;

use super::super::Setting;
use super::super::commands::{TRACKS, UnderLoad};
use super::super::postgres::{Beside, Compared};
use super::{SETTLE_LIMIT, start};
use crate::metrics::settled;
use crate::report::Row;

const CONNECTIONS: usize = 64;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when a server is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut cluster = start(setting, TRACKS).await?;
    let rest = cluster.rest()?.address();
    let beside = Beside::start(&cluster.postgres).await?;
    let under_load = UnderLoad::new(setting, rest).await?;
    settled(rest, SETTLE_LIMIT).await?;
    let mut compared = Compared::new(setting, &under_load, &beside, CONNECTIONS);
    compared.measure().await?;
    let rows = compared.rows(" on the whole production stack");
    drop(beside);
    cluster.stop().await?;
    Ok(rows.into())
}
