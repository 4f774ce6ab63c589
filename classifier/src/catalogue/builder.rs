//! A catalogue from tracks in any order.

use std::collections::HashMap;

use domain::{Digest, FeatureSchema};

use super::bytes;
use super::interned::{Groups, Interned, Interner, NONE};
use super::{Catalogue, Content, NO_POPULARITY, TRACKS_MAX};
use crate::schema::{self, FEATURES};
use crate::strings::Strings;

/// A track to be added. Texts are checked by the caller (see [`super::csv`]): an id that [`domain::TrackId`] takes, a
/// name and at least one artist, none longer than [`super::TEXT_BYTES_MAX`].
#[derive(Debug, Clone, Copy)]
pub struct NewTrack<'a> {
    /// The id.
    pub id: &'a str,
    /// The title.
    pub name: &'a str,
    /// At least one.
    pub artists: &'a [&'a str],
    /// The album.
    pub album: Option<&'a str>,
    /// The release date.
    pub release_date: Option<&'a str>,
    /// The genre.
    pub genre: Option<&'a str>,
    /// The licence.
    pub license: Option<&'a str>,
    /// The International Standard Recording Code.
    pub isrc: Option<&'a str>,
    /// The MusicBrainz recording id.
    pub mbid: Option<&'a str>,
    /// 0 to 100.
    pub popularity: Option<u8>,
    /// The features of [`FEATURES`], in that order and in their own units.
    pub features: [f32; FEATURES.len()],
}

/// The same id came before; the track was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id stands already as track number {first}")]
pub struct DuplicateTrack {
    /// The number of the first track with this id, counted from 0 in the order of adding.
    pub first: u32,
}

/// There are [`TRACKS_MAX`] tracks already; the track was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a catalogue has at most {TRACKS_MAX} tracks")]
pub struct TooLarge;

/// Collects tracks.
#[derive(Debug, Default)]
pub struct CatalogueBuilder {
    numbers: HashMap<Box<str>, u32>,
    ids: Strings,
    names: Strings,
    artists: Interner,
    artist_ends: Vec<u32>,
    artist_members: Vec<u32>,
    albums: Column,
    genres: Column,
    release_dates: Column,
    licenses: Column,
    isrcs: Strings,
    mbids: Strings,
    popularity: Vec<u8>,
    features: Vec<f32>,
}

#[derive(Debug, Default)]
struct Column {
    texts: Interner,
    of: Vec<u32>,
}

impl CatalogueBuilder {
    /// How many tracks were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True before the first.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when there is no room for another.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= TRACKS_MAX
    }

    /// Adds a track.
    ///
    /// # Errors
    /// [`DuplicateTrack`]: nothing was added.
    ///
    /// # Panics
    /// When the builder [`CatalogueBuilder::is_full`].
    pub fn push(&mut self, track: &NewTrack<'_>) -> Result<(), DuplicateTrack> {
        assert!(!self.is_full(), "{TooLarge}");
        if let Some(&first) = self.numbers.get(track.id) {
            return Err(DuplicateTrack { first });
        }
        self.numbers.insert(track.id.into(), self.ids.len() as u32);
        self.ids.push(track.id);
        self.names.push(track.name);
        for artist in track.artists {
            let artist = self.artists.number(artist);
            self.artist_members.push(artist);
        }
        self.artist_ends.push(self.artist_members.len() as u32);
        self.albums.push(track.album);
        self.genres.push(track.genre);
        self.release_dates.push(track.release_date);
        self.licenses.push(track.license);
        self.isrcs.push(track.isrc.unwrap_or_default());
        self.mbids.push(track.mbid.unwrap_or_default());
        self.popularity.push(track.popularity.unwrap_or(NO_POPULARITY));
        self.features.extend_from_slice(&track.features);
        Ok(())
    }

    /// The catalogue. `frozen` gives the constants when it has the features of [`FEATURES`]; otherwise (and without
    /// it) they are measured on these tracks.
    #[must_use]
    pub fn finish(self, frozen: Option<&FeatureSchema>) -> Catalogue {
        let tracks = self.len();
        let order = order_of(&self.ids);
        drop(self.numbers);
        let raw = columns(&self.features, &order);
        drop(self.features);
        let content = Content {
            names: pick(&self.names, &order),
            artists: groups(self.artists, &self.artist_ends, &self.artist_members, &order),
            albums: self.albums.finish(&order),
            genres: self.genres.finish(&order),
            release_dates: self.release_dates.finish(&order),
            licenses: self.licenses.finish(&order),
            isrcs: pick(&self.isrcs, &order),
            mbids: pick(&self.mbids, &order),
            popularity: order.iter().map(|&from| self.popularity[from as usize]).collect(),
            ids: pick(&self.ids, &order),
            raw,
        };
        let schema = match frozen {
            Some(frozen) if frozen.names().eq(schema::feature_names()) => frozen.clone(),
            _ => schema::freeze(&content.raw.chunks(tracks.max(1)).collect::<Vec<_>>()),
        };
        let version = Digest::of(bytes::encode(&schema, &content));
        Catalogue::assemble(version, schema, content)
    }
}

impl Column {
    fn push(&mut self, text: Option<&str>) {
        let number = text.map_or(NONE, |text| self.texts.number(text));
        self.of.push(number);
    }

    fn finish(self, order: &[u32]) -> Interned {
        let (table, places) = self.texts.finish();
        let place = |number: u32| {
            if number == NONE {
                NONE
            } else {
                places[number as usize]
            }
        };
        let of = order.iter().map(|&from| place(self.of[from as usize])).collect();
        Interned::from_parts(table, of).expect("the interner numbers its own texts")
    }
}

/// The track numbers in the order of their ids.
fn order_of(ids: &Strings) -> Vec<u32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| ids.get(a as usize).cmp(ids.get(b as usize)));
    order
}

fn pick(texts: &Strings, order: &[u32]) -> Strings {
    let mut picked = Strings::with_capacity(texts.len(), texts.text().len());
    for &from in order {
        picked.push(texts.get(from as usize));
    }
    picked
}

fn columns(rows: &[f32], order: &[u32]) -> Vec<f32> {
    let features = FEATURES.len();
    let mut columns = Vec::with_capacity(rows.len());
    for feature in 0..features {
        columns.extend(order.iter().map(|&from| rows[from as usize * features + feature]));
    }
    columns
}

fn groups(artists: Interner, ends: &[u32], members: &[u32], order: &[u32]) -> Groups {
    let (table, places) = artists.finish();
    let mut sorted_ends = Vec::with_capacity(ends.len());
    let mut sorted = Vec::with_capacity(members.len());
    for &from in order {
        let from = from as usize;
        let start = if from == 0 { 0 } else { ends[from - 1] as usize };
        sorted.extend(
            members[start..ends[from] as usize]
                .iter()
                .map(|&number| places[number as usize]),
        );
        sorted_ends.push(sorted.len() as u32);
    }
    Groups::from_parts(table, sorted_ends, sorted).expect("every track has an artist")
}
