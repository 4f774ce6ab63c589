//! Where the log, its tree, and what playlists are made of stand.

use serde::Serialize;

use super::{Moment, largest, smallest};
use crate::names;
use crate::process::Process;

/// See the module. Of several processes the one that is further counts, and of yes and no the no.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LogFigures {
    /// Position of the last record.
    pub head: Option<f64>,
    /// Records that the Merkle tree covers.
    pub tree_size: Option<f64>,
    /// Records that the last signed checkpoint covers; absent when nothing was signed.
    pub checkpoint_size: Option<f64>,
    /// How old that checkpoint is, in seconds.
    pub checkpoint_age_s: Option<f64>,
    /// Whether the last attempt to seal the log failed.
    pub seal_failed: Option<bool>,
    /// Whether the broker can be reached.
    pub bus_connected: Option<bool>,
    /// Fingerprint of the base model; of several, since replicas follow one after the other, all.
    pub models: Vec<String>,
    /// Whether the registry of base models does what is asked of it.
    pub registry_well: Option<bool>,
    /// Tracks of the catalogue.
    pub catalogue_tracks: Option<f64>,
}

impl LogFigures {
    pub(super) fn of(processes: &[Process], now: Moment) -> Self {
        let is_yes = |value: f64| value > 0.0;
        let signed_at = largest(processes, names::CHECKPOINT_AT).filter(|at| *at > 0.0);
        let checkpoint_size = largest(processes, names::CHECKPOINT_SIZE);
        Self {
            head: largest(processes, names::LOG_HEAD),
            tree_size: largest(processes, names::TREE_SIZE),
            checkpoint_size: checkpoint_size.filter(|_| signed_at.is_some()),
            checkpoint_age_s: signed_at.map(|at| (now.unix_s - at).max(0.0)),
            seal_failed: largest(processes, names::SEAL_FAILED).map(is_yes),
            bus_connected: smallest(processes, names::BUS_CONNECTED).map(is_yes),
            models: models(processes),
            registry_well: smallest(processes, names::REGISTRY_WELL).map(is_yes),
            catalogue_tracks: largest(processes, names::CATALOGUE_TRACKS),
        }
    }
}

fn models(processes: &[Process]) -> Vec<String> {
    let series = processes.iter().flat_map(|process| process.series(names::MODEL));
    let mut models: Vec<String> = series
        .filter_map(|sample| sample.labels.get(names::FINGERPRINT).cloned())
        .collect();
    models.sort();
    models.dedup();
    models
}
