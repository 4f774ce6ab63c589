//! The production stack under a load that does not wait for it, while it is scaled and each of its processes is replaced.
//!
//! A request that fails ends the run. Afterwards the log must hold every write that was acknowledged, once, and nothing else;
//! every playlist that was asked for must be there; and the views must be what the log gives.

mod asks;
mod cost;
mod load;
mod report;
mod service;
mod steps;
mod tally;
mod told;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use self::asks::Listeners;
use self::load::Load;
use self::service::Service;
use self::steps::Steps;
use self::told::Acknowledged;
use crate::autoscaler::Manifest;
use crate::client::Client;
use crate::cluster::{Cluster, Models, Role};
use crate::metrics::settled;
use crate::parts::listeners;
use crate::report::Row;

/// How long the REST processes go on after they have said that they are not ready: as long as the manifests have them wait. On a busy
/// machine the look that hears of it may take a second.
const DRAIN_DELAY_S: &str = "5";
/// How long views may take to be abreast of the log.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
const READY_LIMIT: Duration = Duration::from_secs(30);

/// What is done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Requests that are due each second, besides looks at playlists.
    pub per_second: usize,
    /// How many listeners ask.
    pub listeners: usize,
    /// Tracks in the catalogue.
    pub tracks: usize,
    /// REST processes.
    pub rests: usize,
    /// How many classifiers there are, one number after the other.
    pub classifiers: Vec<usize>,
    /// For so long each.
    pub steady: Duration,
    /// How long the stack has after each step.
    pub pause: Duration,
    /// Where base models lie.
    pub models: Models,
}

impl Plan {
    /// Minutes of it, for figures.
    #[must_use]
    pub fn full() -> Self {
        Self {
            per_second: 500,
            listeners: 100,
            tracks: 100_000,
            rests: 2,
            classifiers: vec![1, 2, 4],
            steady: Duration::from_secs(20),
            pause: Duration::from_secs(2),
            models: Models::Files,
        }
    }

    /// All steps of it, as short as they can be.
    #[must_use]
    pub fn short() -> Self {
        Self {
            per_second: 60,
            listeners: 8,
            tracks: 2_000,
            steady: Duration::from_secs(2),
            pause: Duration::from_millis(300),
            ..Self::full()
        }
    }
}

/// Carries `plan` out with the binary at `binary`, and hands back a row for each step. `scaler` says what the rows tell of
/// the autoscaler.
///
/// # Errors
/// When a request fails, a write is lost or doubled, a playlist is not made, or a view is not what the log gives.
pub async fn run(binary: &Path, plan: &Plan, scaler: &Manifest) -> Result<Vec<Row>> {
    let mut cluster = start(binary, plan).await?;
    let service = serve(&mut cluster, plan).await?;
    let client = Client::new(cluster.rest()?.address())?;
    let sessions = listeners(&client, plan.listeners).await?;
    let asked = Listeners::new(&sessions, plan.tracks);
    let mut load = Load::start(service.clone(), asked, plan.per_second);
    let steps = Steps {
        plan,
        cluster: &mut cluster,
        service: &service,
        tally: load.tally(),
        scaler,
    };
    let costs = load.during(steps.run()).await?;
    let counted = load.stop().await?;
    prove(&mut cluster, &counted.acknowledged).await?;
    cluster.stop().await?;
    Ok(report::rows(plan, &counted, &costs))
}

async fn start(binary: &Path, plan: &Plan) -> Result<Cluster> {
    let mut cluster = Cluster::start_direct(binary, plan.models).await?;
    cluster.set_env("SEGUE_DRAIN_DELAY_S", DRAIN_DELAY_S);
    cluster.program().furnish(plan.tracks, 1).await?;
    let classifiers = plan.classifiers.first().copied().unwrap_or(1);
    let mut roles = vec![Role::Rest; plan.rests];
    roles.push(Role::Usermanagement);
    roles.extend(vec![Role::Classifier; classifiers]);
    cluster.run(&roles).await?;
    Ok(cluster)
}

#[expect(
    clippy::print_stdout,
    reason = "the target is printed before anything is sent to it"
)]
async fn serve(cluster: &mut Cluster, plan: &Plan) -> Result<Service> {
    let service = Service::default();
    for rest in cluster.of(Role::Rest) {
        println!("target: http://{} (rest)", rest.address());
        service.add(rest.address())?;
    }
    service.until_ready(plan.rests, READY_LIMIT).await?;
    Ok(service)
}

async fn prove(cluster: &mut Cluster, acknowledged: &[Acknowledged]) -> Result<()> {
    let rest = cluster.rest()?.address();
    settled(rest, SETTLE_LIMIT).await?;
    let auditor = Client::new(rest)?.sign_in("the-auditor").await?;
    told::compare(acknowledged, &told::events(&auditor).await?)?;
    let replayed = cluster.program().tool(&["audit", "replay"], "").await;
    replayed.context("views or playlists are not what the log gives")?;
    Ok(())
}
