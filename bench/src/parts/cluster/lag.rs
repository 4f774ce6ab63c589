//! How soon a view shows what was just acknowledged, through every part of the production stack.

use anyhow::Result;

use super::super::{Setting, lag};
use super::start;
use crate::report::Row;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when a server is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut cluster = start(setting, lag::TRACKS).await?;
    let rest = cluster.rest()?.address();
    let rows = lag::measure(setting, "whole production stack", rest).await?;
    cluster.stop().await?;
    Ok(rows)
}
