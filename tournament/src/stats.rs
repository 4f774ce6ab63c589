//! How sure a mean and a difference are.

use serde::Serialize;

use crate::random::Chance;

/// Resamples behind an interval.
const RESAMPLES: usize = 2_000;
/// Random signs behind a p-value: none is below 1 / (1 + this).
const SIGNINGS: usize = 5_000;
const TAIL: f64 = 0.025;

/// A mean and its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Where the interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

/// A mean paired difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Its mean and interval.
    pub estimate: Estimate,
    /// How often signs drawn at random give a mean as far from 0.
    pub p: f64,
}

#[must_use]
/// The mean; 0 without any.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The mean with its percentile bootstrap interval (Efron 1979) over `values`, one per independent unit.
#[must_use]
pub fn bootstrap(values: &[f64], seed: u64) -> Estimate {
    let mean_of = mean(values);
    if values.len() < 2 {
        return Estimate {
            mean: mean_of,
            low: mean_of,
            high: mean_of,
        };
    }
    let mut chance = Chance::of(seed, "bootstrap");
    let mut resample = || {
        (0..values.len())
            .map(|_| values[chance.below(values.len())])
            .sum::<f64>()
            / values.len() as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (RESAMPLES - 1) as f64).round() as usize];
    Estimate {
        mean: mean_of,
        low: at(TAIL),
        high: at(1.0 - TAIL),
    }
}

/// The mean of paired differences, its interval, and the two-sided p-value of the sign-flip randomisation test
/// (Fisher 1935): under no difference each sign is as probable as the other.
#[must_use]
pub fn paired(differences: &[f64], seed: u64) -> Difference {
    let estimate = bootstrap(differences, seed);
    let observed = estimate.mean.abs() * differences.len() as f64 * (1.0 - 1e-9);
    let mut chance = Chance::of(seed, "signs");
    let mut signed = || {
        differences
            .iter()
            .map(|&d| if chance.coin() { d } else { -d })
            .sum::<f64>()
            .abs()
    };
    let as_far = (0..SIGNINGS).filter(|_| signed() >= observed).count();
    Difference {
        estimate,
        p: (as_far + 1) as f64 / (SIGNINGS + 1) as f64,
    }
}

/// p-values corrected for being several (Holm 1979), in the order given.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        least = least.max(p[index] * (p.len() - rank) as f64).min(1.0);
        corrected[index] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_against_numbers_worked_out_by_hand() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (corrected, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((corrected - expected).abs() < 1e-12, "{corrected} {expected}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn the_interval_is_the_normal_one_where_that_holds() {
        // 400 values of mean 0.5 and deviation 0.5: the standard error is 0.025.
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let Estimate { mean, low, high } = bootstrap(&values, 1);
        assert_eq!(mean, 0.5);
        assert!((low - (0.5 - 1.96 * 0.025)).abs() < 0.005, "{low}");
        assert!((high - (0.5 + 1.96 * 0.025)).abs() < 0.005, "{high}");
        assert_eq!(bootstrap(&values, 1), bootstrap(&values, 1));
        assert_ne!(bootstrap(&values, 1).low, bootstrap(&values[..399], 2).low);
    }

    #[test]
    fn one_value_has_no_width() {
        assert_eq!(
            bootstrap(&[3.0], 1),
            Estimate {
                mean: 3.0,
                low: 3.0,
                high: 3.0
            }
        );
        assert_eq!(bootstrap(&[], 1).mean, 0.0);
    }

    #[test]
    fn p_values_against_the_exact_test() {
        // All eight of one sign: 2 of 256 signings are as far.
        let p = paired(&[1.0; 8], 1).p;
        assert!((p - 2.0 / 256.0).abs() < 0.004, "{p}");
        // 1, 1, 1, -1: |sum| >= 2 for 10 of 16 signings.
        let p = paired(&[1.0, 1.0, 1.0, -1.0], 1).p;
        assert!((p - 10.0 / 16.0).abs() < 0.03, "{p}");
        assert_eq!(paired(&[0.0; 5], 1).p, 1.0);
    }
}
