//! Gaussian process regression with a rational quadratic kernel of the Manhattan distance.
//!
//! ```text
//! k(x, z) = amplitude (1 + sum_j r_j |x_j - z_j| / (2 length))^-2        alpha = (K + diag(s))^-1 (y - centre - m)
//! score(z) = centre + sum_i k(z_i, z) alpha_i
//! ```
//!
//! with `m` what is expected of the examples before any label: the score says what the labels add to that.
//!
//! (Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2.2 and 4.2.1; leave-one-out by 5.12.) The kernel
//! needs no exponential, so it has the same bits everywhere.

use super::{Example, centre, expected};
use crate::algebra::{Cholesky, Matrix, dot};
use crate::model::Quadratic;

/// The most examples that are kept in the sum: the work of learning grows with their third power.
pub const EXAMPLES_MAX: usize = 256;
const AMPLITUDE: f64 = 2.0;
const LENGTH: f64 = 3.0;
const PIVOT_MIN: f64 = 1e-9;

/// What a listener's labels say of tracks near to them.
#[derive(Debug, Clone)]
pub struct KernelModel {
    relevance: Vec<f64>,
    centre: f64,
    /// The features of the examples, times their relevance, one column after another.
    columns: Vec<f64>,
    alpha: Vec<f64>,
    values: Vec<f64>,
    gram: Cholesky,
}

impl KernelModel {
    /// Learns from the first [`EXAMPLES_MAX`] examples, each with a value per feature. `prior` is as for
    /// [`LinearModel::learn`](super::linear::LinearModel::learn).
    #[must_use]
    pub fn learn(relevance: &[f64], prior: &[Quadratic], examples: &[Example]) -> Self {
        let examples = &examples[..examples.len().min(EXAMPLES_MAX)];
        let centre = centre(examples);
        let count = examples.len();
        let value = |(feature, relevance): (usize, &f64)| {
            let relevance = *relevance;
            examples.iter().map(move |example| relevance * example.z[feature])
        };
        let columns: Vec<f64> = relevance.iter().enumerate().flat_map(value).collect();
        let mut gram = Matrix::zeros(count);
        for (row, example) in examples.iter().enumerate() {
            let near = kernels(&columns, count, scaled(relevance, &example.z));
            for (column, value) in near[..row].iter().enumerate() {
                gram.add(row, column, *value);
            }
            gram.add(row, row, AMPLITUDE + 1.0 / example.precision());
        }
        let gram = gram.cholesky(PIVOT_MIN);
        let value = |example: &Example| example.value - centre - expected(prior, &example.z);
        let values: Vec<f64> = examples.iter().map(value).collect();
        Self {
            relevance: relevance.to_vec(),
            centre,
            columns,
            alpha: gram.solve(&values),
            values,
            gram,
        }
    }

    /// What labels add to what is expected of a track; with that, around -1 (disliked) to 1 (liked).
    #[must_use]
    pub fn score(&self, z: &[f64]) -> f64 {
        self.centre + dot(&self.near(z), &self.alpha)
    }

    /// What [`KernelModel::score`] of each example would be, had it not been learned from.
    #[must_use]
    pub fn leave_one_out(&self) -> Vec<f64> {
        let mut unit = vec![0.0; self.alpha.len()];
        let mut out = |index: usize| {
            unit[index] = 1.0;
            let half = self.gram.solve_lower(&unit);
            unit[index] = 0.0;
            self.centre + self.values[index] - self.alpha[index] / dot(&half, &half)
        };
        (0..self.alpha.len()).map(&mut out).collect()
    }

    fn near(&self, z: &[f64]) -> Vec<f64> {
        kernels(&self.columns, self.alpha.len(), scaled(&self.relevance, z))
    }
}

fn scaled(relevance: &[f64], z: &[f64]) -> impl Iterator<Item = f64> {
    relevance.iter().zip(z).map(|(r, z)| r * z)
}

/// The kernel between a track and each of `count` examples, four features at a time: each sum has one order, and the compiler
/// takes several examples at once.
fn kernels(columns: &[f64], count: usize, track: impl Iterator<Item = f64>) -> Vec<f64> {
    let track: Vec<f64> = track.collect();
    let column = |feature: usize| &columns[feature * count..][..count];
    let mut kernels = vec![0.0; count];
    let fours = track.len() / 4 * 4;
    for first in (0..fours).step_by(4) {
        let columns = [0, 1, 2, 3].map(|next| column(first + next));
        add_four(&mut kernels, columns, &track[first..first + 4]);
    }
    for (feature, z) in track.iter().enumerate().skip(fours) {
        for (distance, x) in kernels.iter_mut().zip(column(feature)) {
            *distance += (x - z).abs();
        }
    }
    for distance in &mut kernels {
        let base = 1.0 + *distance / (2.0 * LENGTH);
        *distance = AMPLITUDE / (base * base);
    }
    kernels
}

fn add_four(distances: &mut [f64], columns: [&[f64]; 4], track: &[f64]) {
    let &[z0, z1, z2, z3] = track else { return };
    let [c0, c1, c2, c3] = columns;
    let rows = c0.iter().zip(c1).zip(c2).zip(c3);
    for (distance, (((x0, x1), x2), x3)) in distances.iter_mut().zip(rows) {
        let two = *distance + (x0 - z0).abs() + (x1 - z1).abs();
        *distance = two + (x2 - z2).abs() + (x3 - z3).abs();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::examples_for_tests as examples;

    #[test]
    fn leaving_one_out_is_learning_without_it() {
        let all = examples();
        let model = KernelModel::learn(&[1.0, 0.5, 0.2], &[], &all);
        // The mean label is kept as it was: the formula takes it as given.
        for (index, left_out) in model.leave_one_out().into_iter().enumerate() {
            let mut rest = all.clone();
            let out = rest.remove(index);
            let mut without = KernelModel::learn(&[1.0, 0.5, 0.2], &[], &rest);
            let values: Vec<f64> = rest.iter().map(|example| example.value - model.centre).collect();
            without.alpha = without.gram.solve(&values);
            without.centre = model.centre;
            assert!((without.score(&out.z) - left_out).abs() < 1e-9);
        }
    }

    #[test]
    fn it_follows_labels_that_no_quadratic_form_can() {
        let example = |x: f64, value: f64| Example {
            z: vec![x],
            value,
            weight: 4.0,
        };
        let waves: Vec<Example> = (-8..=8)
            .map(|i| example(f64::from(i) / 2.0, if i % 4 == 0 { 1.0 } else { -1.0 }))
            .collect();
        let model = KernelModel::learn(&[6.0], &[], &waves);
        assert!(model.score(&[0.0]) > model.score(&[1.0]) && model.score(&[2.0]) > model.score(&[3.0]));
    }

    #[test]
    fn without_labels_it_says_nothing() {
        assert_eq!(KernelModel::learn(&[1.0; 3], &[], &[]).score(&[1.0; 3]), 0.0);
    }
}
