//! What an operator plans with: how soon a process serves, and what each takes while nobody asks for anything.

mod idle;
mod size;
mod start;

use anyhow::Result;

use super::Setting;
use crate::report::Row;

/// Tracks of a catalogue that is large for one listener's taste and small for a server.
const TRACKS: usize = 100_000;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when a server or `strip` is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut rows = start::rows(setting).await?;
    rows.extend(idle::rows(setting).await?);
    rows.push(size::row(setting)?);
    Ok(rows)
}
