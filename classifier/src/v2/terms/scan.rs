//! The scan's part of the terms that do not depend on features: one pass over the tracks, in single precision.
//!
//! The scan narrows the choice and the exact terms make it, so both say the same within the bound that is given. Where every
//! track has one artist, all that the artist decides is one table.

use std::ops::Range;

use super::Terms;
use super::artists::KnownScan;
use super::genres::Genres;
use super::weights::{SEED_ARTIST, SEED_GENRE};
use crate::catalogue::Catalogue;
use crate::score::{BLOCK, error_bound, score_blocks, score_columns};

impl Terms<'_> {
    /// Scores every track; gives a bound on how far a score is from the exact one, but for constants.
    pub(crate) fn scan(&self, scores: &mut [f32]) -> f64 {
        let (values, columns) = (self.catalogue.columns(), self.columns());
        if let Some(artists) = self.catalogue.single_artists() {
            let single = OfSingle::new(self, artists);
            score_blocks(values, &columns, scores, |first, scores| {
                single.add(first, scores)
            });
        } else {
            score_columns(values, &columns, scores);
            self.add_of_several(scores);
        }
        if let Some(genres) = &self.genres {
            for (track, score) in (0..).zip(scores.iter_mut()) {
                *score += genres.of_track(self.catalogue, track) as f32;
            }
        }
        for (&track, &value) in self.shared.iter().flat_map(|shared| &shared.tracks) {
            scores[track as usize] += value as f32;
        }
        self.add_seeds(scores);
        error_bound(&columns, self.catalogue.clip_max(), self.largest())
    }

    /// All that the only artist of a track adds for it.
    fn by_single_artist(&self) -> Vec<f32> {
        let mut values = self.artists.clone();
        if let Some(drawn) = &self.drawn {
            let drawn = values.iter_mut().zip(drawn.artists());
            drawn.for_each(|(value, drawn)| *value += drawn);
        }
        for (&artist, &value) in self.shared.iter().flat_map(|shared| &shared.artists) {
            values[artist as usize] += value;
        }
        halved(&values)
    }

    fn add_of_several(&self, scores: &mut [f32]) {
        let tables = Tables::of(self);
        let traits = traits(self.catalogue, 0..scores.len());
        for (score, traits) in scores.iter_mut().zip(traits) {
            *score += tables.at(traits);
        }
        self.add_most(&halved(&self.artists), scores);
        if let Some(drawn) = &self.drawn {
            self.add_most(&halved(drawn.artists()), scores);
        }
        if let Some(shared) = &self.shared {
            let mut values = vec![0.0; self.catalogue.artist_count()];
            for (&artist, &value) in &shared.artists {
                values[artist as usize] = value as f32;
            }
            self.add_most(&values, scores);
        }
        for (track, score) in (0..).zip(scores) {
            let (album, near) = (
                self.known.album(self.catalogue, track),
                self.known.near(self.catalogue, track),
            );
            *score += (album + near) as f32;
        }
    }

    /// Of several artists, adds the value of the one that speaks most for the track.
    fn add_most(&self, values: &[f32], scores: &mut [f32]) {
        for (track, score) in (0..).zip(scores) {
            let own = self.catalogue.artists_of(track).iter();
            let values = own.map(|&artist| values[artist as usize]);
            *score += values.reduce(f32::max).unwrap_or(0.0);
        }
    }

    fn add_seeds(&self, scores: &mut [f32]) {
        let mut by_seed: Vec<u32> = Vec::new();
        for &artist in self.seed_artists.iter().flatten() {
            by_seed.extend_from_slice(self.catalogue.tracks_of(artist));
        }
        by_seed.sort_unstable();
        by_seed.dedup();
        by_seed
            .iter()
            .for_each(|&track| scores[track as usize] += SEED_ARTIST as f32);
        let Some(genres) = &self.seed_genres else { return };
        for (score, genre) in scores.iter_mut().zip(self.catalogue.genres()) {
            let value = if genres.contains(genre) { SEED_GENRE } else { 0.0 };
            *score += value as f32;
        }
    }

    /// A bound on the size of all that is added here.
    fn largest(&self) -> f64 {
        let tables = [&self.dates, &self.popularity, &self.eras];
        let tables = tables.into_iter().map(|table| largest(table.iter().flatten()));
        let drawn = self.drawn.as_ref();
        let drawn = drawn.map_or(0.0, |drawn| largest(drawn.artists().iter()));
        let shared = self.shared.as_ref().map_or(0.0, |shared| {
            largest(shared.artists.values()) + largest(shared.tracks.values())
        });
        let genres = self.genres.as_ref().map_or(0.0, Genres::largest);
        let own = largest(self.artists.iter()) + self.known.largest();
        tables.sum::<f64>() + own + drawn + shared + genres + SEED_ARTIST + SEED_GENRE
    }
}

/// What tracks of one artist each get beside their features.
struct OfSingle<'a> {
    catalogue: &'a Catalogue,
    artists: &'a [u32],
    by_artist: Vec<OfArtist>,
    tables: Tables,
    known: KnownScan<'a>,
}

impl<'a> OfSingle<'a> {
    fn new(terms: &'a Terms<'_>, artists: &'a [u32]) -> Self {
        let known = terms.known.scan(terms.catalogue);
        let values = (0..).zip(terms.by_single_artist());
        Self {
            catalogue: terms.catalogue,
            artists,
            by_artist: values
                .map(|(artist, value)| OfArtist::new(value, known.is_known(artist)))
                .collect(),
            tables: Tables::of(terms),
            known,
        }
    }

    /// Adds it to the scores of a block of tracks.
    fn add(&self, first: usize, scores: &mut [f32]) {
        let tracks = first..first + scores.len();
        let artists = &self.artists[tracks.clone()];
        // Where something of the artist is liked: noted without a branch, which could not be predicted.
        let (mut known, mut count) = ([0u32; BLOCK], 0);
        let columns = scores.iter_mut().zip(artists).zip(traits(self.catalogue, tracks));
        for (place, ((score, &artist), traits)) in (0..).zip(columns) {
            let artist = self.by_artist[artist as usize];
            *score += artist.value() + self.tables.at(traits);
            known[count] = place;
            count += artist.is_known();
        }
        for &place in &known[..count] {
            let track = first + place as usize;
            scores[place as usize] += self
                .known
                .of_track(self.catalogue, artists[place as usize], track);
        }
    }
}

/// What all tracks of an artist get, and in its lowest bit, which is below all that the scan promises, whether something of
/// the artist is liked: half the size is twice as many artists in the cache.
#[derive(Clone, Copy)]
struct OfArtist(u32);

impl OfArtist {
    fn new(value: f32, is_known: bool) -> Self {
        Self(value.to_bits() & !1 | u32::from(is_known))
    }

    fn value(self) -> f32 {
        f32::from_bits(self.0)
    }

    /// 1 or 0.
    fn is_known(self) -> usize {
        (self.0 & 1) as usize
    }
}

/// What the tables are looked up by, of each of some tracks.
fn traits(catalogue: &Catalogue, tracks: Range<usize>) -> impl Iterator<Item = Traits> {
    let dates = &catalogue.release_date_numbers()[tracks.clone()];
    let popularities = &catalogue.popularities()[tracks.clone()];
    let cells = &catalogue.statistics().cells[tracks];
    let columns = dates.iter().zip(popularities).zip(cells);
    columns.map(|((&date, &popularity), &cell)| Traits {
        date,
        popularity,
        cell,
    })
}

/// The numbers of a track's date, popularity and cell of both.
#[derive(Clone, Copy)]
struct Traits {
    date: u32,
    popularity: u8,
    cell: u8,
}

/// What dates, popularities and cells add: 0 beyond a table, which stands for "not known".
struct Tables {
    /// With one more entry at its end.
    dates: Vec<f32>,
    popularities: [f32; BYTES],
    cells: [f32; BYTES],
}

/// A table with an entry for each byte is looked up without a bound.
const BYTES: usize = 256;

impl Tables {
    fn of(terms: &Terms<'_>) -> Self {
        let mut dates = halved(terms.dates.as_deref().unwrap_or_default());
        dates.push(0.0);
        Self {
            dates,
            popularities: by_byte(terms.popularity.as_deref()),
            cells: by_byte(terms.eras.as_deref()),
        }
    }

    fn at(&self, traits: Traits) -> f32 {
        let date = (traits.date as usize).min(self.dates.len() - 1);
        self.dates[date]
            + self.popularities[usize::from(traits.popularity)]
            + self.cells[usize::from(traits.cell)]
    }
}

fn by_byte(table: Option<&[f64]>) -> [f32; BYTES] {
    let mut entries = [0.0; BYTES];
    for (entry, &value) in entries.iter_mut().zip(table.unwrap_or_default()) {
        *entry = value as f32;
    }
    entries
}

/// The table in single precision.
fn halved(table: &[f64]) -> Vec<f32> {
    table.iter().map(|&value| value as f32).collect()
}

pub(super) fn largest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.fold(0.0, |largest: f64, value| largest.max(value.abs()))
}
