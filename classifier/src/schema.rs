//! The first feature schema: which audio features a track has, what they may be, and how they are standardised.
//!
//! The constants (mean and deviation) are measured once, on the first catalogue that is imported, and frozen from then
//! on: a later catalogue is standardised with the same ones, so that what was learned keeps its meaning.

use domain::{Feature, FeatureSchema, Transform};

use crate::numbers;

/// Added to a value before its logarithm is taken, in the value's own unit: it keeps silence (0) finite.
pub const LOG_OFFSET: f64 = 0.001;
/// Standardised values end at plus and minus this many deviations: a quadratic score would else reward extremes.
pub const CLIP: f64 = 4.0;
/// Standardised values are kept as multiples of 2^-16 where they are summed.
pub const FIXED_POINT: f64 = 65_536.0;
/// Deviations below this count as "no variation": the feature is then left at its mean for every track.
const DEVIATION_MIN: f64 = 1e-9;

/// A feature as the import knows it: its column, how skewed it is, and the values it may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureRule {
    /// The column's name in a catalogue file, and the feature's name.
    pub name: &'static str,
    /// What is done to a raw value before it is standardised.
    pub transform: Transform,
    /// The lowest value allowed.
    pub minimum: f64,
    /// The highest value allowed.
    pub maximum: f64,
}

const fn rule(name: &'static str, transform: Transform, minimum: f64, maximum: f64) -> FeatureRule {
    FeatureRule {
        name,
        transform,
        minimum,
        maximum,
    }
}

/// The twelve features, in the order of every vector.
pub const FEATURES: [FeatureRule; 12] = [
    rule("danceability", Transform::Identity, 0.0, 1.0),
    rule("energy", Transform::Identity, 0.0, 1.0),
    rule("key", Transform::Identity, -1.0, 11.0),
    rule("loudness", Transform::Identity, -80.0, 10.0),
    rule("mode", Transform::Identity, 0.0, 1.0),
    rule("speechiness", Transform::Log, 0.0, 1.0),
    rule("acousticness", Transform::Log, 0.0, 1.0),
    rule("instrumentalness", Transform::Log, 0.0, 1.0),
    rule("liveness", Transform::Log, 0.0, 1.0),
    rule("valence", Transform::Identity, 0.0, 1.0),
    rule("tempo", Transform::Identity, 0.0, 300.0),
    rule("duration_ms", Transform::Log, 1.0, 86_400_000.0),
];

impl FeatureRule {
    /// Whether the value must be a whole number (the key, the mode and the duration).
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self.name, "key" | "mode" | "duration_ms")
    }
}

/// The names of [`FEATURES`], in order.
pub fn feature_names() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().map(|feature| feature.name)
}

/// The raw value after its transform.
#[must_use]
pub fn transform(kind: Transform, raw: f64) -> f64 {
    match kind {
        Transform::Identity => raw,
        Transform::Log => numbers::ln(raw.max(0.0) + LOG_OFFSET),
    }
}

/// The raw value in deviations from the mean, clipped.
#[must_use]
pub fn standardise(feature: &Feature, raw: f64) -> f64 {
    let z = (transform(feature.transform, raw) - feature.mean) / feature.deviation;
    z.clamp(-feature.clip, feature.clip)
}

/// Measures the constants of [`FEATURES`] on `columns`: one slice of raw values per feature, all in one fixed order
/// of tracks (their sums are taken in that order, so that the same catalogue gives the same constants).
#[must_use]
pub fn freeze(columns: &[&[f32]]) -> FeatureSchema {
    let features = FEATURES
        .iter()
        .zip(columns)
        .map(|(rule, column)| measure(rule, column))
        .collect();
    FeatureSchema { features }
}

fn measure(rule: &FeatureRule, column: &[f32]) -> Feature {
    let count = column.len().max(1) as f64;
    let values = || {
        column
            .iter()
            .map(|&raw| transform(rule.transform, f64::from(raw)))
    };
    let mean = values().sum::<f64>() / count;
    let variance = values().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    let deviation = if deviation > DEVIATION_MIN { deviation } else { 1.0 };
    Feature {
        name: rule.name.to_owned(),
        transform: rule.transform,
        mean,
        deviation,
        clip: CLIP,
    }
}

/// A standardised value as a fixed-point number in units of 2^-16.
#[must_use]
pub fn to_fixed(z: f32) -> i32 {
    (f64::from(z) * FIXED_POINT).round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standardised_columns_have_mean_zero_and_deviation_one() {
        let column: Vec<f32> = (1..=1000).map(|i| i as f32 / 1000.0).collect();
        let columns = vec![column.as_slice(); FEATURES.len()];
        for feature in freeze(&columns).features {
            let z: Vec<f64> = column
                .iter()
                .map(|&raw| standardise(&feature, f64::from(raw)))
                .collect();
            let mean = z.iter().sum::<f64>() / 1000.0;
            let variance = z.iter().map(|z| z * z).sum::<f64>() / 1000.0;
            assert!(
                mean.abs() < 0.02 && (variance - 1.0).abs() < 0.1,
                "{} {mean} {variance}",
                feature.name
            );
        }
    }

    #[test]
    fn a_feature_without_variation_stays_at_zero() {
        let column = [0.5f32; 10];
        let columns = vec![column.as_slice(); FEATURES.len()];
        let schema = freeze(&columns);
        assert!(schema.is_usable());
        assert!(
            schema
                .features
                .iter()
                .all(|feature| standardise(feature, 0.5).abs() < 1e-6)
        );
    }
}
