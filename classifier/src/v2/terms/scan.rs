//! The scan's part of the terms that do not depend on features: one pass over the tracks, in single precision.
//!
//! The scan narrows the choice and the exact terms make it, so both say the same within the bound that is given. Where every
//! track has one artist, all that the artist decides is one table.

use super::Terms;
use super::genres::Genres;
use super::weights::{SEED_ARTIST, SEED_GENRE};

impl Terms<'_> {
    /// Adds all terms that do not depend on features to the scan's scores; gives a bound on their size.
    pub(crate) fn add_others(&self, scores: &mut [f32]) -> f64 {
        match self.catalogue.single_artists() {
            Some(artists) => self.add_of_single(artists, scores),
            None => self.add_of_several(scores),
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
        self.largest()
    }

    fn add_of_single(&self, artists: &[u32], scores: &mut [f32]) {
        let (tables, known) = (Tables::of(self), self.known.scan(self.catalogue));
        let by_artist = self.by_single_artist();
        let columns = artists.iter().zip(self.catalogue.album_numbers());
        for ((score, traits), (&artist, &album)) in scores.iter_mut().zip(self.traits()).zip(columns) {
            *score += by_artist[artist as usize] + tables.at(traits);
            if known.is_known(artist) {
                *score += known.at(artist, album, traits.date, traits.popularity);
            }
        }
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
        for (score, traits) in scores.iter_mut().zip(self.traits()) {
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

    /// What the tables are looked up by, of each track.
    fn traits(&self) -> impl Iterator<Item = Traits> {
        let (dates, cells) = (
            self.catalogue.release_date_numbers(),
            &self.catalogue.statistics().cells,
        );
        let columns = dates.iter().zip(self.catalogue.popularities()).zip(cells);
        columns.map(|((&date, &popularity), &cell)| Traits {
            date,
            popularity,
            cell,
        })
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

/// The numbers of a track's date, popularity and cell of both.
#[derive(Clone, Copy)]
struct Traits {
    date: u32,
    popularity: u8,
    cell: u8,
}

/// What dates, popularities and cells add, each with one more entry at its end, which stands for "not known".
struct Tables {
    dates: Vec<f32>,
    popularities: Vec<f32>,
    cells: Vec<f32>,
}

impl Tables {
    fn of(terms: &Terms<'_>) -> Self {
        let padded = |table: &Option<Vec<f64>>| {
            let mut table = halved(table.as_deref().unwrap_or_default());
            table.push(0.0);
            table
        };
        Self {
            dates: padded(&terms.dates),
            popularities: padded(&terms.popularity),
            cells: padded(&terms.eras),
        }
    }

    fn at(&self, traits: Traits) -> f32 {
        let of = |table: &[f32], index: usize| table[index.min(table.len() - 1)];
        of(&self.dates, traits.date as usize)
            + of(&self.popularities, usize::from(traits.popularity))
            + of(&self.cells, usize::from(traits.cell))
    }
}

/// The table in single precision.
fn halved(table: &[f64]) -> Vec<f32> {
    table.iter().map(|&value| value as f32).collect()
}

pub(super) fn largest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.fold(0.0, |largest: f64, value| largest.max(value.abs()))
}
