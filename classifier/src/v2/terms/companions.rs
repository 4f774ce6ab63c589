//! What listeners who like the same also like: artists of whom nothing is liked yet, and songs.
//!
//! With `m` how many listeners like something, `C` how many like both, and `u = ln(1 + k)` the strength of each of the
//! listener's own likes:
//!
//! ```text
//! c_a = sum_b u_b C_ab / (sqrt(m_a m_b) + shrinkage) / sqrt(sum_b u_b)          term = weight ln(1 + scale c_a)
//! ```
//!
//! A cosine that a few listeners in common do not yet raise (Deshpande and Karypis 2004), in a logarithm as the other terms.

use std::collections::BTreeMap;

use super::likes::Likes;
use super::weights::{COMPANIONS, COMPANIONS_SCALE, COMPANIONS_SHRINKAGE, SONG_COMPANIONS};
use crate::catalogue::Catalogue;
use crate::companions::{Companions, Table};
use crate::numbers::ln;
use domain::TrackId;

/// What companions add, by artist and by track.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) artists: BTreeMap<u32, f64>,
    pub(super) tracks: BTreeMap<u32, f64>,
}

impl Shared {
    pub(super) fn of_artist(&self, artist: u32) -> f64 {
        self.artists.get(&artist).copied().unwrap_or(0.0)
    }

    pub(super) fn of_track(&self, track: u32) -> f64 {
        self.tracks.get(&track).copied().unwrap_or(0.0)
    }

    pub(super) fn of(catalogue: &Catalogue, companions: &Companions, likes: &Likes) -> Self {
        let liked = likes.artists.iter().filter(|(_, mass)| mass.liked > 0.0);
        let named = liked.map(|(&artist, mass)| (catalogue.artist_name(artist).to_owned(), mass.liked));
        let artists = strengths(companions.artists(), named);
        let own = |artist: &u32| likes.artists.get(artist).is_some_and(|mass| mass.liked > 0.0);
        let artists = artists
            .into_iter()
            .filter_map(|(name, strength)| {
                Some((catalogue.artist_named(&name)?, COMPANIONS * value(strength)))
            })
            .filter(|(artist, _)| !own(artist));
        let songs = likes.songs.iter().filter(|label| label.is_liked());
        let songs = songs.map(|label| (catalogue.id(label.track).to_string(), label.weight * label.value));
        let tracks = strengths(companions.tracks(), songs)
            .into_iter()
            .filter_map(|(id, strength)| {
                let track = catalogue.index_of(&TrackId::parse(id).ok()?)?;
                Some((track, SONG_COMPANIONS * value(strength)))
            });
        Self {
            artists: artists.collect(),
            tracks: tracks.collect(),
        }
    }
}

fn value(strength: f64) -> f64 {
    ln(1.0 + COMPANIONS_SCALE * strength)
}

/// How strongly each thing goes with what is liked (name and how much), by name.
fn strengths(table: &Table, liked: impl Iterator<Item = (String, f64)>) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    let mut total = 0.0;
    for (name, mass) in liked {
        let strength = ln(1.0 + mass);
        total += strength;
        let Some(index) = table.index_of(&name) else {
            continue;
        };
        for companion in table.companions(index) {
            let listeners = f64::from(table.liked_by(index)) * f64::from(table.liked_by(companion.index));
            let cosine = f64::from(companion.both) / (listeners.sqrt() + COMPANIONS_SHRINKAGE);
            *sums.entry(companion.index).or_default() += strength * cosine;
        }
    }
    let norm = if total > 0.0 { total.sqrt() } else { 1.0 };
    sums.into_iter()
        .map(|(index, sum)| (table.name(index).to_owned(), sum / norm))
        .collect()
}
