//! What ratings and plays say of a track: how much it is liked, and how sure that is.
//!
//! The log keeps what happened. This table, which belongs to the generator's version, says what it means:
//!
//! | what happened | label | weight |
//! |---|---|---|
//! | rated: like | 1 | 1 |
//! | rated: dislike | -1 | 1 |
//! | played for at least 9/10 of its length, or 4 minutes | 1 | 1/4 each, 3/4 at most |
//! | left within 30 seconds, and before half of its length | -1 | 1/4 each, 3/4 at most |
//! | played for any other time | none | 0 |
//!
//! A rating outweighs all plays of its track. Four minutes is where listening services count a play whatever the length;
//! a play that was left within 30 seconds counts nowhere as one.
//!
//! Where the base model has a half-life, every weight halves with the label's age at the request, once in so many days.

use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::generate::{Played, TasteInput};
use crate::numbers::exp;
use domain::Rating;

const DAY_MS: f64 = 86_400_000.0;
/// What is left of the oldest label: above 0, so that it still has a value.
const WEIGHT_MIN: f64 = 1e-9;
const PLAY_WEIGHT: f64 = 0.25;
const PLAYS_MAX: usize = 3;
const SKIP_MS: u64 = 30_000;
const FULL_MS: u64 = 240_000;

/// What is known of one track of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    /// Its index in the catalogue.
    pub(crate) track: u32,
    /// From -1 (disliked) to 1 (liked).
    pub(crate) value: f64,
    /// In ratings; above 0.
    pub(crate) weight: f64,
    /// When that was said last, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

impl Label {
    /// True when it speaks for the track.
    pub(crate) fn is_liked(&self) -> bool {
        self.value > 0.0
    }
}

/// The labels of all tracks that the listener rated or played and the catalogue has, in the order of the catalogue:
/// the same for any order of the same ratings.
pub(crate) fn labels(catalogue: &Catalogue, base: &BaseModel, listener: &TasteInput) -> Vec<Label> {
    let rated = listener.ratings.iter().filter_map(|(id, rated)| {
        let value = match rated.rating {
            Rating::Like => 1.0,
            Rating::Dislike => -1.0,
        };
        Some(Label {
            track: catalogue.index_of(id)?,
            value,
            weight: 1.0,
            at_ms: rated.at_ms,
        })
    });
    let played = listener
        .played
        .iter()
        .filter(|(id, _)| !listener.ratings.contains_key(*id))
        .filter_map(|(id, played)| of_plays(catalogue, catalogue.index_of(id)?, played));
    let mut labels: Vec<Label> = rated.chain(played).collect();
    labels.sort_unstable_by_key(|label| label.track);
    if let Some(half_life_days) = base.half_life_days {
        for label in &mut labels {
            label.weight *= faded(listener.requested_at_ms - label.at_ms, half_life_days);
        }
    }
    labels
}

/// What is left of a weight after so long.
fn faded(age_ms: i64, half_life_days: f64) -> f64 {
    let half_lives = age_ms.max(0) as f64 / DAY_MS / half_life_days;
    exp(-std::f64::consts::LN_2 * half_lives).max(WEIGHT_MIN)
}

fn of_plays(catalogue: &Catalogue, track: u32, played: &Played) -> Option<Label> {
    let length_ms = catalogue.track(track).duration_ms.map_or(FULL_MS, u64::from);
    let heard = played.heard_ms.iter();
    let full = heard.clone().filter(|&&heard| is_full(heard, length_ms)).count();
    let skipped = heard.filter(|&&heard| is_skip(heard, length_ms)).count();
    let weigh = |plays: usize| PLAY_WEIGHT * plays.min(PLAYS_MAX) as f64;
    let (liked, disliked) = (weigh(full), weigh(skipped));
    let weight = liked + disliked;
    (weight > 0.0).then(|| Label {
        track,
        value: (liked - disliked) / weight,
        weight,
        at_ms: played.at_ms,
    })
}

fn is_full(heard_ms: u64, length_ms: u64) -> bool {
    heard_ms >= FULL_MS.min(length_ms.saturating_mul(9) / 10)
}

fn is_skip(heard_ms: u64, length_ms: u64) -> bool {
    heard_ms < SKIP_MS && heard_ms < length_ms / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Rated;
    use crate::generator;

    fn label_of(heard_ms: &[u64], rating: Option<Rating>) -> Option<Label> {
        let catalogue = generator::catalogue(10, 1);
        let mut listener = TasteInput::default();
        let played = Played {
            at_ms: 5,
            heard_ms: heard_ms.to_vec(),
        };
        listener.played.insert(catalogue.id(3), played);
        if let Some(rating) = rating {
            listener
                .ratings
                .insert(catalogue.id(3), Rated { rating, at_ms: 7 });
        }
        labels(&catalogue, &neutral(&catalogue), &listener)
            .first()
            .copied()
    }

    #[test]
    fn full_plays_speak_for_a_track_and_early_skips_against_it() {
        let full = label_of(&[300_000, 300_000], None).unwrap();
        assert_eq!((full.value, full.weight), (1.0, 0.5));
        let skipped = label_of(&[2_000], None).unwrap();
        assert_eq!((skipped.value, skipped.weight), (-1.0, 0.25));
        let mixed = label_of(&[300_000, 2_000, 2_000], None).unwrap();
        assert_eq!((mixed.value, mixed.weight), (-1.0 / 3.0, 0.75));
        assert_eq!(label_of(&[300_000; 8], None).unwrap().weight, 0.75);
        assert_eq!(label_of(&[45_000], None), None);
    }

    fn neutral(catalogue: &Catalogue) -> BaseModel {
        BaseModel::neutral(catalogue.schema())
    }

    #[test]
    fn a_label_fades_by_half_in_a_half_life() {
        assert!((faded(86_400_000 * 30, 30.0) - 0.5).abs() < 1e-12);
        assert!((faded(86_400_000 * 90, 30.0) - 0.125).abs() < 1e-12);
        assert_eq!((faded(-5, 30.0), faded(i64::MAX, 1.0)), (1.0, WEIGHT_MIN));
    }

    #[test]
    fn a_rating_outweighs_every_play() {
        let rated = label_of(&[2_000; 8], Some(Rating::Like)).unwrap();
        assert_eq!((rated.value, rated.weight, rated.at_ms), (1.0, 1.0, 7));
    }

    #[test]
    fn what_the_catalogue_does_not_have_is_left_out() {
        let mut listener = TasteInput::default();
        let rated = Rated {
            rating: Rating::Like,
            at_ms: 0,
        };
        listener.ratings.insert("elsewhere".parse().unwrap(), rated);
        let catalogue = generator::catalogue(10, 1);
        assert_eq!(labels(&catalogue, &neutral(&catalogue), &listener), []);
    }
}
