//! From scores to probabilities: a slope and an offset that are fitted to the listener's own labels.
//!
//! `p = 1 / (1 + exp(-(offset + slope (score - mean))))`, the most probable slope and offset given the scores of labels that
//! were left out of learning (Platt 1999, with a Gaussian prior on both, so that a few labels, or labels of one kind, do
//! not make it certain).

use super::SLOPE;
use crate::numbers::{ln, logistic};

/// How firmly the slope stays at what is believed of it before any label, as a standard deviation.
const SLOPE_DEVIATION: f64 = 1.0;
/// How firmly the offset stays at the log-odds of the share of likes, and the pseudo-ratings of each kind behind that.
const OFFSET_DEVIATION: f64 = 0.3;
const RATE_PRIOR: f64 = 2.0;
/// Newton's method, whose steps are held within [`STEP_MAX`] so that none overshoots where all labels are explained, has
/// converged after so many.
const STEPS: usize = 24;
const STEP_MAX: f64 = 0.5;

/// A calibrated scale of one listener.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    slope: f64,
    offset: f64,
    mean: f64,
}

impl Calibration {
    /// Fits the scale to scores of labels that were left out of learning, each with whether it is a like.
    #[must_use]
    pub fn fit(left_out: &[(f64, bool)]) -> Self {
        let likes = left_out.iter().filter(|(_, liked)| *liked).count() as f64;
        let dislikes = left_out.len() as f64 - likes;
        let rate = ln((likes + RATE_PRIOR) / (dislikes + RATE_PRIOR));
        let mean = left_out.iter().map(|(score, _)| score).sum::<f64>() / left_out.len().max(1) as f64;
        let mut fitted = Self {
            slope: SLOPE,
            offset: rate,
            mean,
        };
        for _ in 0..STEPS {
            fitted.step(left_out, rate);
        }
        if fitted.slope < 0.0 {
            fitted.slope = 0.0;
        }
        fitted
    }

    /// The probability that a track of this score is liked.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        logistic(self.log_odds(score))
    }

    /// The log-odds of [`Calibration::probability`].
    #[must_use]
    pub fn log_odds(&self, score: f64) -> f64 {
        self.offset + self.slope * (score - self.mean)
    }

    fn step(&mut self, left_out: &[(f64, bool)], rate: f64) {
        let firm = |deviation: f64| 1.0 / (deviation * deviation);
        let (slope_prior, offset_prior) = (firm(SLOPE_DEVIATION), firm(OFFSET_DEVIATION));
        let mut gradient = [
            (self.offset - rate) * offset_prior,
            (self.slope - SLOPE) * slope_prior,
        ];
        let (mut oo, mut os, mut ss) = (offset_prior, 0.0, slope_prior);
        for &(score, liked) in left_out {
            let x = score - self.mean;
            let p = logistic(self.offset + self.slope * x);
            let error = p - f64::from(u8::from(liked));
            let spread = p * (1.0 - p);
            gradient[0] += error;
            gradient[1] += error * x;
            oo += spread;
            os += spread * x;
            ss += spread * x * x;
        }
        let determinant = oo * ss - os * os;
        let within = |step: f64| step.clamp(-STEP_MAX, STEP_MAX);
        self.offset -= within((ss * gradient[0] - os * gradient[1]) / determinant);
        self.slope -= within((oo * gradient[1] - os * gradient[0]) / determinant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_labels_of_one_kind_do_not_make_it_certain() {
        let calibration = Calibration::fit(&[(0.5, true), (0.4, true)]);
        let p = calibration.probability(0.45);
        assert!((0.6..0.8).contains(&p), "{p}");
        assert_eq!(Calibration::fit(&[]).probability(0.0), 0.5);
    }

    #[test]
    fn many_labels_give_the_shares_that_they_have() {
        // Of ten tracks of score i / 10, i are liked.
        let labels: Vec<(f64, bool)> = (1..10)
            .flat_map(|i| (0..200).map(move |n| (f64::from(i) / 10.0, n % 10 < i)))
            .collect();
        let calibration = Calibration::fit(&labels);
        for i in 2..9 {
            let p = calibration.probability(f64::from(i) / 10.0);
            assert!((p - f64::from(i) / 10.0).abs() < 0.05, "{i}: {p}");
        }
    }

    #[test]
    fn scores_that_speak_against_the_labels_say_nothing() {
        let labels: Vec<(f64, bool)> = (0..400)
            .map(|n| (if n % 2 == 0 { 3.0 } else { -3.0 }, n % 2 == 1))
            .collect();
        let calibration = Calibration::fit(&labels);
        assert_eq!(calibration.probability(3.0), calibration.probability(-3.0));
    }
}
