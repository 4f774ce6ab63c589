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

/// The calibration error that chance alone gives to probabilities that are right, when `labels` independent labels stand behind
/// the predictions (a label that is predicted again and again says nothing new): the mean distance of a binomial share
/// from its probability in each bin, weighted by the bins' counts. 0 without predictions or labels.
#[must_use]
pub fn chance_error(reliability: &[Bin], labels: usize) -> f64 {
    let count: f64 = reliability.iter().map(|bin| f64::from(bin.count)).sum();
    let of_bin = |bin: &Bin| {
        let share = f64::from(bin.count) / count;
        let p = bin.predicted / f64::from(bin.count);
        let independent = share * count.min(labels as f64);
        share * (std::f64::consts::FRAC_2_PI * p * (1.0 - p) / independent).sqrt()
    };
    let filled = reliability.iter().filter(|bin| bin.count > 0 && labels > 0);
    filled.map(of_bin).sum()
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
    use crate::random::Chance;

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
    fn what_chance_alone_gives_is_what_drawn_labels_give() {
        // 40 labels in each of two bins, predicted once and ten times over.
        let bin = |times: u32, p: f64, liked: u32| Bin {
            count: 40 * times,
            predicted: f64::from(40 * times) * p,
            liked: liked * times,
        };
        let mut chance = Chance::of(1, "labels");
        let mut drawn = || {
            let mut draw = |p: f64| (0..40).filter(|_| chance.uniform() < p).count() as u32;
            calibration_error(&[bin(1, 0.55, draw(0.55)), bin(1, 0.85, draw(0.85))])
        };
        let mean = (0..4_000).map(|_| drawn()).sum::<f64>() / 4_000.0;
        for times in [1, 10] {
            let told = chance_error(&[bin(times, 0.55, 0), bin(times, 0.85, 0)], 80);
            assert!((told / mean - 1.0).abs() < 0.05, "{told} {mean}");
        }
        assert_eq!(
            (chance_error(&[], 5), chance_error(&[bin(1, 0.5, 0)], 0)),
            (0.0, 0.0)
        );
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
