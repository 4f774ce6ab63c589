//! A playlist, from its request to its being ready, through every part of the production stack.

use anyhow::{Context, Result};

use super::super::playlists::{rate_some, requested_to_ready};
use super::super::{Setting, listeners};
use super::{SETTLE_LIMIT, start};
use crate::client::Client;
use crate::cpu::CpuWatch;
use crate::metrics::settled;
use crate::numbers::Latencies;
use crate::report::Row;

pub(super) const TRACKS: usize = 100_000;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when a server is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut cluster = start(setting, TRACKS).await?;
    let rest = cluster.rest()?.address();
    let client = Client::new(rest)?;
    let listener = listeners(&client, 1).await?.pop().context("no listener")?;
    rate_some(&listener).await?;
    // The first one loads the catalogue.
    requested_to_ready(&listener).await?;
    settled(rest, SETTLE_LIMIT).await?;
    let watch = CpuWatch::start();
    let mut latencies = Latencies::default();
    for _ in 0..setting.pick(30, 300) {
        latencies.push(requested_to_ready(&listener).await?);
    }
    let others = watch.others();
    cluster.stop().await?;
    let what = format!("playlist of 50 requested to ready on the whole production stack, {TRACKS} tracks");
    Ok(vec![
        Row::new(what, latencies.p50_p99(), others).reach("p50 < 20 ms, p99 < 100 ms"),
    ])
}
