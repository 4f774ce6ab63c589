//! Whether predicted likes are as probable as said.

/// Bins of [`expected_calibration_error`]: tenths, as is usual.
const BINS: usize = 10;

/// What was said of a rating, and what it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The predicted log-odds of a like; finite.
    pub log_odds: f64,
    /// Whether it was one.
    pub liked: bool,
}

impl Prediction {
    /// The predicted probability of a like.
    #[must_use]
    pub fn probability(&self) -> f64 {
        1.0 / (1.0 + (-self.log_odds).exp())
    }

    /// Minus the logarithm of the probability that was given to what came, in nats: `ln(1 + exp(-s))` with the log-odds
    /// `s` of what came, written so that it does not overflow.
    #[must_use]
    pub fn log_loss(&self) -> f64 {
        let of_what_came = if self.liked { self.log_odds } else { -self.log_odds };
        (-of_what_came.abs()).exp().ln_1p() + (-of_what_came).max(0.0)
    }

    /// The squared difference between the probability and what came, 0 to 1 (Brier 1950, for two outcomes).
    #[must_use]
    pub fn brier(&self) -> f64 {
        let missed = self.probability() - f64::from(u8::from(self.liked));
        missed * missed
    }
}

/// How far probabilities are from frequencies, 0 to 1: the mean over ten bins of equal width of the distance between mean
/// probability and share of likes, weighted by what is in a bin (Naeini et al. 2015). 0 without predictions.
#[must_use]
pub fn expected_calibration_error(predictions: &[Prediction]) -> f64 {
    // Per bin, the probabilities minus the likes: weight times distance is its absolute value over all predictions.
    let mut excess = [0.0; BINS];
    for prediction in predictions {
        let probability = prediction.probability();
        let bin = ((probability * BINS as f64) as usize).min(BINS - 1);
        excess[bin] += probability - f64::from(u8::from(prediction.liked));
    }
    let distance: f64 = excess.iter().map(|excess: &f64| excess.abs()).sum();
    distance / predictions.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(probability: f64, liked: bool) -> Prediction {
        let log_odds = (probability / (1.0 - probability)).ln();
        Prediction { log_odds, liked }
    }

    #[track_caller]
    fn assert_near(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn numbers_worked_out_by_hand() {
        assert_near(said(0.8, true).probability(), 0.8);
        assert_near(said(0.8, true).log_loss(), -(0.8f64.ln()));
        assert_near(said(0.8, false).log_loss(), -(0.2f64.ln()));
        assert_near(said(0.8, true).brier(), 0.04);
        assert_near(said(0.8, false).brier(), 0.64);
    }

    #[test]
    fn certainty_costs_much_and_never_overflows() {
        let certain = |log_odds, liked| Prediction { log_odds, liked }.log_loss();
        assert_eq!(certain(1e6, false), 1e6);
        assert_eq!(certain(1e6, true), 0.0);
        assert_eq!(certain(-1e6, true), 1e6);
    }

    #[test]
    fn calibration_is_the_distance_from_the_frequencies() {
        // Three of four likes where 75% were said: nothing is off.
        let honest = [true, true, true, false].map(|liked| said(0.75, liked));
        assert_near(expected_calibration_error(&honest), 0.0);
        // One of two where 90% were said, and all of two where 10% were: 0.4 and 0.9, each for half.
        let wrong = [
            said(0.9, true),
            said(0.9, false),
            said(0.1, true),
            said(0.1, true),
        ];
        assert_near(expected_calibration_error(&wrong), 0.65);
        assert_eq!(expected_calibration_error(&[]), 0.0);
    }
}
