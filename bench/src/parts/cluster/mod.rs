//! Measurements of the production stack: PostgreSQL, RabbitMQ, Redis and a process for each role, all on this machine.

pub mod commands;
pub mod flow;
pub mod lag;
pub mod playlists;
pub mod replicas;

use anyhow::Result;

use super::{SETTLE_LIMIT, Setting, generate_catalogue};
use crate::cluster::{Cluster, Models, Role};

/// A cluster with a catalogue and one process for each role, with nothing between processes and servers.
#[expect(
    clippy::print_stdout,
    reason = "the target is printed before anything is sent to it"
)]
pub(super) async fn start(setting: &Setting, tracks: usize) -> Result<Cluster> {
    let mut cluster = Cluster::start_direct(&setting.binary, Models::Files).await?;
    generate_catalogue(cluster.program(), tracks).await?;
    cluster
        .run(&[Role::Rest, Role::Usermanagement, Role::Classifier])
        .await?;
    println!("target: http://{} (rest)", cluster.rest()?.address());
    Ok(cluster)
}
