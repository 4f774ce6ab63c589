//! A history verified: an export without its log, and the live log.

use std::time::Instant;

use anyhow::{Context, Result};

use super::{Setting, fill};
use crate::cpu::CpuWatch;
use crate::numbers::thousands;
use crate::report::Row;

const TRACKS: usize = 10_000;

/// Runs the part.
///
/// # Errors
/// When a tool refuses.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), TRACKS).await?;
    let catalogue = classifier::generator::catalogue(TRACKS, 1);
    let events = fill::fill(program.data(), catalogue, setting.pick(50_000, 1_000_000)).await?;
    let file = folder.path().join("log.ndjson");
    let file = file.to_str().context("a readable path")?;
    let measure = async |what: &str, arguments: &[&str], reach: Option<&str>| {
        let watch = CpuWatch::start();
        let began = Instant::now();
        program.tool(arguments, "").await?;
        let rate = events as f64 / began.elapsed().as_secs_f64();
        let figure = format!("{} records/s", thousands(rate));
        let row = Row::new(
            format!("{what}, {} records", thousands(events as f64)),
            figure,
            watch.others(),
        );
        anyhow::Ok(match reach {
            Some(reach) => row.reach(reach),
            None => row,
        })
    };
    Ok(vec![
        measure(
            "audit export, the tree made first",
            &["audit", "export", "--out", file],
            None,
        )
        .await?,
        measure(
            "audit verify of an export",
            &["audit", "verify", file],
            Some(">= 300,000 records/s"),
        )
        .await?,
        measure("audit verify of the live log", &["audit", "verify"], None).await?,
    ])
}
