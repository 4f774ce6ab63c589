//! Hard rules that no score outweighs: what may not be chosen, one track per song, so many per artist.

use std::collections::HashSet;

use domain::{PlaylistRequest, Pool, Rating};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalogue::Catalogue;
use crate::generate::TasteInput;

/// The most tracks of one artist when the request does not say.
pub const MAX_PER_ARTIST_DEFAULT: u32 = 3;
/// The name by which minimums and maximums reach the popularity, which is no feature.
pub(crate) const POPULARITY: &str = "popularity";
/// The scan's score of a track that breaks a rule.
pub(crate) const OUT: f32 = f32::NEG_INFINITY;
const DAY_MS: i64 = 86_400_000;

/// How many tracks each hard rule took out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Filtered {
    /// Songs that the listener rated: disliked ones must not come back, liked ones are known already.
    pub rated: u32,
    /// Songs that were played within the days that the request names.
    pub heard: u32,
    /// Tracks outside the minimums and maximums.
    pub bounds: u32,
}

/// Marks every track that breaks a hard rule in the scan's scores. `songs` is the number of each track's song.
pub(crate) fn filter(
    catalogue: &Catalogue,
    songs: &[u32],
    input: &TasteInput,
    request: &PlaylistRequest,
    scores: &mut [f32],
) -> Filtered {
    let rated = rated(catalogue, songs, input);
    let heard = heard(catalogue, songs, input, request);
    Filtered {
        rated: take_out_songs(songs, &rated, scores),
        heard: take_out_songs(songs, &heard, scores),
        bounds: take_out_bounds(catalogue, request, scores),
    }
}

/// The songs that the listener rated: disliked ones must not come back, liked ones are known already.
fn rated(catalogue: &Catalogue, songs: &[u32], input: &TasteInput) -> HashSet<u32> {
    let tracks = input
        .ratings
        .iter()
        .filter(|(_, rated)| matches!(rated.rating, Rating::Like | Rating::Dislike));
    tracks
        .filter_map(|(track, _)| catalogue.index_of(track))
        .map(|index| songs[index as usize])
        .collect()
}

/// The songs that were played within the days that the request names.
fn heard(
    catalogue: &Catalogue,
    songs: &[u32],
    input: &TasteInput,
    request: &PlaylistRequest,
) -> HashSet<u32> {
    let Some(days) = request.not_heard_since_days else {
        return HashSet::new();
    };
    let since = input
        .requested_at_ms
        .saturating_sub(i64::from(days).saturating_mul(DAY_MS));
    let tracks = input.played.iter().filter(|(_, played)| played.at_ms >= since);
    tracks
        .filter_map(|(track, _)| catalogue.index_of(track))
        .map(|index| songs[index as usize])
        .collect()
}

fn take_out_songs(songs: &[u32], out: &HashSet<u32>, scores: &mut [f32]) -> u32 {
    if out.is_empty() {
        return 0;
    }
    // A flag per song: the number of a song is below the number of tracks.
    let mut is_out = vec![false; songs.len()];
    out.iter().for_each(|&song| is_out[song as usize] = true);
    take_out(scores, |track| is_out[songs[track] as usize])
}

fn take_out_bounds(catalogue: &Catalogue, request: &PlaylistRequest, scores: &mut [f32]) -> u32 {
    let mut out = 0;
    for (name, &minimum) in &request.minimums {
        let minimum = minimum as f32;
        out += take_out_where(catalogue, name, scores, |value| {
            value.is_none_or(|value| value < minimum)
        });
    }
    for (name, &maximum) in &request.maximums {
        let maximum = maximum as f32;
        out += take_out_where(catalogue, name, scores, |value| {
            value.is_none_or(|value| value > maximum)
        });
    }
    out
}

/// Bounds are compared in single precision, as the catalogue keeps its values: a track of 0.7 is not below 0.7.
fn take_out_where(
    catalogue: &Catalogue,
    name: &str,
    scores: &mut [f32],
    is_out: impl Fn(Option<f32>) -> bool,
) -> u32 {
    if name == POPULARITY {
        return take_out(scores, |track| {
            is_out(catalogue.popularity(track as u32).map(f32::from))
        });
    }
    let Some(feature) = catalogue.schema().index_of(name) else {
        return 0;
    };
    let column = catalogue.raw_column(feature);
    take_out(scores, |track| is_out(Some(column[track])))
}

fn take_out(scores: &mut [f32], is_out: impl Fn(usize) -> bool) -> u32 {
    let mut out = 0;
    for (track, score) in scores.iter_mut().enumerate() {
        if *score > OUT && is_out(track) {
            *score = OUT;
            out += 1;
        }
    }
    out
}

/// Says in `notes` why there are fewer tracks than asked for.
pub(crate) fn explain_shortness(
    pool: Pool,
    filtered: Filtered,
    returned: usize,
    request: &PlaylistRequest,
    notes: &mut Vec<String>,
) {
    let returned = returned as u32;
    if returned >= request.limit {
        return;
    }
    notes.push(format!(
        "{returned} of {} tracks asked for: the catalogue has {}.",
        request.limit, pool.initial
    ));
    let steps = [
        (filtered.rated, "are songs that you rated already"),
        (filtered.heard, "were played too recently"),
        (filtered.bounds, "are outside the minimums and maximums"),
    ];
    notes.extend(
        steps
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}.")),
    );
    let capped = pool.after_filtering.saturating_sub(returned);
    if capped > 0 {
        let cap = request.max_per_artist.unwrap_or(MAX_PER_ARTIST_DEFAULT);
        notes.push(format!(
            "{capped} are the same songs again, or beyond {cap} by one artist."
        ));
    }
}

/// Counts songs and artists.
pub(crate) struct Caps<'a> {
    catalogue: &'a Catalogue,
    /// The number of each track's song.
    songs: &'a [u32],
    cap: u32,
    taken: FxHashSet<u32>,
    artists: FxHashMap<u32, u32>,
}

impl<'a> Caps<'a> {
    /// `songs` is the number of each track's song, `cap` the most tracks of an artist.
    pub(crate) fn new(catalogue: &'a Catalogue, songs: &'a [u32], cap: u32) -> Self {
        Self {
            catalogue,
            songs,
            cap,
            taken: FxHashSet::default(),
            artists: FxHashMap::default(),
        }
    }

    /// Whether the rules allow the track now; once they do not, they never will.
    pub(crate) fn may_admit(&self, track: u32) -> bool {
        let mut artists = self.catalogue.artists_of(track).iter();
        let is_full = artists.any(|artist| self.artists.get(artist).is_some_and(|&count| count >= self.cap));
        !is_full && !self.taken.contains(&self.songs[track as usize])
    }

    /// Counts the track in if the rules allow it.
    pub(crate) fn admits(&mut self, track: u32) -> bool {
        if !self.may_admit(track) {
            return false;
        }
        self.taken.insert(self.songs[track as usize]);
        for &artist in self.catalogue.artists_of(track) {
            *self.artists.entry(artist).or_insert(0) += 1;
        }
        true
    }

    /// The tracks of every artist who has as many as are allowed: none of them can be admitted any more.
    pub(crate) fn of_full_artists(&self) -> impl Iterator<Item = u32> {
        let full = self.artists.iter().filter(|(_, count)| **count >= self.cap);
        full.flat_map(|(&artist, _)| self.catalogue.tracks_of(artist))
            .copied()
    }

    /// How many tracks the rules leave when they are taken in the order of their ids. (Another order leaves as many
    /// unless tracks have several artists.)
    pub(crate) fn count(&self, scores: &[f32]) -> u32 {
        match self.catalogue.single_artists() {
            Some(artists) => self.count_single(artists, scores),
            None => self.count_several(scores),
        }
    }

    /// Without branches, which could not be predicted: about half of a large catalogue is beyond the caps.
    fn count_single(&self, artists: &[u32], scores: &[f32]) -> u32 {
        // Small counts are more of them in the cache, and no request asks for so many by one artist.
        let cap = u16::try_from(self.cap).unwrap_or(u16::MAX);
        let mut is_taken = vec![false; self.catalogue.len()];
        let mut counts = vec![0u16; self.catalogue.artist_count()];
        let mut left = 0;
        for ((&score, &song), &artist) in scores.iter().zip(self.songs).zip(artists) {
            let (is_taken, count) = (&mut is_taken[song as usize], &mut counts[artist as usize]);
            let is_open = (score > OUT) & !*is_taken & (*count < cap);
            *is_taken |= is_open;
            *count += u16::from(is_open);
            left += u32::from(is_open);
        }
        left
    }

    fn count_several(&self, scores: &[f32]) -> u32 {
        let mut is_taken = vec![false; self.catalogue.len()];
        let mut counts = vec![0u32; self.catalogue.artist_count()];
        let mut left = 0;
        for (track, _) in scores.iter().enumerate().filter(|(_, score)| **score > OUT) {
            let artists = self.catalogue.artists_of(track as u32);
            let song = &mut is_taken[self.songs[track] as usize];
            if *song || artists.iter().any(|&artist| counts[artist as usize] >= self.cap) {
                continue;
            }
            *song = true;
            artists.iter().for_each(|&artist| counts[artist as usize] += 1);
            left += 1;
        }
        left
    }
}
