//! The stack is scaled and every process is replaced under load: no request fails and nothing is lost.

use std::path::Path;

use anyhow::{Result, ensure};
use bench::autoscaler::Manifest;
use bench::scale::{self, Plan};

use crate::MODELS;

#[tokio::test(flavor = "multi_thread")]
async fn scaling_and_replacing_every_process_fails_no_request_and_loses_nothing() -> Result<()> {
    let plan = Plan {
        models: MODELS,
        ..Plan::short()
    };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/k8s/base/classifier.yaml");
    let scaler = Manifest::read(&manifest, "classifier")?;
    let rows = scale::run(Path::new(env!("CARGO_BIN_EXE_segue")), &plan, &scaler).await?;
    ensure!(rows.len() > plan.classifiers.len(), "{rows:?}");
    rows.iter().for_each(|row| eprintln!("{}", row.markdown()));
    Ok(())
}
