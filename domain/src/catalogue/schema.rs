//! A feature schema: what a track's numbers mean, and the constants that standardise them, frozen for good.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The features of a catalogue, in order. Models belong to exactly one schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureSchema {
    /// The features, in the order of every vector of this schema.
    pub features: Vec<Feature>,
}

/// One feature and how its raw value is standardised: transform, subtract `mean`, divide by `deviation`, clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The name, as the catalogue's column is called.
    pub name: String,
    /// What is done to the raw value first.
    pub transform: Transform,
    /// The mean of the transformed values when the schema was frozen.
    pub mean: f64,
    /// The standard deviation of the transformed values when the schema was frozen; above 0.
    pub deviation: f64,
    /// Standardised values are cut off at plus and minus this many deviations.
    pub clip: f64,
}

/// What is done to a raw value before it is standardised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// Nothing.
    Identity,
    /// The natural logarithm, for skewed positive values.
    Log,
}

impl FeatureSchema {
    /// The SHA-256 of the schema's canonical JSON: its own serialization, whose field order is fixed.
    pub fn digest(&self) -> Digest {
        Digest::of(crate::recorded::to_json(self))
    }

    /// The place of a feature in every vector of this schema.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature.name == name)
    }

    /// True when both have the same features in the same order, whatever their constants.
    pub fn has_same_names(&self, other: &Self) -> bool {
        self.names().eq(other.names())
    }

    /// The features' names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|feature| feature.name.as_str())
    }

    /// True when there is a feature, no name is empty or doubled, and every constant can be computed with.
    pub fn is_usable(&self) -> bool {
        !self.features.is_empty()
            && self.features.iter().all(Feature::is_usable)
            && self
                .names()
                .enumerate()
                .all(|(index, name)| self.index_of(name) == Some(index))
    }
}

impl Feature {
    fn is_usable(&self) -> bool {
        let is_positive = |number: f64| number.is_finite() && number > 0.0;
        !self.name.is_empty()
            && self.mean.is_finite()
            && is_positive(self.deviation)
            && is_positive(self.clip)
    }
}
