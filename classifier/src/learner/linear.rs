//! Bayesian linear regression on the standardised features and their squares.
//!
//! With `phi(z) = (1, r_j z_j, r_j (z_j^2 - 1) / sqrt 2)`, `r` the features' relevance, a Gaussian prior on the weights
//! with mean `m`, and a label's noise `s_i` (Bishop, *Pattern Recognition and Machine Learning*, 3.3.1):
//!
//! ```text
//! H = diag(1 / prior) + sum_i phi_i phi_i^T / s_i        w = m + H^-1 sum_i phi_i (y_i - centre - phi_i^T m) / s_i
//! score(z) = centre + phi(z)^T w                         variance(z) = phi(z)^T H^-1 phi(z)
//! ```

use std::f64::consts::SQRT_2;

use super::{Example, centre};
use crate::algebra::{Cholesky, Matrix, dot};
use crate::model::Quadratic;

/// Prior variances of the constant, of a feature's linear and of its quadratic weight.
const CONSTANT_PRIOR: f64 = 0.3;
const LINEAR_PRIOR: f64 = 0.1;
const QUADRATIC_PRIOR: f64 = 0.03;
const PIVOT_MIN: f64 = 1e-12;

/// What is believed of a listener's weights.
#[derive(Debug, Clone)]
pub struct LinearModel {
    relevance: Vec<f64>,
    centre: f64,
    weights: Vec<f64>,
    precision: Cholesky,
}

impl LinearModel {
    /// Learns from examples, each with a value per feature. `relevance` has an entry per feature, and so has `prior`: what
    /// is believed before any label, in the same unit as the score.
    #[must_use]
    pub fn learn(relevance: &[f64], prior: &[Quadratic], examples: &[Example]) -> Self {
        let expected = expected(relevance, prior);
        let size = 1 + 2 * relevance.len();
        let centre = centre(examples);
        let mut precision = Matrix::zeros(size);
        for index in 0..size {
            precision.add(index, index, 1.0 / prior_variance(index, relevance.len()));
        }
        let mut moments = vec![0.0; size];
        for example in examples {
            let phi = phi(relevance, &example.z);
            precision.add_outer(&phi, example.precision());
            let surprise = example.value - centre - dot(&phi, &expected);
            for (moment, value) in moments.iter_mut().zip(&phi) {
                *moment += value * surprise * example.precision();
            }
        }
        let precision = precision.cholesky(PIVOT_MIN);
        let learned = precision.solve(&moments);
        Self {
            relevance: relevance.to_vec(),
            centre,
            weights: expected
                .iter()
                .zip(&learned)
                .map(|(prior, learned)| prior + learned)
                .collect(),
            precision,
        }
    }

    /// The score of a track, around -1 (disliked) to 1 (liked).
    #[must_use]
    pub fn score(&self, z: &[f64]) -> f64 {
        self.centre + dot(&phi(&self.relevance, z), &self.weights)
    }

    /// The variance of [`LinearModel::score`]: how little is known of tracks that sound so.
    #[must_use]
    pub fn variance(&self, z: &[f64]) -> f64 {
        let half = self.precision.solve_lower(&phi(&self.relevance, z));
        dot(&half, &half)
    }

    /// The score of a track about which nothing stands out: what does not depend on its features.
    #[must_use]
    pub fn constant(&self) -> f64 {
        self.centre + self.weights[0]
    }

    /// Each feature's share of the score; with [`LinearModel::constant`] they add up to it.
    #[must_use]
    pub fn quadratics(&self) -> Vec<Quadratic> {
        self.terms(&self.weights)
    }

    /// The difference that a draw from what is believed of the weights makes, and the draw's constant. `normals` are
    /// independent standard normal numbers, [`LinearModel::size`] of them.
    #[must_use]
    pub fn draw(&self, normals: Vec<f64>) -> (f64, Vec<Quadratic>) {
        let weights = self.precision.solve_upper(normals);
        (weights[0], self.terms(&weights))
    }

    /// What the score of each of the examples that it learned from would be, had it not been learned from.
    #[must_use]
    pub fn leave_one_out(&self, examples: &[Example]) -> Vec<f64> {
        let out = |example: &Example| {
            let leverage = self.variance(&example.z) * example.precision();
            example.value - (example.value - self.score(&example.z)) / (1.0 - leverage)
        };
        examples.iter().map(out).collect()
    }

    /// How many weights there are: one, and two a feature.
    #[must_use]
    pub fn size(&self) -> usize {
        self.weights.len()
    }

    /// The standard deviations of each feature's linear and quadratic coefficient, as [`LinearModel::quadratics`] has
    /// them.
    #[must_use]
    pub fn deviations(&self) -> Vec<(f64, f64)> {
        let features = self.relevance.len();
        let deviation = |index: usize| {
            let mut unit = vec![0.0; self.size()];
            unit[index] = 1.0;
            let half = self.precision.solve_lower(&unit);
            dot(&half, &half).sqrt()
        };
        let of = |feature: usize| {
            let relevance = self.relevance[feature];
            let linear = relevance * deviation(1 + feature);
            (linear, relevance * deviation(1 + features + feature) / SQRT_2)
        };
        (0..features).map(of).collect()
    }

    fn terms(&self, weights: &[f64]) -> Vec<Quadratic> {
        let features = self.relevance.len();
        let term = |(feature, relevance): (usize, &f64)| {
            let quadratic = relevance * weights[1 + features + feature] / SQRT_2;
            Quadratic {
                constant: -quadratic,
                linear: relevance * weights[1 + feature],
                quadratic,
            }
        };
        self.relevance.iter().enumerate().map(term).collect()
    }
}

fn prior_variance(index: usize, features: usize) -> f64 {
    match index {
        0 => CONSTANT_PRIOR,
        _ if index <= features => LINEAR_PRIOR,
        _ => QUADRATIC_PRIOR,
    }
}

/// The weights that give these forms; each form's constant is what makes its mean 0 for a standard normal feature.
fn expected(relevance: &[f64], forms: &[Quadratic]) -> Vec<f64> {
    let mut weights = vec![0.0];
    weights.extend(relevance.iter().zip(forms).map(|(r, form)| form.linear / r));
    weights.extend(
        relevance
            .iter()
            .zip(forms)
            .map(|(r, form)| form.quadratic * SQRT_2 / r),
    );
    weights.resize(1 + 2 * relevance.len(), 0.0);
    weights
}

fn phi(relevance: &[f64], z: &[f64]) -> Vec<f64> {
    let mut phi = Vec::with_capacity(1 + 2 * z.len());
    phi.push(1.0);
    phi.extend(relevance.iter().zip(z).map(|(r, z)| r * z));
    phi.extend(relevance.iter().zip(z).map(|(r, z)| r * (z * z - 1.0) / SQRT_2));
    phi
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::examples_for_tests as examples;

    #[test]
    fn without_labels_it_believes_nothing() {
        let model = LinearModel::learn(&[1.0; 3], &[], &[]);
        assert_eq!(model.score(&[1.0, -2.0, 3.0]), 0.0);
        assert!(model.variance(&[1.0, -2.0, 3.0]) > model.variance(&[0.0; 3]));
    }

    #[test]
    fn what_is_believed_before_any_label_gives_way_to_labels() {
        let prior = [Quadratic {
            constant: 0.0,
            linear: -0.4,
            quadratic: 0.1,
        }; 3];
        let before = LinearModel::learn(&[1.0, 0.5, 0.2], &prior, &[]);
        for (form, expected) in before.quadratics().iter().zip(prior) {
            assert!((form.linear - expected.linear).abs() < 1e-12);
            assert!((form.quadratic - expected.quadratic).abs() < 1e-12);
        }
        let after = LinearModel::learn(&[1.0, 0.5, 0.2], &prior, &examples());
        assert!(after.quadratics()[0].linear > 0.1);
    }

    #[test]
    fn the_shares_add_up_to_the_score() {
        let model = LinearModel::learn(&[1.0, 0.5, 0.2], &[], &examples());
        let z = [0.3, -1.7, 2.0];
        let shares: f64 = model
            .quadratics()
            .iter()
            .zip(z)
            .map(|(share, z)| share.at(z))
            .sum();
        assert!((model.constant() + shares - model.score(&z)).abs() < 1e-12);
    }

    #[test]
    fn labels_pull_the_score_their_way_and_narrow_it() {
        let model = LinearModel::learn(&[1.0; 3], &[], &examples());
        assert!(model.score(&[1.5, 0.0, 0.0]) > 0.1 && model.score(&[-1.5, 0.0, 0.0]) < -0.1);
        let before = LinearModel::learn(&[1.0; 3], &[], &[]);
        assert!(model.variance(&[1.0, 0.0, 0.0]) < 0.5 * before.variance(&[1.0, 0.0, 0.0]));
    }

    /// The normal equations say that the gradient of the penalised squares is zero at the weights.
    #[test]
    fn the_weights_minimise_the_penalised_squares() {
        let (relevance, examples) = ([1.0, 0.5, 0.2], examples());
        let model = LinearModel::learn(&relevance, &[], &examples);
        for index in 0..model.size() {
            let fit: f64 = examples
                .iter()
                .map(|e| e.precision() * (model.score(&e.z) - e.value) * phi(&relevance, &e.z)[index])
                .sum();
            assert!((fit + model.weights[index] / prior_variance(index, 3)).abs() < 1e-9);
        }
    }
}
