//! How large the program is in its image.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::Setting;
use crate::report::Row;

/// Without the names of symbols, as the image has it.
pub(super) fn row(setting: &Setting) -> Result<Row> {
    let folder = setting.temporary()?;
    let stripped = folder.path().join("segue");
    let mut command = Command::new("strip");
    command.arg("-o").arg(&stripped).arg(&setting.binary);
    let status = command.status().context("cannot run strip")?;
    ensure!(status.success(), "strip ended with {status}");
    let bytes = stripped.metadata()?.len();
    let value = format!("{:.1} MB", bytes as f64 / 1e6);
    Ok(Row::new("the program, stripped", value, 0.0).reach("its image < 60 MB"))
}
