//! The share of likes among the nearest rated tracks.

use super::like_rate::like_rate;
use super::{Contestant, LikeModel, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "nearest neighbours",
    what: "the share of likes among the k nearest rated tracks, the nearer the weightier",
    grid: &[
        Setting(&[("k", 3.0)]),
        Setting(&[("k", 5.0)]),
        Setting(&[("k", 10.0)]),
        Setting(&[("k", 15.0)]),
        Setting(&[("k", 20.0)]),
        Setting(&[("k", 30.0)]),
        Setting(&[("k", 50.0)]),
        Setting(&[("k", 100.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(Nearest {
            world,
            k: setting.get("k") as usize,
            rate: 0.5,
            points: Vec::new(),
        })
    },
};

/// Pseudo-neighbours that are liked as often as all.
const PRIOR: f64 = 2.0;

struct Nearest<'a> {
    world: World<'a>,
    k: usize,
    rate: f64,
    points: Vec<(Vec<f64>, bool)>,
}

impl LikeModel for Nearest<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        self.rate = like_rate(rated);
        self.points = rated
            .iter()
            .map(|&(track, liked)| (self.world.z(track), liked))
            .collect();
    }

    fn score(&self, track: u32) -> f64 {
        let z = self.world.z(track);
        let square = |point: &[f64]| -> f64 { point.iter().zip(&z).map(|(a, b)| (a - b) * (a - b)).sum() };
        let mut near: Vec<(f64, bool)> = self
            .points
            .iter()
            .map(|(point, liked)| (square(point), *liked))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut likes, mut weights) = (PRIOR * self.rate, PRIOR);
        for (square, liked) in near.into_iter().take(self.k) {
            let weight = 1.0 / (0.1 + square.sqrt());
            likes += if liked { weight } else { 0.0 };
            weights += weight;
        }
        likes / weights
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(self.score(track))
    }
}
