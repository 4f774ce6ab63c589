//! Whose music the listener likes: artists, and those of their songs that came out near liked ones and are about as well
//! known.

use std::collections::BTreeMap;

use super::likes::{Likes, Mass};
use super::weights::{ALBUM, ARTIST, ARTIST_PRIOR, LARGE_ARTIST, NEAR, REMAINING};
use crate::catalogue::Catalogue;
use crate::numbers::ln;
use crate::v2::labels::Label;

/// Days, and points of popularity, over which nearness falls to a half.
const NEAR_DAYS: f64 = 180.0;
const NEAR_POPULARITY: f64 = 8.0;
/// Liked songs of one artist that nearness is measured from.
const PLACES_MAX: usize = 32;
/// Popularities from 0 to 100, and "not known".
const PLACES_OF_FAME: usize = 102;

/// A value for each artist with a like or a dislike.
///
/// Of `N` songs, `T` are the artist's, of which `k` are liked and `d` disliked: `ln(1 + k N / (a T))`, less the logarithm
/// of the songs that are still to be found (what is liked of an artist is shared among them), less what dislikes say:
/// `ln((k + 1) / (k + d + 1))`.
pub(super) fn affinities(catalogue: &Catalogue, likes: &Likes) -> BTreeMap<u32, f64> {
    let statistics = catalogue.statistics();
    let songs = f64::from(statistics.songs);
    let value = |(&artist, mass): (&u32, &Mass)| {
        let own = f64::from(statistics.by_artist[artist as usize].max(1));
        let rest = (own - mass.liked - mass.disliked).max(1.0);
        let share = ARTIST * ln(1.0 + mass.liked * songs / (ARTIST_PRIOR * own));
        let remaining = if mass.liked > 0.0 {
            REMAINING * ln(rest)
        } else {
            unknown(catalogue, likes, artist)
        };
        let dislikes = ln((mass.liked + 1.0) / (mass.liked + mass.disliked + 1.0));
        (artist, share - remaining + dislikes)
    };
    likes.artists.iter().map(value).collect()
}

/// What is taken off for an artist of whom nothing is liked, the more the more songs there are; nothing as long as nothing
/// is liked at all.
pub(super) fn unknown(catalogue: &Catalogue, likes: &Likes, artist: u32) -> f64 {
    LARGE_ARTIST * strength(likes) * catalogue.statistics().ln_by_artist[artist as usize]
}

/// A value for each album, by artist and title, of which something is liked.
pub(super) fn albums(likes: &Likes) -> BTreeMap<(u32, u32), f64> {
    let liked = likes.albums.iter().filter(|(_, mass)| mass.liked > 0.0);
    liked
        .map(|(&album, mass)| (album, ALBUM * ln(1.0 + mass.liked)))
        .collect()
}

/// A value for each artist: what is known of it, or what is taken off for its size.
pub(super) fn all(catalogue: &Catalogue, likes: &Likes) -> Vec<f64> {
    let unknown = |artist| -unknown(catalogue, likes, artist);
    let mut values: Vec<f64> = (0..catalogue.artist_count() as u32).map(unknown).collect();
    for (artist, value) in affinities(catalogue, likes) {
        values[artist as usize] = value;
    }
    values
}

fn strength(likes: &Likes) -> f64 {
    likes.all.liked / (likes.all.liked + 1.0)
}

/// How near a song is to the nearest liked song of one of its artists, in time and fame. Of tracks without a date or a
/// popularity, what is not known counts as half near.
pub(super) struct Near(BTreeMap<u32, Vec<Place>>);

impl Near {
    /// Remembers where the songs of each liked artist stand: the latest [`PLACES_MAX`].
    pub(super) fn of(catalogue: &Catalogue, likes: &Likes) -> Self {
        let mut latest: Vec<&Label> = likes.songs.iter().filter(|label| label.is_liked()).collect();
        latest.sort_by_key(|label| (std::cmp::Reverse(label.at_ms), label.track));
        let mut liked: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        for label in latest {
            for &artist in catalogue.artists_of(label.track) {
                let places = liked.entry(artist).or_default();
                if places.len() < PLACES_MAX {
                    places.push(Place::of(catalogue, label.track));
                }
            }
        }
        Self(liked)
    }

    /// The value of a track.
    pub(super) fn of_track(&self, catalogue: &Catalogue, track: u32) -> f64 {
        let own = catalogue
            .artists_of(track)
            .iter()
            .filter_map(|artist| self.0.get(artist));
        let place = Place::of(catalogue, track);
        own.map(|places| nearest(places, place)).fold(0.0, f64::max)
    }

    /// Adds the value of every track to the scan's scores; gives a bound on its size.
    pub(super) fn add(&self, catalogue: &Catalogue, scores: &mut [f32]) -> f64 {
        for (artist, places) in &self.0 {
            let mut known = Known::new(catalogue, catalogue.tracks_of(*artist).len());
            for &track in catalogue.tracks_of(*artist) {
                let value = match catalogue.artists_of(track) {
                    [_] => known.get(catalogue, track, places),
                    // Of several liked artists the first one adds for all.
                    all if all.iter().find(|other| self.0.contains_key(*other)) == Some(artist) => {
                        self.of_track(catalogue, track)
                    }
                    _ => 0.0,
                };
                scores[track as usize] += value as f32;
            }
        }
        NEAR
    }
}

fn nearest(places: &[Place], place: Place) -> f64 {
    NEAR * places
        .iter()
        .map(|liked| liked.nearness(place))
        .fold(0.0, f64::max)
}

/// Values by release date and popularity, for artists with more songs than there are such pairs.
struct Known {
    dates: usize,
    values: Vec<f64>,
}

impl Known {
    fn new(catalogue: &Catalogue, tracks: usize) -> Self {
        let dates = catalogue.statistics().days.len() + 1;
        let is_worth_it = tracks / 2 > dates * PLACES_OF_FAME;
        Self {
            dates,
            values: vec![f64::NAN; if is_worth_it { dates * PLACES_OF_FAME } else { 0 }],
        }
    }

    fn get(&mut self, catalogue: &Catalogue, track: u32, places: &[Place]) -> f64 {
        let date = (catalogue.release_date_of(track) as usize).min(self.dates - 1);
        let fame = catalogue
            .popularity(track)
            .map_or(PLACES_OF_FAME - 1, usize::from);
        let place = || Place::of(catalogue, track);
        match self
            .values
            .get_mut(date * PLACES_OF_FAME + fame.min(PLACES_OF_FAME - 1))
        {
            Some(value) if value.is_nan() => {
                *value = nearest(places, place());
                *value
            }
            Some(value) => *value,
            None => nearest(places, place()),
        }
    }
}

/// Where a track stands in time and fame.
#[derive(Clone, Copy)]
struct Place {
    day: Option<i32>,
    popularity: Option<u8>,
}

impl Place {
    fn of(catalogue: &Catalogue, track: u32) -> Self {
        Self {
            day: catalogue.statistics().day(catalogue, track),
            popularity: catalogue.popularity(track),
        }
    }

    fn nearness(self, other: Self) -> f64 {
        let days = self.day.zip(other.day).map(|(a, b)| f64::from(a - b) / NEAR_DAYS);
        let fame = self
            .popularity
            .zip(other.popularity)
            .map(|(a, b)| (f64::from(a) - f64::from(b)) / NEAR_POPULARITY);
        let (days, fame) = (days.unwrap_or(1.0), fame.unwrap_or(1.0));
        1.0 / ((1.0 + days * days) * (1.0 + fame * fame))
    }
}
