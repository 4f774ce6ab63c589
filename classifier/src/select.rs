//! Which tracks may be chosen, and the choice: hard rules that no score outweighs.

use std::collections::{HashMap, HashSet};

use domain::{PlaylistRequest, Pool, Rating};

use crate::catalogue::Catalogue;
use crate::explain::Terms;
use crate::generate::TasteInput;
use crate::{score, topk};

/// The most tracks of one artist when the request does not say.
pub(crate) const MAX_PER_ARTIST_DEFAULT: u32 = 3;
/// The name by which minimums and maximums reach the popularity, which is no feature.
pub(crate) const POPULARITY: &str = "popularity";
const DAY_MS: i64 = 86_400_000;
const OUT: f32 = f32::NEG_INFINITY;

/// How many tracks each hard rule took out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filtered {
    pub(crate) rated: u32,
    pub(crate) heard: u32,
    pub(crate) bounds: u32,
}

/// Marks every track that breaks a hard rule in the scan's scores.
pub(crate) fn filter(
    catalogue: &Catalogue,
    input: &TasteInput,
    request: &PlaylistRequest,
    scores: &mut [f32],
) -> Filtered {
    let rated = rated(catalogue, input);
    let heard = heard(catalogue, input, request);
    Filtered {
        rated: take_out_songs(catalogue, &rated, scores),
        heard: take_out_songs(catalogue, &heard, scores),
        bounds: take_out_bounds(catalogue, request, scores),
    }
}

/// The songs that the listener rated: disliked ones must not come back, liked ones are known already.
fn rated(catalogue: &Catalogue, input: &TasteInput) -> HashSet<u32> {
    let tracks = input
        .ratings
        .iter()
        .filter(|(_, rating)| matches!(rating, Rating::Like | Rating::Dislike));
    tracks
        .filter_map(|(track, _)| catalogue.index_of(track))
        .map(|index| catalogue.song(index))
        .collect()
}

/// The songs that were played within the days that the request names.
fn heard(catalogue: &Catalogue, input: &TasteInput, request: &PlaylistRequest) -> HashSet<u32> {
    let Some(days) = request.not_heard_since_days else {
        return HashSet::new();
    };
    let since = input
        .requested_at_ms
        .saturating_sub(i64::from(days).saturating_mul(DAY_MS));
    let tracks = input
        .played_at_ms
        .iter()
        .filter(|(_, played_at)| **played_at >= since);
    tracks
        .filter_map(|(track, _)| catalogue.index_of(track))
        .map(|index| catalogue.song(index))
        .collect()
}

fn take_out_songs(catalogue: &Catalogue, songs: &HashSet<u32>, scores: &mut [f32]) -> u32 {
    if songs.is_empty() {
        return 0;
    }
    // A flag per song: the number of a song is below the number of tracks.
    let mut is_out = vec![false; catalogue.len()];
    songs.iter().for_each(|&song| is_out[song as usize] = true);
    take_out(scores, |track| is_out[catalogue.song(track as u32) as usize])
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

/// The choice, best first, and how it narrowed.
pub(crate) struct Selection {
    pub(crate) tracks: Vec<(u32, f64)>,
    pub(crate) pool: Pool,
    pub(crate) filtered: Filtered,
}

/// Takes the best tracks that keep the rules: one track per song, so many per artist.
pub(crate) fn select(
    catalogue: &Catalogue,
    terms: &Terms<'_>,
    input: &TasteInput,
    request: &PlaylistRequest,
) -> Selection {
    let mut scores = vec![0.0; catalogue.len()];
    let columns = terms.columns();
    score::score_columns(catalogue.columns(), &columns, &mut scores);
    let others = terms.add_others(&mut scores);
    let bound = score::error_bound(&columns, catalogue.clip_max(), others);
    let filtered = filter(catalogue, input, request, &mut scores);
    let cap = request.max_per_artist.unwrap_or(MAX_PER_ARTIST_DEFAULT);
    let pool = Pool {
        initial: catalogue.len() as u32,
        after_filtering: scores.iter().map(|&score| u32::from(score > OUT)).sum(),
        after_caps: Caps::new(catalogue, cap).count(&scores),
    };
    let tracks = best(catalogue, terms, &mut scores, bound, request.limit as usize, cap);
    Selection {
        tracks,
        pool,
        filtered,
    }
}

/// The best tracks by exact score that keep the caps. Goes down the ranking piece by piece until there are enough.
///
/// The scan's scores are within `bound` of the exact ones, so tracks further apart than twice that stand in the right
/// order already; only within a cluster of nearer ones the exact scores decide.
fn best(
    catalogue: &Catalogue,
    terms: &Terms<'_>,
    scores: &mut [f32],
    bound: f64,
    limit: usize,
    cap: u32,
) -> Vec<(u32, f64)> {
    let mut caps = Caps::new(catalogue, cap);
    let mut chosen = Vec::with_capacity(limit);
    let mut depth = limit.saturating_mul(2).saturating_add(64);
    loop {
        let piece = topk::top_k(scores, depth);
        let is_last = piece.len() < depth;
        let is_near = |a: &u32, b: &u32| bound > 0.0 && gap(scores, *a, *b) <= 2.0 * bound;
        let mut clusters: Vec<&[u32]> = piece.chunk_by(is_near).collect();
        if !is_last {
            // The last one may go on below.
            clusters.pop();
        }
        for cluster in &clusters {
            for (track, score) in ranked(terms, &caps, cluster) {
                if chosen.len() < limit && caps.admits(track) {
                    chosen.push((track, score));
                }
            }
            if chosen.len() == limit {
                return chosen;
            }
        }
        if is_last {
            return chosen;
        }
        clusters
            .concat()
            .into_iter()
            .for_each(|track| scores[track as usize] = OUT);
        caps.take_out_full_artists(scores);
        depth = depth.saturating_mul(2);
    }
}

fn gap(scores: &[f32], better: u32, worse: u32) -> f64 {
    f64::from(scores[better as usize]) - f64::from(scores[worse as usize])
}

/// The tracks that the caps may admit, by exact score, ties by id.
fn ranked(terms: &Terms<'_>, caps: &Caps<'_>, cluster: &[u32]) -> Vec<(u32, f64)> {
    let open = cluster.iter().filter(|track| caps.may_admit(**track));
    let mut ranked: Vec<(u32, f64)> = open.map(|&track| (track, terms.score(track))).collect();
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

/// Counts songs and artists.
struct Caps<'a> {
    catalogue: &'a Catalogue,
    cap: u32,
    songs: HashSet<u32>,
    artists: HashMap<u32, u32>,
}

impl<'a> Caps<'a> {
    fn new(catalogue: &'a Catalogue, cap: u32) -> Self {
        Self {
            catalogue,
            cap,
            songs: HashSet::new(),
            artists: HashMap::new(),
        }
    }

    /// Whether the rules allow the track now; once they do not, they never will.
    fn may_admit(&self, track: u32) -> bool {
        let mut artists = self.catalogue.artists_of(track).iter();
        let is_full = artists.any(|artist| self.artists.get(artist).is_some_and(|&count| count >= self.cap));
        !is_full && !self.songs.contains(&self.catalogue.song(track))
    }

    /// Counts the track in if the rules allow it.
    fn admits(&mut self, track: u32) -> bool {
        if !self.may_admit(track) {
            return false;
        }
        self.songs.insert(self.catalogue.song(track));
        for &artist in self.catalogue.artists_of(track) {
            *self.artists.entry(artist).or_insert(0) += 1;
        }
        true
    }

    /// Marks the tracks of every artist who has as many as are allowed: none of them can be admitted any more.
    fn take_out_full_artists(&self, scores: &mut [f32]) {
        let full = self.artists.iter().filter(|(_, count)| **count >= self.cap);
        for &track in full.flat_map(|(&artist, _)| self.catalogue.tracks_of(artist)) {
            scores[track as usize] = OUT;
        }
    }

    /// How many tracks the rules leave when they are taken in the order of their ids. (Another order leaves as many
    /// unless tracks have several artists.)
    fn count(&self, scores: &[f32]) -> u32 {
        let mut is_taken = vec![false; self.catalogue.len()];
        let mut counts = vec![0u32; self.catalogue.artist_count()];
        let mut left = 0;
        for (track, _) in scores.iter().enumerate().filter(|(_, score)| **score > OUT) {
            let artists = self.catalogue.artists_of(track as u32);
            let song = &mut is_taken[self.catalogue.song(track as u32) as usize];
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
