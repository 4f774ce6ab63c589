//! Sound alone: Bayesian linear regression on (z, z^2) of the shown tracks against the whole catalogue.
//!
//! Instead of a few random tracks the catalogue's mean moments are the dislikes, so that no draw adds noise:
//! `w = (A + b E[phi phi^T] + I / ridge)^-1 (sum phi - b E[phi])`.

use classifier::model::Quadratic;
use classifier::score::score_columns;

use super::{Contestant, Continuation, Shown, World};
use crate::linear::{Cholesky, add_outer};
use crate::models::Setting;
use crate::models::like::quadratic;
use crate::random::Chance;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "audio, Bayesian linear",
    what: "linear regression on z and z^2 of the shown tracks against the catalogue, no artist and no popularity",
    grid: &[
        Setting(&[("ridge", 0.1), ("background", 30.0)]),
        Setting(&[("ridge", 0.03), ("background", 30.0)]),
        Setting(&[("ridge", 0.01), ("background", 30.0)]),
        Setting(&[("ridge", 0.1), ("background", 100.0)]),
        Setting(&[("ridge", 0.03), ("background", 100.0)]),
        Setting(&[("ridge", 0.01), ("background", 100.0)]),
        Setting(&[("ridge", 0.1), ("background", 1000.0)]),
        Setting(&[("ridge", 0.01), ("background", 1000.0)]),
    ],
    parts: &[],
    ablates: None,
    build: |world, setting, _| {
        Box::new(BayesLinear {
            world,
            ridge: setting.get("ridge"),
            background: setting.get("background"),
        })
    },
};

/// The catalogue's moments are those of so many of its tracks.
const SAMPLE: usize = 2_000;

struct BayesLinear<'a> {
    world: World<'a>,
    ridge: f64,
    background: f64,
}

impl BayesLinear<'_> {
    fn phi(&self, track: u32) -> Vec<f64> {
        let z: Vec<f64> = self.world.catalogue.z(track).map(f64::from).collect();
        quadratic(&z)
    }

    fn weights(&self, liked: &[u32]) -> Vec<f64> {
        let size = 1 + 2 * self.world.catalogue.schema().features.len();
        let mut precision = vec![0.0; size * size];
        let mut shift = vec![0.0; size];
        (0..size).for_each(|i| precision[i * (size + 1)] = 1.0 / self.ridge);
        let mut count = |track: u32, weight: f64, y: f64| {
            let phi = self.phi(track);
            add_outer(&mut precision, &phi, weight);
            shift
                .iter_mut()
                .zip(&phi)
                .for_each(|(sum, phi)| *sum += y * weight * phi);
        };
        liked.iter().for_each(|&track| count(track, 1.0, 1.0));
        let mut chance = Chance::of(self.world.seed, "background");
        for _ in 0..SAMPLE {
            let track = chance.below(self.world.catalogue.len()) as u32;
            count(track, self.background / SAMPLE as f64, -1.0);
        }
        Cholesky::of(precision, size).solve(&shift)
    }
}

impl Continuation for BayesLinear<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let weights = self.weights(shown.liked);
        let features = self.world.catalogue.schema().features.len();
        let term = |feature: usize| Quadratic {
            constant: 0.0,
            linear: weights[1 + feature],
            quadratic: weights[1 + features + feature] * std::f64::consts::FRAC_1_SQRT_2,
        };
        let terms: Vec<Quadratic> = (0..features).map(term).collect();
        let mut scores = vec![0.0; self.world.catalogue.len()];
        score_columns(self.world.catalogue.columns(), &terms, &mut scores);
        scores
    }
}
