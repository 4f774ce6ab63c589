//! How likely each choice was, given the dial of exploration: what feedback must be divided by to be read without bias.

use std::collections::{BTreeMap, BTreeSet};

use domain::PlaylistRequest;

use super::diversity::walk;
use super::select::cap_of;
use super::terms::Terms;
use crate::catalogue::Catalogue;

/// What is told of each choice, for feedback to be read by: its place by score, and its propensity.
pub(super) struct Impressions(BTreeMap<u32, (u32, f64)>);

impl Impressions {
    /// Of the chosen, best first, and the propensity of each.
    pub(super) fn of(chosen: &[(u32, f64)], propensities: Vec<f64>) -> Self {
        let ranks = (1..).zip(propensities);
        Self(chosen.iter().map(|(track, _)| *track).zip(ranks).collect())
    }

    /// Place, from 1, and propensity.
    pub(super) fn of_track(&self, track: u32) -> (Option<u32>, Option<f64>) {
        let told = self.0.get(&track);
        (told.map(|told| told.0), told.map(|told| told.1))
    }
}

/// Draws behind an estimate. The draw that was used counts as one more, so that nothing that was chosen has a probability
/// of 0.
const DRAWS: usize = 32;

/// The share of draws from the listener's model in which each of `chosen` is among the best `ranked` candidates that the
/// caps admit (before they are made more diverse); 1 without exploration.
pub(super) fn propensities(
    catalogue: &Catalogue,
    terms: &Terms<'_>,
    ranked: &[(u32, f64)],
    chosen: &[(u32, f64)],
    request: &PlaylistRequest,
) -> Vec<f64> {
    let Some(exploration) = terms.exploration() else {
        return vec![1.0; chosen.len()];
    };
    let artists: BTreeSet<u32> = ranked
        .iter()
        .flat_map(|(track, _)| catalogue.artists_of(*track))
        .copied()
        .collect();
    let means: Vec<(u32, f64)> = ranked
        .iter()
        .map(|&(track, score)| (track, score - terms.explored(track)))
        .collect();
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for drawn in exploration.others(DRAWS, |artist| artists.contains(&artist)) {
        let mut scored: Vec<(u32, f64)> = means
            .iter()
            .map(|&(track, mean)| (track, mean + terms.drawn(&drawn, track)))
            .collect();
        scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (track, _) in walk(catalogue, &scored, request.limit as usize, cap_of(request)) {
            *counts.entry(track).or_default() += 1;
        }
    }
    let share = |(track, _): &(u32, f64)| {
        let count = counts.get(track).copied().unwrap_or(0);
        f64::from(count + 1) / (DRAWS + 1) as f64
    };
    chosen.iter().map(share).collect()
}
