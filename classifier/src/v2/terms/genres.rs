//! Which genres the listener likes: only where the base model gives genres a weight, since a catalogue's genres are often
//! derived from playlists and would then tell more than they know.

use std::collections::BTreeMap;

use super::dates::lift;
use super::likes::{Likes, Mass};
use super::weights::GENRE_PRIOR;
use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::numbers::ln;

/// A value for each genre of which something was rated or played.
pub(super) struct Genres(BTreeMap<u32, f64>);

impl Genres {
    /// `None` without a weight, or when nothing is liked.
    pub(super) fn of(catalogue: &Catalogue, base: &BaseModel, likes: &Likes) -> Option<Self> {
        let weight = base.genre_weight.filter(|weight| *weight > 0.0)?;
        if likes.all.liked <= 0.0 {
            return None;
        }
        let songs = catalogue.len().max(1) as f64;
        let mut everything: BTreeMap<u32, f64> = BTreeMap::new();
        for genre in catalogue.genres() {
            *everything.entry(*genre).or_default() += 1.0;
        }
        let value = |(&genre, mass): (&u32, &Mass)| {
            let share = everything.get(&genre).copied().unwrap_or(0.0) / songs;
            let dislikes = ln((mass.liked + GENRE_PRIOR) / (mass.liked + mass.disliked + GENRE_PRIOR));
            (
                genre,
                weight * (lift(mass.liked / likes.all.liked, share) + dislikes),
            )
        };
        Some(Self(likes.genres.iter().map(value).collect()))
    }

    pub(super) fn of_track(&self, catalogue: &Catalogue, track: u32) -> f64 {
        self.0
            .get(&catalogue.genres()[track as usize])
            .copied()
            .unwrap_or(0.0)
    }

    pub(super) fn largest(&self) -> f64 {
        super::scan::largest(self.0.values())
    }
}
