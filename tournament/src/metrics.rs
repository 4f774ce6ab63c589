//! How good probabilities are, and how concentrated lists are. Rankings and the area under the curve are judged by
//! [`classifier::evaluate`].

use serde::{Deserialize, Serialize};

/// Equally wide bins of probability, from 0 to 1.
pub const BINS: usize = 10;
/// Probabilities are held this far from 0 and 1, so that one wrong certainty costs 13.8 and not infinity.
const CERTAINTY: f64 = 1e-6;

/// One bin of a reliability table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// How many predictions fell into it.
    pub count: u32,
    /// The sum of their probabilities.
    pub predicted: f64,
    /// How many of them were liked.
    pub liked: u32,
}

/// How good probabilities of a like were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The mean of `-ln p(what happened)`, in nats.
    pub log_loss: f64,
    /// The mean squared difference from what happened.
    pub brier: f64,
    /// [`BINS`] bins.
    pub reliability: Vec<Bin>,
}

/// `-ln p(what happened)`, in nats.
#[must_use]
pub fn log_loss(probability: f64, liked: bool) -> f64 {
    let held = probability.clamp(CERTAINTY, 1.0 - CERTAINTY);
    -(if liked { held } else { 1.0 - held }).ln()
}

impl Calibration {
    /// Judges (probability, liked) pairs; `None` without any.
    #[must_use]
    pub fn of(predictions: &[(f64, bool)]) -> Option<Self> {
        if predictions.is_empty() {
            return None;
        }
        let count = predictions.len() as f64;
        let mean = |of: fn(f64, bool) -> f64| {
            predictions.iter().map(|&(p, liked)| of(p, liked)).sum::<f64>() / count
        };
        let mut reliability = vec![Bin::default(); BINS];
        for &(probability, liked) in predictions {
            let bin = &mut reliability[((probability * BINS as f64) as usize).min(BINS - 1)];
            bin.count += 1;
            bin.predicted += probability;
            bin.liked += u32::from(liked);
        }
        Some(Self {
            log_loss: mean(log_loss),
            brier: mean(|p, liked| (p - f64::from(u8::from(liked))).powi(2)),
            reliability,
        })
    }
}

/// The expected calibration error: the mean distance between predicted and actual share of likes in a bin, weighted by
/// the bins' counts (Naeini et al. 2015). 0 without predictions.
#[must_use]
pub fn calibration_error(reliability: &[Bin]) -> f64 {
    let count: f64 = reliability.iter().map(|bin| f64::from(bin.count)).sum();
    let distance: f64 = reliability
        .iter()
        .map(|bin| (bin.predicted - f64::from(bin.liked)).abs())
        .sum();
    if count > 0.0 { distance / count } else { 0.0 }
}

/// Adds bins up.
#[must_use]
pub fn pooled<'a>(tables: impl IntoIterator<Item = &'a [Bin]>) -> Vec<Bin> {
    let mut sum = vec![Bin::default(); BINS];
    for table in tables {
        for (sum, bin) in sum.iter_mut().zip(table) {
            sum.count += bin.count;
            sum.predicted += bin.predicted;
            sum.liked += bin.liked;
        }
    }
    sum
}

/// The Gini coefficient of counts: 0 when all are equal, near 1 when one has everything; 0 when all are 0.
#[must_use]
pub fn gini(counts: &[u32]) -> f64 {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let total: f64 = sorted.iter().map(|&count| f64::from(count)).sum();
    if total == 0.0 {
        return 0.0;
    }
    let n = sorted.len() as f64;
    let ranked = sorted
        .iter()
        .enumerate()
        .map(|(place, &count)| (place as f64 + 1.0) * f64::from(count));
    2.0 * ranked.sum::<f64>() / (n * total) - (n + 1.0) / n
}

/// The share of the most frequent value; 0 without any.
#[must_use]
pub fn largest_share(values: &[u32]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let most = sorted
        .chunk_by(|a, b| a == b)
        .map(<[u32]>::len)
        .max()
        .unwrap_or(0);
    most as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn probabilities_against_numbers_worked_out_by_hand() {
        let judged = Calibration::of(&[(0.8, true), (0.4, false), (0.85, false), (1.0, true)]).unwrap();
        let expected = -(0.8f64.ln() + 0.6f64.ln() + 0.15f64.ln() + (1.0f64 - 1e-6).ln()) / 4.0;
        assert!(close(judged.log_loss, expected), "{}", judged.log_loss);
        assert!(close(judged.brier, (0.04 + 0.16 + 0.7225 + 0.0) / 4.0));
        let bin = judged.reliability[8];
        assert_eq!((bin.count, bin.liked), (2, 1));
        assert!(close(bin.predicted, 1.65));
        // |0.4 - 0| + |1.65 - 1| + |1 - 1|, of four.
        assert!(close(calibration_error(&judged.reliability), 1.05 / 4.0));
        assert!(Calibration::of(&[]).is_none());
    }

    #[test]
    fn a_wrong_certainty_is_finite() {
        assert!(close(log_loss(0.0, true), 1e-6f64.ln().abs()));
        assert!(log_loss(1.0, false).is_finite());
    }

    #[test]
    fn pooled_bins_count_everything() {
        let one = Calibration::of(&[(0.15, true)]).unwrap();
        let sum = pooled([&one.reliability[..], &one.reliability[..]]);
        assert_eq!((sum[1].count, sum[1].liked), (2, 2));
        assert_eq!(sum.iter().map(|bin| bin.count).sum::<u32>(), 2);
    }

    #[test]
    fn concentration_against_numbers_worked_out_by_hand() {
        assert!(close(gini(&[3, 3, 3]), 0.0));
        assert!(close(gini(&[0, 0, 0, 8]), 0.75));
        // Mean absolute difference of 1, 2, 3 over twice the mean: (8/9) / 4.
        assert!(close(gini(&[2, 1, 3]), 2.0 / 9.0));
        assert!(close(gini(&[0, 0]), 0.0));
        assert!(close(largest_share(&[4, 7, 4, 1]), 0.5));
        assert!(close(largest_share(&[]), 0.0));
    }
}
