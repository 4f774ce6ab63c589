//! The production stack while it is scaled and each of its processes is replaced.

use std::path::Path;

use anyhow::Result;

use super::Setting;
use crate::autoscaler::Manifest;
use crate::report::Row;
use crate::scale::{self, Plan};

/// The playlist generator as Kubernetes is told of it.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ops/k8s/base/classifier.yaml");

/// Runs the part.
///
/// # Errors
/// At the first request that fails, when something is lost, or when a server is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let plan = setting.pick(Plan::short(), Plan::full());
    let scaler = Manifest::read(Path::new(MANIFEST), "classifier")?;
    scale::run(&setting.binary, &plan, &scaler).await
}
