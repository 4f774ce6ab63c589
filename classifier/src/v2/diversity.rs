//! The choice among the best: good tracks that do not sound all alike.
//!
//! Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): from the candidates that the hard rules still allow,
//! again and again the one is taken with the highest
//!
//! ```text
//! LAMBDA * score / deviation of the candidates' scores - (1 - LAMBDA) * redundancy
//! redundancy = AUDIO_SHARE  / (1 + the smallest mean squared difference of features from a chosen track, in deviations)
//!            + ARTIST_SHARE * whether an artist was chosen already
//!            + ALBUM_SHARE  * whether the album was chosen already
//! ```
//!
//! A determinantal point process would weigh whole sets, which is better founded, but its log-determinants need logarithms
//! of numbers near 0, its kernel makes scores and similarities one scale with a free exponent, and 500 of 2,000 cost a
//! Cholesky row of up to 500 for each candidate. MMR is one subtraction that a listener can be told, and with LAMBDA near 1
//! both choose nearly the same.

use rustc_hash::FxHashSet;

use crate::catalogue::{AlbumMark, Catalogue};
use crate::rules::Caps;

/// How much the score counts against redundancy, 0 to 1. At 0.9 the most redundant track gives way to a track that shares
/// nothing with the chosen ones and whose score is up to a ninth of a deviation lower: near the end of the choice, where
/// scores lie close together, that exchanges some tracks; the best ones stay.
const LAMBDA: f64 = 0.9;
/// The shares of redundancy add up to 1. Sound weighs as much as the two others together: hard rules cap artists already.
const AUDIO_SHARE: f64 = 0.5;
const ARTIST_SHARE: f64 = 0.3;
const ALBUM_SHARE: f64 = 0.2;
/// Features that are no scale of sounds: pitch class 11 is a neighbour of 0, and the mode is one of two.
const NO_SCALES: [&str; 2] = ["key", "mode"];
/// Candidates for each place: beyond so many, a candidate's score is too low to be chosen for its difference.
const CANDIDATES_PER_PLACE: usize = 4;
/// The most candidates, which bounds the time of the longest playlists.
const CANDIDATES_MAX: usize = 2_000;

/// How many candidates [`diversify`] makes use of for so many places: at least the places, but never more than that and
/// 2,000.
#[must_use]
pub fn candidates_for(limit: usize) -> usize {
    limit
        .saturating_mul(CANDIDATES_PER_PLACE)
        .min(CANDIDATES_MAX)
        .max(limit)
}

/// Chooses at most `limit` of `candidates` (index and score, best first, ties by index), one per song and at most
/// `max_per_artist` of an artist. Returns them best first, ties by index.
///
/// Only the first [`candidates_for`] are looked at, unless they do not fill the places. There are never fewer tracks than a
/// walk down the candidates by score gives. Scores are finite. Equal values are told apart by index, so the same
/// candidates give the same choice everywhere.
#[must_use]
pub fn diversify(
    catalogue: &Catalogue,
    candidates: &[(u32, f64)],
    limit: usize,
    max_per_artist: u32,
) -> Vec<(u32, f64)> {
    let walk = walk(catalogue, candidates, limit, max_per_artist);
    let pool = &candidates[..candidates.len().min(candidates_for(limit))];
    let mut chosen = Choice::new(catalogue, pool, max_per_artist).take(limit);
    if chosen.len() < walk.len() {
        return walk;
    }
    chosen.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    chosen
}

/// The best that the hard rules allow, by score alone.
pub(super) fn walk(
    catalogue: &Catalogue,
    candidates: &[(u32, f64)],
    limit: usize,
    max_per_artist: u32,
) -> Vec<(u32, f64)> {
    let mut caps = Caps::new(catalogue, catalogue.songs(), max_per_artist);
    let admitted = candidates.iter().filter(|(track, _)| caps.admits(*track));
    admitted.take(limit).copied().collect()
}

/// A candidate, with what is known of its redundancy after the first `compared` chosen tracks: it only grows.
struct Candidate {
    track: u32,
    score: f64,
    /// LAMBDA times the score in deviations.
    relevance: f64,
    /// The smallest mean squared difference from a chosen track.
    nearest: f64,
    /// What the choice maximises; an upper bound of it while chosen tracks are left to compare.
    value: f64,
    compared: usize,
}

/// Artists and albums that were chosen already.
#[derive(Default)]
struct Heard {
    artists: FxHashSet<u32>,
    /// Title and artist, and title and release date: see [`Catalogue::album_marks`].
    albums: FxHashSet<(u32, AlbumMark)>,
}

impl Heard {
    fn add(&mut self, catalogue: &Catalogue, track: u32) {
        self.artists.extend(catalogue.artists_of(track));
        self.albums.extend(catalogue.album_marks(track));
    }

    /// The shares of redundancy that artist and album make.
    fn shares(&self, catalogue: &Catalogue, track: u32) -> f64 {
        let share = |is_heard: bool, share: f64| if is_heard { share } else { 0.0 };
        let mut artists = catalogue.artists_of(track).iter();
        let has_artist = artists.any(|artist| self.artists.contains(artist));
        let has_album = catalogue
            .album_marks(track)
            .any(|mark| self.albums.contains(&mark));
        share(has_artist, ARTIST_SHARE) + share(has_album, ALBUM_SHARE)
    }
}

/// The choice, under way.
struct Choice<'a> {
    catalogue: &'a Catalogue,
    caps: Caps<'a>,
    candidates: Vec<Candidate>,
    /// A row of standardised features for each candidate.
    rows: Vec<f64>,
    /// Features in a row.
    width: usize,
    /// The rows of those that were chosen.
    chosen_rows: Abreast,
    /// Candidates that may be chosen still, best first.
    open: Vec<usize>,
    chosen: Vec<usize>,
    heard: Heard,
}

impl<'a> Choice<'a> {
    fn new(catalogue: &'a Catalogue, pool: &[(u32, f64)], max_per_artist: u32) -> Self {
        let features = scales(catalogue);
        let value_of = |track: u32| {
            features
                .iter()
                .map(move |&feature| f64::from(catalogue.column(feature)[track as usize]))
        };
        let scale = LAMBDA / deviation(pool);
        let candidate = |&(track, score): &(u32, f64)| Candidate {
            track,
            score,
            relevance: scale * score,
            nearest: f64::INFINITY,
            value: f64::INFINITY,
            compared: 0,
        };
        Self {
            catalogue,
            caps: Caps::new(catalogue, catalogue.songs(), max_per_artist),
            candidates: pool.iter().map(candidate).collect(),
            rows: pool.iter().flat_map(|&(track, _)| value_of(track)).collect(),
            width: features.len(),
            chosen_rows: Abreast::of_width(features.len()),
            open: (0..pool.len()).collect(),
            chosen: Vec::new(),
            heard: Heard::default(),
        }
    }

    fn take(mut self, limit: usize) -> Vec<(u32, f64)> {
        while self.chosen.len() < limit
            && let Some(best) = self.best()
        {
            let candidate = self.open.remove(best);
            let track = self.candidates[candidate].track;
            if self.caps.admits(track) {
                self.chosen.push(candidate);
                self.chosen_rows.push(row(&self.rows, self.width, candidate));
                self.heard.add(self.catalogue, track);
            }
        }
        let chosen = self.chosen.iter().map(|&candidate| &self.candidates[candidate]);
        chosen
            .map(|candidate| (candidate.track, candidate.score))
            .collect()
    }

    /// The place in `open` of the candidate with the highest value, the lower index on a tie.
    ///
    /// Values only fall as tracks are chosen, so an old value is an upper bound: a candidate is compared with what was
    /// chosen since only when its bound reaches the best value, and none is looked at any more when the relevance alone,
    /// which falls along `open`, does not.
    fn best(&mut self) -> Option<usize> {
        let mut best: Option<(f64, u32, usize)> = None;
        for place in 0..self.open.len() {
            let candidate = self.open[place];
            let highest = best.map_or(f64::NEG_INFINITY, |(value, ..)| value);
            if self.candidates[candidate].relevance < highest {
                break;
            }
            if self.candidates[candidate].value < highest {
                continue;
            }
            let value = self.compare(candidate);
            let track = self.candidates[candidate].track;
            if best.is_none_or(|(highest, first, _)| value > highest || (value == highest && track < first)) {
                best = Some((value, track, place));
            }
        }
        best.map(|(_, _, place)| place)
    }

    /// Compares a candidate with what was chosen since it was compared last; gives its value.
    fn compare(&mut self, candidate: usize) -> f64 {
        let since = self.candidates[candidate].compared;
        let nearest = self
            .chosen_rows
            .nearest(row(&self.rows, self.width, candidate), since);
        let nearest = nearest.min(self.candidates[candidate].nearest);
        let it = &mut self.candidates[candidate];
        let redundancy = AUDIO_SHARE / (1.0 + nearest) + self.heard.shares(self.catalogue, it.track);
        (it.nearest, it.compared) = (nearest, self.chosen.len());
        it.value = it.relevance - (1.0 - LAMBDA) * redundancy;
        it.value
    }
}

fn row(rows: &[f64], width: usize, index: usize) -> &[f64] {
    &rows[index * width..(index + 1) * width]
}

/// Rows that one row is compared with several of at a time.
struct Abreast {
    width: usize,
    count: usize,
    /// Block after block of [`LANES`] rows, in each feature after feature. Where there is no row yet stands infinity, which is
    /// farther from any row than a row.
    values: Vec<[f64; LANES]>,
}

/// Rows in a block.
const LANES: usize = 8;

impl Abreast {
    fn of_width(width: usize) -> Self {
        Self {
            width,
            count: 0,
            values: Vec::new(),
        }
    }

    fn push(&mut self, row: &[f64]) {
        let (block, lane) = (self.count / LANES, self.count % LANES);
        if lane == 0 {
            self.values
                .resize((block + 1) * self.width, [f64::INFINITY; LANES]);
        }
        for (values, &value) in self.values[block * self.width..].iter_mut().zip(row) {
            values[lane] = value;
        }
        self.count += 1;
    }

    /// The smallest mean squared difference of `row` from those that were added after the first `since`, and perhaps from some
    /// before. Each sum has one order, so it has the same bits as one by itself.
    fn nearest(&self, row: &[f64], since: usize) -> f64 {
        let mut nearest = [f64::INFINITY; LANES];
        let first = since / LANES * self.width;
        for block in self.values[first..].chunks_exact(self.width.max(1)) {
            let mut sums = [0.0; LANES];
            for (values, x) in block.iter().zip(row) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    let difference = x - value;
                    *sum += difference * difference;
                }
            }
            for (nearest, sum) in nearest.iter_mut().zip(sums) {
                *nearest = nearest.min(sum);
            }
        }
        nearest.into_iter().fold(f64::INFINITY, f64::min) / self.width.max(1) as f64
    }
}

/// The features whose differences can be heard.
fn scales(catalogue: &Catalogue) -> Vec<usize> {
    let features = catalogue.schema().features.iter().enumerate();
    let scales = features.filter(|(_, feature)| !NO_SCALES.contains(&feature.name.as_str()));
    scales.map(|(index, _)| index).collect()
}

/// The standard deviation of the scores; 1 when they do not differ.
fn deviation(pool: &[(u32, f64)]) -> f64 {
    let count = pool.len().max(1) as f64;
    let mean = pool.iter().map(|(_, score)| score).sum::<f64>() / count;
    let squares = pool.iter().map(|(_, score)| (score - mean) * (score - mean));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    if deviation > 0.0 { deviation } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generator;

    /// Candidates from the tracks of a made-up catalogue, best first, with so many different scores.
    fn candidates(tracks: &[u32], scores: u32) -> Vec<(u32, f64)> {
        let mut candidates: Vec<(u32, f64)> = tracks
            .iter()
            .map(|&track| {
                (
                    track,
                    f64::from(track.wrapping_mul(2_654_435_761) % scores) / f64::from(scores),
                )
            })
            .collect();
        candidates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        candidates.dedup();
        candidates
    }

    /// The choice as its formula says it, every value computed anew for every place.
    fn by_formula(catalogue: &Catalogue, pool: &[(u32, f64)], limit: usize, cap: u32) -> Vec<u32> {
        let mut caps = Caps::new(catalogue, catalogue.songs(), cap);
        let mut chosen: Vec<u32> = Vec::new();
        let scale = LAMBDA / deviation(pool);
        let features = scales(catalogue);
        let value = |track: u32, score: f64, chosen: &[u32]| {
            let distance = |other: &u32| {
                let z = |track: u32, feature: usize| f64::from(catalogue.column(feature)[track as usize]);
                let squares = features
                    .iter()
                    .map(|&f| (z(track, f) - z(*other, f)) * (z(track, f) - z(*other, f)));
                squares.sum::<f64>() / features.len() as f64
            };
            let nearest = chosen.iter().map(distance).fold(f64::INFINITY, f64::min);
            let artist = chosen
                .iter()
                .any(|&other| catalogue.share_an_artist(track, other));
            let album = chosen.iter().any(|&other| catalogue.is_same_album(track, other));
            let share = |is_heard: bool, share: f64| if is_heard { share } else { 0.0 };
            let redundancy =
                AUDIO_SHARE / (1.0 + nearest) + share(artist, ARTIST_SHARE) + share(album, ALBUM_SHARE);
            scale * score - (1.0 - LAMBDA) * redundancy
        };
        while chosen.len() < limit {
            let open = pool.iter().filter(|(track, _)| caps.may_admit(*track));
            let values = open.map(|&(track, score)| (value(track, score, &chosen), track));
            let Some((_, best)) = values.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) else {
                break;
            };
            assert!(caps.admits(best));
            chosen.push(best);
        }
        chosen
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_choice_is_what_the_formula_says_and_keeps_the_rules(
            tracks in prop::collection::btree_set(0..600u32, 1..160),
            scores in prop_oneof![Just(1u32), Just(7), Just(1_000_000)],
            limit in 1..60usize,
            cap in 1..5u32,
        ) {
            let catalogue = generator::catalogue(600, 3);
            let tracks: Vec<u32> = tracks.into_iter().collect();
            let candidates = candidates(&tracks, scores);
            let chosen = diversify(&catalogue, &candidates, limit, cap);
            prop_assert!(chosen.windows(2).all(|pair| (pair[1].1, pair[0].0) < (pair[0].1, pair[1].0)));
            let mut caps = Caps::new(&catalogue, catalogue.songs(), cap);
            prop_assert!(chosen.iter().all(|&(track, _)| caps.admits(track)));
            prop_assert!(chosen.iter().all(|it| candidates.contains(it)));
            let walked = walk(&catalogue, &candidates, limit, cap);
            prop_assert!(chosen.len() >= walked.len());
            let pool = &candidates[..candidates.len().min(candidates_for(limit))];
            let mut expected = by_formula(&catalogue, pool, limit, cap);
            if expected.len() == walked.len() {
                let mut found: Vec<u32> = chosen.iter().map(|(track, _)| *track).collect();
                found.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_little_worse_but_other_track_comes_before_one_that_was_heard_already() {
        let catalogue = generator::catalogue(600, 3);
        let artist = (0..catalogue.artist_count() as u32)
            .max_by_key(|&artist| catalogue.tracks_of(artist).len())
            .unwrap();
        let (same, other) = (
            &catalogue.tracks_of(artist)[..2],
            (0..600).find(|&t| catalogue.artists_of(t)[0] != artist),
        );
        let other = other.unwrap();
        let chosen = |score: f64| {
            let candidates = [(same[0], 2.0), (same[1], 1.0), (other, score), (599, -20.0)];
            diversify(&catalogue, &candidates, 2, 3)[1].0
        };
        assert_eq!(chosen(0.99), other);
        assert_eq!(chosen(-10.0), same[1]);
    }

    #[test]
    fn a_pool_of_one_artist_is_filled_from_further_down() {
        let catalogue = generator::catalogue(600, 3);
        let artist = (0..catalogue.artist_count() as u32)
            .max_by_key(|&artist| catalogue.tracks_of(artist).len())
            .unwrap();
        let mut tracks = catalogue.tracks_of(artist).to_vec();
        assert!(tracks.len() > candidates_for(3));
        tracks.extend((0..600).filter(|&track| catalogue.artists_of(track)[0] != artist));
        let ranked: Vec<(u32, f64)> = tracks
            .iter()
            .zip(0..)
            .map(|(&track, at)| (track, -f64::from(at)))
            .collect();
        let chosen = diversify(&catalogue, &ranked, 3, 1);
        assert_eq!(chosen, walk(&catalogue, &ranked, 3, 1));
        assert_eq!(chosen.len(), 3);
    }
}
