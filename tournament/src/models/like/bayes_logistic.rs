//! Bayesian logistic regression on level and square of each feature: the mode under `w ~ N(0, ridge I)` by Newton's
//! steps, its surroundings by Laplace's approximation (MacKay 1992).

use super::{Contestant, LikeModel, World};
use crate::linear::{Cholesky, add_outer, dot, sigmoid};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "Bayesian logistic, quadratic",
    what: "logistic regression on z and z^2 with a normal prior around 0 (Laplace's approximation)",
    grid: &[
        Setting(&[("ridge", 0.01)]),
        Setting(&[("ridge", 0.02)]),
        Setting(&[("ridge", 0.05)]),
        Setting(&[("ridge", 0.1)]),
        Setting(&[("ridge", 0.2)]),
        Setting(&[("ridge", 0.5)]),
        Setting(&[("ridge", 1.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(BayesLogistic {
            world,
            ridge: setting.get("ridge"),
            weights: Vec::new(),
            precision: None,
        })
    },
};

/// A fixed number of steps, so that the result does not hang on a threshold; each doubles the digits.
const STEPS: usize = 12;
/// The prior variance of the intercept, which says how generous the listener is.
const INTERCEPT: f64 = 4.0;

struct BayesLogistic<'a> {
    world: World<'a>,
    ridge: f64,
    weights: Vec<f64>,
    precision: Option<Cholesky>,
}

impl BayesLogistic<'_> {
    /// One Newton step of iteratively reweighted least squares.
    fn step(&mut self, rows: &[(Vec<f64>, f64)]) {
        let size = self.weights.len();
        let prior = |index: usize| {
            if index == 0 {
                1.0 / INTERCEPT
            } else {
                1.0 / self.ridge
            }
        };
        let mut precision = vec![0.0; size * size];
        let mut gradient: Vec<f64> = self
            .weights
            .iter()
            .enumerate()
            .map(|(i, w)| -w * prior(i))
            .collect();
        (0..size).for_each(|i| precision[i * (size + 1)] = prior(i));
        for (phi, y) in rows {
            let p = sigmoid(dot(&self.weights, phi));
            add_outer(&mut precision, phi, p * (1.0 - p));
            gradient
                .iter_mut()
                .zip(phi)
                .for_each(|(sum, phi)| *sum += (y - p) * phi);
        }
        let factor = Cholesky::of(precision, size);
        let step = factor.solve(&gradient);
        self.weights.iter_mut().zip(step).for_each(|(w, step)| *w += step);
        self.precision = Some(factor);
    }
}

impl LikeModel for BayesLogistic<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        let row = |&(track, liked): &(u32, bool)| (self.world.quadratic(track), f64::from(u8::from(liked)));
        let rows: Vec<(Vec<f64>, f64)> = rated.iter().map(row).collect();
        self.weights = vec![0.0; 1 + 2 * self.world.ratings.catalogue.schema().features.len()];
        (0..STEPS).for_each(|_| self.step(&rows));
    }

    fn score(&self, track: u32) -> f64 {
        dot(&self.weights, &self.world.quadratic(track))
    }

    fn probability(&self, track: u32) -> Option<f64> {
        let half = self.precision.as_ref()?.forward(&self.world.quadratic(track));
        let variance = dot(&half, &half);
        let shrunk = self.score(track) / (1.0 + std::f64::consts::FRAC_PI_8 * variance).sqrt();
        Some(sigmoid(shrunk))
    }
}
