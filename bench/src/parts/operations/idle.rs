//! What each role takes while nobody asks for anything.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::super::cluster::start;
use super::super::playlists::{rate_some, requested_to_ready};
use super::super::{SETTLE_LIMIT, Setting, listeners};
use super::TRACKS;
use crate::client::Client;
use crate::cluster::{Cluster, Role};
use crate::cpu::{CpuWatch, used_by};
use crate::metrics::settled;
use crate::numbers::{mebibytes, thousands};
use crate::report::Row;

/// What was started or made must have come to rest.
const REST: Duration = Duration::from_secs(5);

/// Measured after one listener had a playlist, so that everything that is loaded at its first use is there.
pub(super) async fn rows(setting: &Setting) -> Result<Vec<Row>> {
    let mut cluster = start(setting, TRACKS).await?;
    let rest = cluster.rest()?.address();
    let listener = listeners(&Client::new(rest)?, 1).await?;
    let listener = listener.first().context("no listener")?;
    rate_some(listener).await?;
    requested_to_ready(listener).await?;
    settled(rest, SETTLE_LIMIT).await?;
    sleep(setting.pick(Duration::ZERO, REST)).await;
    let watch = CpuWatch::start();
    let before = Role::ALL.map(|role| used(&mut cluster, role));
    sleep(setting.duration()).await;
    let mut rows = Vec::new();
    for (role, before) in Role::ALL.into_iter().zip(before) {
        let cpu = used(&mut cluster, role).saturating_sub(before);
        let share = cpu.as_secs_f64() / setting.duration().as_secs_f64();
        rows.push(row(&mut cluster, role, share, watch.others())?);
    }
    cluster.stop().await?;
    Ok(rows)
}

fn used(cluster: &mut Cluster, role: Role) -> Duration {
    let pids = cluster.of(role).filter_map(|server| server.pid());
    pids.map(used_by).sum()
}

fn row(cluster: &mut Cluster, role: Role, cpu: f64, others: f64) -> Result<Row> {
    let server = cluster.of(role).next().context("no such process")?;
    let memory = server.memory()?;
    let what = format!(
        "{} idle, {} tracks: memory of its own, of which no file is the source; CPU",
        role.command(),
        thousands(TRACKS as f64)
    );
    let value = format!(
        "{} ({} with mapped files, {} at most); {:.1}% of a core",
        mebibytes(memory.anonymous),
        mebibytes(memory.resident),
        mebibytes(memory.peak),
        cpu * 100.0
    );
    let most = if role == Role::Classifier {
        "< 100 MB"
    } else {
        "< 50 MB"
    };
    Ok(Row::new(what, value, others).reach(most))
}
