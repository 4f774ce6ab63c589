//! What one listener likes the sound of, learned from labels of tracks.
//!
//! Two models of the same labels, both exact functions of the set of labels (in the order of the tracks, so that the
//! order in which they were given does not matter):
//!
//! - [`linear`]: Bayesian linear regression on `z` and `z^2`. Its score is a quadratic form, so it ranks a whole catalogue.
//! - [`kernel`]: Gaussian process regression, which sees more once there are some ratings, and ranks a few thousand.
//!
//! [`blend`] joins them. Both regress labels from -1 to 1 and think of what is not known as slightly disliked when more was disliked than liked
//! ([`centre`]). [`calibration`] turns their score into a probability.

pub mod blend;
pub mod calibration;
pub mod kernel;
pub mod linear;

use domain::FeatureSchema;

use crate::model::Quadratic;

/// The noise of a label of weight 1, as a variance: a like says more than a dislike, which may be of the moment.
const LIKE_NOISE: f64 = 2.5;
const DISLIKE_NOISE: f64 = 3.5;
/// Log-odds per unit of a score: the slope that calibrations begin with.
pub(crate) const SLOPE: f64 = 2.5;
/// The share of the linear model in a joint score.
pub(crate) const LINEAR_SHARE: f64 = 0.25;
/// Pseudo-ratings of value 0 behind the mean label.
const CENTRE_WEIGHT: f64 = 2.0;

/// A labelled track.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Its standardised features, in the schema's order.
    pub z: Vec<f64>,
    /// From -1 (disliked) to 1 (liked).
    pub value: f64,
    /// In ratings; above 0.
    pub weight: f64,
}

impl Example {
    fn precision(&self) -> f64 {
        let noise = if self.value > 0.0 {
            LIKE_NOISE
        } else {
            DISLIKE_NOISE
        };
        self.weight / noise
    }
}

/// The value expected of a track of which nothing is known: the mean label, shrunk towards 0, and never above it, since a
/// listener who has only liked so far does not like everything.
#[must_use]
pub fn centre(examples: &[Example]) -> f64 {
    let weight: f64 = examples.iter().map(|example| example.weight).sum();
    let sum: f64 = examples
        .iter()
        .map(|example| example.weight * example.value)
        .sum();
    let mean = sum / (weight + CENTRE_WEIGHT);
    if mean < 0.0 { mean } else { 0.0 }
}

/// What is expected of a track by the sound of it, before any label.
#[must_use]
pub fn expected(prior: &[Quadratic], z: &[f64]) -> f64 {
    prior.iter().zip(z).map(|(form, z)| form.at(*z)).sum()
}

/// How much each feature says of whether two tracks sound alike, against an energy or a danceability: the key, the mode,
/// the liveness and the tempo say little.
#[must_use]
pub fn relevance(schema: &FeatureSchema) -> Vec<f64> {
    let of = |name: &str| match name {
        "key" | "mode" => 0.2,
        "liveness" | "tempo" => 0.5,
        _ => 1.0,
    };
    schema.names().map(of).collect()
}

#[cfg(test)]
fn examples_for_tests() -> Vec<Example> {
    // Likes where the first feature is high; the others vary.
    let at = |i: i32, j: i32| f64::from((i * 7 + j * 13) % 11 - 5) / 2.5;
    (0..20)
        .map(|i| {
            let first = f64::from(i % 5 - 2);
            Example {
                z: vec![first, at(i, 1), at(i, 2)],
                value: if first > 0.0 { 1.0 } else { -1.0 },
                weight: if i % 3 == 0 { 0.5 } else { 1.0 },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_centre_is_never_above_the_middle() {
        let example = |value: f64| Example {
            z: vec![],
            value,
            weight: 1.0,
        };
        assert_eq!(centre(&[]), 0.0);
        assert_eq!(centre(&[example(1.0), example(1.0)]), 0.0);
        assert_eq!(centre(&[example(-1.0), example(-1.0)]), -0.5);
    }
}
