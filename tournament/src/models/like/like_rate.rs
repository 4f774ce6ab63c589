//! The listener's share of likes, whatever the track: what probabilities must beat.

use super::{Contestant, LikeModel};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "like rate",
    what: "gives every track the listener's share of likes (Laplace's rule)",
    grid: Setting::NONE,
    parts: &[],
    build: |_, _, _| Box::new(LikeRate(0.5)),
};

struct LikeRate(f64);

/// The share of likes by Laplace's rule: one of each kind is counted beforehand.
pub(super) fn like_rate(rated: &[(u32, bool)]) -> f64 {
    let likes = rated.iter().filter(|(_, liked)| *liked).count();
    (likes as f64 + 1.0) / (rated.len() as f64 + 2.0)
}

impl LikeModel for LikeRate {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        self.0 = like_rate(rated);
    }

    fn score(&self, _: u32) -> f64 {
        self.0
    }

    fn probability(&self, _: u32) -> Option<f64> {
        Some(self.0)
    }
}
