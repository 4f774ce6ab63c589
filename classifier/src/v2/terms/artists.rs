//! Whose music the listener likes: artists, and those of their songs that came out near liked ones and are about as well
//! known.

use std::collections::BTreeMap;

use super::likes::{Likes, Mass};
use super::weights::{ALBUM, ARTIST, ARTIST_PRIOR, LARGE_ARTIST, NEAR, REMAINING};
use crate::catalogue::{Catalogue, NO_POPULARITY};
use crate::numbers::ln;
use crate::v2::labels::Label;

/// Days, and points of popularity, over which nearness falls to a half.
const NEAR_DAYS: f64 = 180.0;
const NEAR_POPULARITY: f64 = 8.0;
/// Liked songs of one artist that nearness is measured from.
const PLACES_MAX: usize = 32;

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

/// What is known of the artists of liked songs, beyond their values: liked albums, and where the liked songs stand.
pub(super) struct Known {
    /// By the artist's number: one more than its place in `liked`, 0 for all others.
    places: Vec<u32>,
    liked: Vec<Liked>,
}

/// An artist of whom something is liked.
#[derive(Default)]
struct Liked {
    /// Titles, with what each adds.
    albums: Vec<(u32, f64)>,
    songs: Vec<Place>,
}

impl Known {
    /// Remembers liked albums, and where the songs of each liked artist stand: the latest [`PLACES_MAX`].
    pub(super) fn of(catalogue: &Catalogue, likes: &Likes) -> Self {
        let mut latest: Vec<&Label> = likes.songs.iter().filter(|label| label.is_liked()).collect();
        latest.sort_by_key(|label| (std::cmp::Reverse(label.at_ms), label.track));
        let mut liked: BTreeMap<u32, Liked> = BTreeMap::new();
        for label in latest {
            for &artist in catalogue.artists_of(label.track) {
                let songs = &mut liked.entry(artist).or_default().songs;
                if songs.len() < PLACES_MAX {
                    songs.push(Place::of(catalogue, label.track));
                }
            }
        }
        for (&(artist, title), mass) in likes.albums.iter().filter(|(_, mass)| mass.liked > 0.0) {
            let albums = &mut liked.entry(artist).or_default().albums;
            albums.push((title, ALBUM * ln(1.0 + mass.liked)));
        }
        let mut places = vec![0; catalogue.artist_count()];
        for (place, &artist) in (1..).zip(liked.keys()) {
            places[artist as usize] = place;
        }
        Self {
            places,
            liked: liked.into_values().collect(),
        }
    }

    /// What the album of a track adds: of several artists, the one that speaks most for it.
    pub(super) fn album(&self, catalogue: &Catalogue, track: u32) -> f64 {
        let Some(album) = catalogue.album_of(track) else {
            return 0.0;
        };
        let value = |liked: &Liked| {
            let mut albums = liked.albums.iter();
            albums
                .find(|(title, _)| *title == album)
                .map_or(0.0, |(_, value)| *value)
        };
        self.of_track(catalogue, track).map(value).fold(0.0, f64::max)
    }

    /// What it adds how near a song is to the nearest liked song of one of its artists, in time and fame. Of tracks without
    /// a date or a popularity, what is not known counts as half near.
    pub(super) fn near(&self, catalogue: &Catalogue, track: u32) -> f64 {
        let place = Place::of(catalogue, track);
        let values = self
            .of_track(catalogue, track)
            .map(|liked| nearest(&liked.songs, place));
        values.fold(0.0, f64::max)
    }

    /// A bound on the size of what a track's album and nearness add.
    pub(super) fn largest(&self) -> f64 {
        let albums = self.liked.iter().flat_map(|liked| &liked.albums);
        NEAR + albums.map(|(_, value)| *value).fold(0.0, f64::max)
    }

    /// The same in single precision, for tracks of one artist.
    pub(super) fn scan(&self, catalogue: &Catalogue) -> KnownScan<'_> {
        let days = catalogue.statistics().days.iter().chain([&None]);
        let liked = self.liked.iter().map(|liked| LikedScan {
            albums: liked
                .albums
                .iter()
                .map(|&(title, value)| (title, value as f32))
                .collect(),
            songs: liked.songs.chunks(LANES).map(Lanes::of).collect(),
        });
        KnownScan {
            places: &self.places,
            days: days.map(|day| day.map_or(f32::NAN, |day| day as f32)).collect(),
            liked: liked.collect(),
        }
    }

    fn of_track<'a>(&'a self, catalogue: &'a Catalogue, track: u32) -> impl Iterator<Item = &'a Liked> {
        let own = catalogue.artists_of(track).iter();
        own.filter_map(|&artist| {
            self.liked
                .get((self.places[artist as usize] as usize).wrapping_sub(1))
        })
    }
}

/// One over the shortest way is the largest of one over each, to the bit, since division rounds in order.
fn nearest(songs: &[Place], place: Place) -> f64 {
    let ways = songs.iter().map(|liked| liked.way(place));
    NEAR * (1.0 / ways.fold(f64::INFINITY, f64::min))
}

/// Where a track stands in time and fame; NaN where that is not known.
#[derive(Clone, Copy)]
struct Place {
    day: f64,
    popularity: f64,
}

impl Place {
    fn of(catalogue: &Catalogue, track: u32) -> Self {
        Self {
            day: catalogue
                .statistics()
                .day(catalogue, track)
                .map_or(f64::NAN, f64::from),
            popularity: catalogue.popularity(track).map_or(f64::NAN, f64::from),
        }
    }

    /// How far another place is: at least 1.
    fn way(self, other: Self) -> f64 {
        let or_one = |way: f64| if way.is_nan() { 1.0 } else { way };
        let days = or_one((self.day - other.day) / NEAR_DAYS);
        let fame = or_one((self.popularity - other.popularity) / NEAR_POPULARITY);
        (1.0 + days * days) * (1.0 + fame * fame)
    }
}

/// Liked songs that are compared at a time.
const LANES: usize = 4;

/// [`Known`] in single precision. Days and popularities are whole numbers that single precision holds exactly.
pub(super) struct KnownScan<'a> {
    places: &'a [u32],
    /// By the date's number; NaN where the day is not known, and at the end for tracks without a date.
    days: Vec<f32>,
    liked: Vec<LikedScan>,
}

struct LikedScan {
    albums: Vec<(u32, f32)>,
    songs: Vec<Lanes>,
}

impl KnownScan<'_> {
    /// Whether something of this artist is liked; otherwise [`KnownScan::of_track`] must not be asked.
    pub(super) fn is_known(&self, artist: u32) -> bool {
        self.places[artist as usize] != 0
    }

    /// What the album and the nearness of a track of this artist add.
    pub(super) fn of_track(&self, catalogue: &Catalogue, artist: u32, track: usize) -> f32 {
        let album = catalogue.album_numbers()[track];
        let date = catalogue.release_date_numbers()[track];
        self.at(artist, album, date, catalogue.popularities()[track])
    }

    fn at(&self, artist: u32, album: u32, date: u32, popularity: u8) -> f32 {
        let liked = &self.liked[self.places[artist as usize] as usize - 1];
        let day = self.days[(date as usize).min(self.days.len() - 1)];
        let popularity = if popularity == NO_POPULARITY {
            f32::NAN
        } else {
            f32::from(popularity)
        };
        let mut ways = [f32::INFINITY; LANES];
        for songs in &liked.songs {
            songs.shorten(&mut ways, day, popularity);
        }
        let shortest = ways.into_iter().fold(f32::INFINITY, f32::min);
        let mut albums = liked.albums.iter();
        let album = albums.find(|(title, _)| *title == album);
        NEAR as f32 / shortest + album.map_or(0.0, |(_, value)| *value)
    }
}

/// Where some liked songs stand; infinitely far where there are none.
struct Lanes {
    days: [f32; LANES],
    popularities: [f32; LANES],
}

impl Lanes {
    fn of(songs: &[Place]) -> Self {
        let mut lanes = Self {
            days: [f32::INFINITY; LANES],
            popularities: [f32::INFINITY; LANES],
        };
        for (lane, song) in songs.iter().enumerate() {
            lanes.days[lane] = song.day as f32;
            lanes.popularities[lane] = song.popularity as f32;
        }
        lanes
    }

    /// Makes each way as short as the one from the song in its lane, if that is shorter.
    fn shorten(&self, ways: &mut [f32; LANES], day: f32, popularity: f32) {
        let or_one = |way: f32| if way.is_nan() { 1.0 } else { way };
        let places = self.days.iter().zip(&self.popularities);
        for (shortest, (&own_day, &own_popularity)) in ways.iter_mut().zip(places) {
            let days = or_one((own_day - day) * (1.0 / NEAR_DAYS as f32));
            let fame = or_one((own_popularity - popularity) * (1.0 / NEAR_POPULARITY as f32));
            let way = (1.0 + days * days) * (1.0 + fame * fame);
            *shortest = if way < *shortest { way } else { *shortest };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_says_what_the_exact_value_says_also_of_what_is_not_known() {
        let place = |day: Option<i32>, popularity: Option<u8>| Place {
            day: day.map_or(f64::NAN, f64::from),
            popularity: popularity.map_or(f64::NAN, f64::from),
        };
        let days = [None, Some(-7_000), Some(0), Some(19_000)];
        let popularities = [None, Some(0), Some(40), Some(100)];
        let all = || {
            days.into_iter()
                .flat_map(|day| popularities.map(|popularity| place(day, popularity)))
        };
        let songs: Vec<Place> = all().collect();
        for count in [1, 7, 8, 9, 16] {
            let songs = &songs[songs.len() - count..];
            let lanes: Vec<Lanes> = songs.chunks(LANES).map(Lanes::of).collect();
            for place in all() {
                let mut ways = [f32::INFINITY; LANES];
                let (day, popularity) = (place.day as f32, place.popularity as f32);
                lanes
                    .iter()
                    .for_each(|lanes| lanes.shorten(&mut ways, day, popularity));
                let shortest = ways.into_iter().fold(f32::INFINITY, f32::min);
                let (scan, exact) = (NEAR / f64::from(shortest), nearest(songs, place));
                assert!(
                    (scan - exact).abs() < 1e-6 * NEAR,
                    "{count} songs: {scan} for {exact}"
                );
            }
        }
    }
}
