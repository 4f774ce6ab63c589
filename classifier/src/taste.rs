//! What a listener rated, as integer sums.
//!
//! Sums of integers do not depend on the order in which they are taken, and can be taken back exactly. So a taste
//! state is the same to the last byte for any order, split or merge of the same ratings, and a rating that was taken
//! back leaves no trace.
//!
//! A state holds no floating point number and no track id: only counts, sums and sums of squares per class and
//! feature schema, and counts per artist.

use std::collections::BTreeMap;

use domain::{Described, Digest, Rating};
use serde::{Deserialize, Serialize};

/// Standardised values are held within plus and minus 16 deviations (in units of 2^-16): any schema's clip fits, and
/// the sums of squares of eight million ratings fit 64 bits. Beyond that the sums wrap, still exactly reversible.
const FIXED_MAX: i32 = 1 << 20;

/// Everything the model knows of one listener. Its JSON is canonical: equal states have equal bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TasteState {
    /// What the rated tracks sound like.
    schemas: FeatureSums,
    /// How often each artist was liked and disliked.
    artists: BTreeMap<String, ArtistCounts>,
}

/// What the rated tracks sound like, per feature schema. Models read the sums of their own schema only. Its size does
/// not depend on how many tracks were rated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureSums(BTreeMap<Digest, Classes>);

/// The sums of both classes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// Of the liked tracks.
    pub like: Sums,
    /// Of the disliked tracks.
    pub dislike: Sums,
}

/// The sums of one class, in fixed point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// How many ratings.
    pub n: i64,
    /// The sum of each feature, in units of 2^-16.
    pub s1: Vec<i64>,
    /// The sum of each feature's square, in units of 2^-32.
    pub s2: Vec<i64>,
}

/// How often an artist was rated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtistCounts {
    /// Liked tracks.
    pub likes: i64,
    /// Disliked tracks.
    pub dislikes: i64,
}

impl TasteState {
    /// A state from its two parts, as they were counted with [`FeatureSums::count`] and [`ArtistCounts::count`].
    pub fn from_parts(
        features: FeatureSums,
        artists: impl IntoIterator<Item = (String, ArtistCounts)>,
    ) -> Self {
        let counted = artists.into_iter().filter(|(_, counts)| !counts.is_zero());
        Self {
            schemas: features,
            artists: counted.collect(),
        }
    }

    /// Counts a rating in.
    pub fn add(&mut self, described: &Described, rating: Rating) {
        self.count(described, rating, 1);
    }

    /// Takes a rating out that was counted in with the same description; afterwards it has left no trace.
    pub fn remove(&mut self, described: &Described, rating: Rating) {
        self.count(described, rating, -1);
    }

    /// Adds all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.combine(other, 1);
    }

    /// Takes out all that `other` counted.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, -1);
    }

    /// The sums under one schema; absent when nothing was rated under it.
    #[must_use]
    pub fn classes(&self, schema: &Digest) -> Option<&Classes> {
        self.schemas.0.get(schema)
    }

    /// The artists that were rated, in the order of their names.
    pub fn artists(&self) -> impl Iterator<Item = (&str, ArtistCounts)> {
        self.artists.iter().map(|(name, counts)| (name.as_str(), *counts))
    }

    /// How many ratings of each kind are counted, under all schemas: likes, dislikes.
    #[must_use]
    pub fn ratings(&self) -> (i64, i64) {
        let sum = |pick: fn(&Classes) -> i64| self.schemas.0.values().map(pick).fold(0, i64::wrapping_add);
        (sum(|classes| classes.like.n), sum(|classes| classes.dislike.n))
    }

    /// True when nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.schemas.0.is_empty() && self.artists.is_empty()
    }

    fn count(&mut self, described: &Described, rating: Rating, sign: i64) {
        self.schemas.count(described, rating, sign);
        for artist in &described.artists {
            let mut counts = ArtistCounts::default();
            counts.count(rating, sign);
            self.count_artist(artist, counts, 1);
        }
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        self.schemas.combine(&other.schemas, sign);
        for (artist, counts) in &other.artists {
            self.count_artist(artist, *counts, sign);
        }
    }

    fn count_artist(&mut self, artist: &str, counts: ArtistCounts, sign: i64) {
        let mut sum = self.artists.get(artist).copied().unwrap_or_default();
        sum.combine(counts, sign);
        if sum.is_zero() {
            self.artists.remove(artist);
        } else if let Some(kept) = self.artists.get_mut(artist) {
            *kept = sum;
        } else {
            self.artists.insert(artist.to_owned(), sum);
        }
    }
}

impl FeatureSums {
    /// Counts a rating `sign` times: 1 counts it in, -1 takes it out again without a trace.
    pub fn count(&mut self, described: &Described, rating: Rating, sign: i64) {
        let classes = self.0.entry(described.schema).or_default();
        let sums = match rating {
            Rating::Like => &mut classes.like,
            Rating::Dislike => &mut classes.dislike,
        };
        sums.count(&described.z, sign);
        let is_void = classes.tidy();
        if is_void {
            self.0.remove(&described.schema);
        }
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        for (schema, theirs) in &other.0 {
            let classes = self.0.entry(*schema).or_default();
            classes.like.combine(&theirs.like, sign);
            classes.dislike.combine(&theirs.dislike, sign);
            let is_void = classes.tidy();
            if is_void {
                self.0.remove(schema);
            }
        }
    }
}

impl ArtistCounts {
    /// Counts a rating of one of the artist's tracks `sign` times: 1 counts it in, -1 takes it out again.
    pub fn count(&mut self, rating: Rating, sign: i64) {
        let sum = match rating {
            Rating::Like => &mut self.likes,
            Rating::Dislike => &mut self.dislikes,
        };
        *sum = sum.wrapping_add(sign);
    }

    /// True when the artist is not rated.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn combine(&mut self, other: Self, sign: i64) {
        self.likes = self.likes.wrapping_add(other.likes.wrapping_mul(sign));
        self.dislikes = self.dislikes.wrapping_add(other.dislikes.wrapping_mul(sign));
    }
}

impl Classes {
    /// Brings both classes to their one canonical shape; true when nothing is left.
    fn tidy(&mut self) -> bool {
        let like = self.like.tidy();
        let dislike = self.dislike.tidy();
        like && dislike
    }
}

impl Sums {
    fn count(&mut self, z: &[i32], sign: i64) {
        self.widen(z.len());
        self.n = self.n.wrapping_add(sign);
        for (index, &value) in z.iter().enumerate() {
            let value = i64::from(value.clamp(-FIXED_MAX, FIXED_MAX));
            self.s1[index] = self.s1[index].wrapping_add(value * sign);
            self.s2[index] = self.s2[index].wrapping_add(value * value * sign);
        }
    }

    fn combine(&mut self, other: &Self, sign: i64) {
        self.widen(other.s1.len().max(other.s2.len()));
        self.n = self.n.wrapping_add(other.n.wrapping_mul(sign));
        for (sum, value) in self.s1.iter_mut().zip(&other.s1) {
            *sum = sum.wrapping_add(value.wrapping_mul(sign));
        }
        for (sum, value) in self.s2.iter_mut().zip(&other.s2) {
            *sum = sum.wrapping_add(value.wrapping_mul(sign));
        }
    }

    fn widen(&mut self, features: usize) {
        let width = features.max(self.s1.len()).max(self.s2.len());
        self.s1.resize(width, 0);
        self.s2.resize(width, 0);
    }

    /// Drops trailing zeros, so that one content has one shape; true when nothing is left.
    fn tidy(&mut self) -> bool {
        let used = |sums: &[i64]| sums.iter().rposition(|&sum| sum != 0).map_or(0, |last| last + 1);
        let width = used(&self.s1).max(used(&self.s2));
        self.s1.truncate(width);
        self.s2.truncate(width);
        self.n == 0 && width == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(z: &[i32], artists: &[&str]) -> Described {
        let artists = artists.iter().map(|&artist| artist.to_owned()).collect();
        Described {
            schema: Digest::of("schema"),
            z: z.to_vec(),
            artists,
        }
    }

    #[test]
    fn a_rating_that_was_taken_back_leaves_no_trace() {
        let mut taste = TasteState::default();
        taste.add(&described(&[5, -7], &["A", "B"]), Rating::Like);
        let before = taste.clone();
        taste.add(&described(&[9, 0], &["B", "C"]), Rating::Dislike);
        taste.remove(&described(&[9, 0], &["B", "C"]), Rating::Dislike);
        assert_eq!(taste, before);
        taste.remove(&described(&[5, -7], &["A", "B"]), Rating::Like);
        assert!(taste.is_empty());
    }

    #[test]
    fn the_json_comes_back_equal() {
        let mut taste = TasteState::default();
        taste.add(
            &described(&[i32::MAX, i32::MIN, 3], &["Ä \"quoted\""]),
            Rating::Like,
        );
        let json = serde_json::to_string(&taste).unwrap();
        assert_eq!(serde_json::from_str::<TasteState>(&json).unwrap(), taste);
        assert_eq!(taste.ratings(), (1, 0));
    }
}
