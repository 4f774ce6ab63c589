//! The second look: what the kernel model of the listener's labels says of the best candidates.

use super::labels::Label;
use super::terms::weights::LEARNER;
use super::terms::{Terms, examples};
use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::learner::kernel::{EXAMPLES_MAX, KernelModel};
use crate::learner::relevance;

/// The kernel model, as the last term of a score.
pub(super) struct Similar<'a> {
    catalogue: &'a Catalogue,
    model: KernelModel,
}

impl<'a> Similar<'a> {
    /// Learns from the latest labels, in the order of the catalogue.
    pub(super) fn learn(catalogue: &'a Catalogue, base: &BaseModel, labels: &[Label]) -> Self {
        let examples = examples(catalogue, &latest(labels));
        Self {
            catalogue,
            model: KernelModel::learn(&relevance(catalogue.schema()), &base.expected(), &examples),
        }
    }

    /// Candidates with their whole score, best first, ties by id.
    pub(super) fn rank(&self, candidates: &[(u32, f64)]) -> Vec<(u32, f64)> {
        let mut ranked: Vec<(u32, f64)> = candidates
            .iter()
            .map(|&(track, score)| (track, score + self.of(track)))
            .collect();
        ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
    }

    pub(super) fn names(&self, terms: &Terms<'_>) -> Vec<String> {
        let mut names = terms.names();
        names.push("similar".to_owned());
        names
    }

    /// What each of [`Similar::names`] adds for a track; their sum, from 0 on, is its score.
    pub(super) fn contributions(&self, terms: &Terms<'_>, track: u32) -> Vec<f64> {
        let mut contributions = terms.contributions(track);
        contributions.push(self.of(track));
        contributions
    }

    fn of(&self, track: u32) -> f64 {
        let z: Vec<f64> = self.catalogue.z(track).map(f64::from).collect();
        LEARNER * self.model.score(&z)
    }
}

/// The latest labels that a kernel takes, still in the order of the catalogue; of equally late ones the first.
fn latest(labels: &[Label]) -> Vec<Label> {
    let mut latest = labels.to_vec();
    if latest.len() > EXAMPLES_MAX {
        latest.sort_by_key(|label| (std::cmp::Reverse(label.at_ms), label.track));
        latest.truncate(EXAMPLES_MAX);
        latest.sort_unstable_by_key(|label| label.track);
    }
    latest
}
