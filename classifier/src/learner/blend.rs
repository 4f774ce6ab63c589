//! What is expected of a track and both models of a listener's labels as one score, and its probability.

use super::calibration::Calibration;
use super::kernel::{EXAMPLES_MAX, KernelModel};
use super::linear::LinearModel;
use super::{Example, LINEAR_SHARE, expected};
use crate::model::Quadratic;

/// What a listener likes the sound of: what is expected of anybody, what the kernel model adds to that, and `LINEAR_SHARE` of
/// the linear model's score.
#[derive(Debug, Clone)]
pub struct Blend {
    prior: Vec<Quadratic>,
    linear: LinearModel,
    kernel: KernelModel,
    calibration: Calibration,
}

impl Blend {
    /// Learns from examples; the kernel model and the calibration from the first [`EXAMPLES_MAX`] of them.
    #[must_use]
    pub fn learn(relevance: &[f64], prior: &[Quadratic], examples: &[Example]) -> Self {
        let linear = LinearModel::learn(relevance, prior, examples);
        let kernel = KernelModel::learn(relevance, prior, examples);
        let kept = &examples[..examples.len().min(EXAMPLES_MAX)];
        let left_out = linear.leave_one_out(kept).into_iter().zip(kernel.leave_one_out());
        let labelled = |((linear, kernel), example): ((f64, f64), &Example)| {
            let score = expected(prior, &example.z) + LINEAR_SHARE * linear + kernel;
            (score, example.value > 0.0)
        };
        let labelled: Vec<(f64, bool)> = left_out.zip(kept).map(labelled).collect();
        Self {
            prior: prior.to_vec(),
            calibration: Calibration::fit(&labelled),
            linear,
            kernel,
        }
    }

    /// The score of a track.
    #[must_use]
    pub fn score(&self, z: &[f64]) -> f64 {
        expected(&self.prior, z) + LINEAR_SHARE * self.linear.score(z) + self.kernel.score(z)
    }

    /// How probably a track is liked.
    #[must_use]
    pub fn probability(&self, z: &[f64]) -> f64 {
        self.calibration.probability(self.score(z))
    }

    /// The log-odds of [`Blend::probability`].
    #[must_use]
    pub fn log_odds(&self, z: &[f64]) -> f64 {
        self.calibration.log_odds(self.score(z))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::examples_for_tests as examples;

    #[test]
    fn liked_sounds_are_more_probable_than_disliked_ones() {
        let blend = Blend::learn(&[1.0; 3], &[], &examples());
        assert!(blend.probability(&[2.0, 0.0, 0.0]) > 0.6 && blend.probability(&[-2.0, 0.0, 0.0]) < 0.3);
        let nothing = Blend::learn(&[1.0; 3], &[], &[]);
        assert_eq!(
            (nothing.score(&[1.0; 3]), nothing.probability(&[1.0; 3])),
            (0.0, 0.5)
        );
    }
}
