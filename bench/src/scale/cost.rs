//! What a phase took of the machine, and what the autoscaler makes of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::autoscaler::{Manifest, Pod};
use crate::cluster::{Cluster, Role};
use crate::cpu::{CpuWatch, used_by};

/// What a phase took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// How long it was.
    pub(super) lasted: Duration,
    /// The share of all cores' time that others took.
    pub(super) others: f64,
    /// What those classifiers used that were there from its beginning to its end.
    pub(super) classifiers: Option<Used>,
}

/// What the classifiers used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// Cores, all of them together.
    pub(super) cores: f64,
    /// How many replicas the autoscaler would ask for.
    pub(super) wanted: u32,
}

/// A phase that has begun.
pub(super) struct Watch {
    began: Instant,
    cpu: CpuWatch,
    classifiers: BTreeMap<u32, Duration>,
}

impl Watch {
    pub(super) fn start(cluster: &mut Cluster) -> Self {
        Self {
            began: Instant::now(),
            cpu: CpuWatch::start(),
            classifiers: classifiers(cluster),
        }
    }

    pub(super) fn cost(self, cluster: &mut Cluster, scaler: &Manifest) -> Result<Cost> {
        let lasted = self.began.elapsed();
        let now = classifiers(cluster);
        let stayed =
            now.len() == self.classifiers.len() && now.keys().all(|pid| self.classifiers.contains_key(pid));
        let used = |pid: &u32| now[pid].saturating_sub(self.classifiers[pid]);
        let used: Option<Vec<Duration>> = stayed.then(|| now.keys().map(used).collect());
        Ok(Cost {
            lasted,
            others: self.cpu.others(),
            classifiers: used.map(|used| told(&used, lasted, scaler)).transpose()?,
        })
    }
}

/// What each used so far.
fn classifiers(cluster: &mut Cluster) -> BTreeMap<u32, Duration> {
    let pids = cluster.of(Role::Classifier).filter_map(|server| server.pid());
    pids.map(|pid| (pid, used_by(pid))).collect()
}

fn told(used: &[Duration], lasted: Duration, scaler: &Manifest) -> Result<Used> {
    let cores = |used: &Duration| used.as_secs_f64() / lasted.as_secs_f64();
    let pods: Vec<Pod> = used
        .iter()
        .map(|used| Pod::ready(scaler.requested, (cores(used) * 1e3) as u64))
        .collect();
    let count = u32::try_from(pods.len())?;
    Ok(Used {
        cores: used.iter().map(cores).sum(),
        wanted: scaler
            .spec
            .wanted(count, &pods)
            .context("no classifier was measured")?,
    })
}
