//! One version of a catalogue, in memory.
//!
//! Tracks stand in the order of their ids, so an index is a place in that order and ties are broken by it. Texts are
//! interned or kept in arenas; features are columns. A million tracks take about 250 MB.
//!
//! What is stored is canonical ([`Catalogue::to_bytes`]): the same tracks in any order of lines give the same bytes,
//! and the version is their digest. Standardised columns, song ids and look-ups are derived when it is loaded.

mod builder;
mod bytes;
pub mod csv;
mod dates;
mod interned;
mod search;
mod songs;
mod songs_v1;
pub(crate) mod statistics;
mod title;

use std::sync::OnceLock;

use domain::{Described, Digest, FeatureSchema, TrackId};

pub use builder::{CatalogueBuilder, DuplicateTrack, NewTrack, TooLarge};
pub use bytes::CatalogueError;
pub use csv::{CsvError, Imported, RejectedLine, read_csv};
pub use search::Page;

use crate::schema;
use crate::strings::Strings;
use interned::{Groups, Interned};
use statistics::Statistics;

/// The most tracks of a catalogue: with the bounds on every text it keeps all offsets within 32 bits.
pub const TRACKS_MAX: usize = 5_000_000;
/// The most bytes of any one text of a track.
pub const TEXT_BYTES_MAX: usize = 512;
/// Stands for "popularity unknown"; known ones are 0 to 100.
pub(crate) const NO_POPULARITY: u8 = u8::MAX;

/// What two tracks with the same album title must have in common to stand on the same album.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AlbumMark {
    Artist(u32),
    Date(u32),
}

/// Every track of one version.
#[derive(Debug, Clone)]
pub struct Catalogue {
    version: Digest,
    schema: FeatureSchema,
    content: Content,
    derived: Derived,
}

/// What is stored.
#[derive(Debug, Clone)]
struct Content {
    ids: Strings,
    names: Strings,
    /// Names of artists in order, and each track's.
    artists: Groups,
    albums: Interned,
    genres: Interned,
    release_dates: Interned,
    licenses: Interned,
    isrcs: Strings,
    mbids: Strings,
    popularity: Vec<u8>,
    /// One column after another, in the feature's own unit.
    raw: Vec<f32>,
}

/// What follows from it.
#[derive(Debug, Clone)]
struct Derived {
    /// `raw`, standardised and clipped.
    z: Vec<f32>,
    /// The tracks of each artist.
    tracks_of_artist: Tracks,
    /// The number of each track's song, see [`Catalogue::song`].
    songs: Vec<u32>,
    /// The same by the rules of generator version 1, from when one of its playlists is computed again.
    songs_v1: OnceLock<Vec<u32>>,
    folded_names: Strings,
    folded_artists: Strings,
    has_popularity: bool,
    artists_per_track_max: usize,
    schema_digest: Digest,
    statistics: Statistics,
}

/// The tracks of each artist, end to end.
#[derive(Debug, Clone, Default)]
struct Tracks {
    ends: Vec<u32>,
    members: Vec<u32>,
}

/// A track, for reading: what a client is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Track<'a> {
    /// The id.
    pub id: &'a str,
    /// The title.
    pub name: &'a str,
    /// The artists, in the order the catalogue gave.
    pub artists: Vec<&'a str>,
    /// The album.
    pub album: Option<&'a str>,
    /// The release date, as the catalogue wrote it.
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
    /// The length.
    pub duration_ms: Option<u32>,
}

impl Catalogue {
    /// The digest of the canonical bytes.
    #[must_use]
    pub fn version(&self) -> Digest {
        self.version
    }

    /// The features and their frozen constants.
    #[must_use]
    pub fn schema(&self) -> &FeatureSchema {
        &self.schema
    }

    /// The schema's digest.
    #[must_use]
    pub fn schema_digest(&self) -> Digest {
        self.derived.schema_digest
    }

    /// How many tracks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.content.ids.len()
    }

    /// True without any track.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of a track.
    #[must_use]
    pub fn index_of(&self, track: &TrackId) -> Option<u32> {
        self.content
            .ids
            .binary_search(track.as_str())
            .map(|index| index as u32)
    }

    /// The id of a track.
    ///
    /// # Panics
    /// Beyond the last track, as do all functions that take an index.
    #[must_use]
    pub fn id(&self, index: u32) -> TrackId {
        TrackId::parse(self.content.ids.get(index as usize))
            .expect("every id was checked when the catalogue was made")
    }

    /// A track, for reading.
    #[must_use]
    pub fn track(&self, index: u32) -> Track<'_> {
        let content = &self.content;
        let at = index as usize;
        Track {
            id: content.ids.get(at),
            name: content.names.get(at),
            artists: content.artists.texts(at).collect(),
            album: content.albums.get(at),
            release_date: content.release_dates.get(at),
            genre: content.genres.get(at),
            license: content.licenses.get(at),
            isrc: non_empty(content.isrcs.get(at)),
            mbid: non_empty(content.mbids.get(at)),
            popularity: self.popularity(index),
            duration_ms: self
                .raw_named("duration_ms", index)
                .map(|duration| duration as u32),
        }
    }

    /// The popularity of a track, 0 to 100.
    #[must_use]
    pub fn popularity(&self, index: u32) -> Option<u8> {
        Some(self.content.popularity[index as usize]).filter(|&popularity| popularity != NO_POPULARITY)
    }

    /// True when any track has a popularity.
    #[must_use]
    pub fn has_popularity(&self) -> bool {
        self.derived.has_popularity
    }

    /// The features of a track in their own units, in the schema's order.
    pub fn raw(&self, index: u32) -> impl Iterator<Item = f32> {
        (0..self.schema.features.len()).map(move |feature| self.raw_column(feature)[index as usize])
    }

    /// The standardised features of a track, in the schema's order.
    pub fn z(&self, index: u32) -> impl Iterator<Item = f32> {
        (0..self.schema.features.len()).map(move |feature| self.column(feature)[index as usize])
    }

    /// All standardised columns, one after another, each with a value per track.
    #[must_use]
    pub fn columns(&self) -> &[f32] {
        &self.derived.z
    }

    /// A track as a rating records it.
    #[must_use]
    pub fn describe(&self, index: u32) -> Described {
        Described {
            schema: self.schema_digest(),
            z: self.z(index).map(schema::to_fixed).collect(),
            artists: self
                .content
                .artists
                .texts(index as usize)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The number of the song that a track is a recording of, below the number of tracks. Means nothing outside this
    /// value.
    ///
    /// Two tracks are the same song when they have the same ISRC or the same MusicBrainz recording, or an artist and the
    /// title in common, apart from case, accents, punctuation, guests and editions (remasters, single and radio edits,
    /// mono, explicit). A remix, a live or acoustic recording and a version in another language are songs of their own:
    /// they sound different, and whoever likes one may want the other.
    #[must_use]
    pub fn song(&self, index: u32) -> u32 {
        self.derived.songs[index as usize]
    }

    /// The number of each track's song, see [`Catalogue::song`].
    pub(crate) fn songs(&self) -> &[u32] {
        &self.derived.songs
    }

    /// The number of each track's song by the rules of generator version 1.
    pub(crate) fn songs_v1(&self) -> &[u32] {
        let number = || songs_v1::number(&self.content.names, &self.content.artists);
        self.derived.songs_v1.get_or_init(number)
    }

    /// Numbers of artists; an index into [`Catalogue::artist_name`].
    #[must_use]
    pub fn artists_of(&self, index: u32) -> &[u32] {
        match self.single_artists() {
            // Without a look at where its artists begin, which lies elsewhere in memory.
            Some(artists) => std::slice::from_ref(&artists[index as usize]),
            None => self.content.artists.members(index as usize),
        }
    }

    /// Each track's artist, when every track has one only.
    pub(crate) fn single_artists(&self) -> Option<&[u32]> {
        let all = self.content.artists.all_members();
        (self.derived.artists_per_track_max == 1 && all.len() == self.len()).then_some(all)
    }

    /// How many artists there are.
    #[must_use]
    pub fn artist_count(&self) -> usize {
        self.content.artists.table().len()
    }

    /// An artist's name.
    #[must_use]
    pub fn artist_name(&self, artist: u32) -> &str {
        self.content.artists.table().get(artist as usize)
    }

    /// The artist of exactly this name.
    #[must_use]
    pub fn artist_named(&self, name: &str) -> Option<u32> {
        self.content
            .artists
            .table()
            .binary_search(name)
            .map(|artist| artist as u32)
    }

    /// The artists of this name in any mixture of upper and lower case.
    #[must_use]
    pub fn artists_called(&self, name: &str) -> Vec<u32> {
        let folded = name.trim().to_lowercase();
        let table = self.derived.folded_artists.iter().enumerate();
        table
            .filter(|(_, artist)| *artist == folded)
            .map(|(artist, _)| artist as u32)
            .collect()
    }

    /// The tracks of an artist, in the order of their ids.
    #[must_use]
    pub fn tracks_of(&self, artist: u32) -> &[u32] {
        self.derived.tracks_of_artist.get(artist as usize)
    }

    /// The number of the genre called so, in any mixture of upper and lower case.
    pub(crate) fn genres_called(&self, name: &str) -> Vec<u32> {
        let folded = name.trim().to_lowercase();
        let table = self.content.genres.table().iter().enumerate();
        table
            .filter(|(_, genre)| genre.to_lowercase() == folded)
            .map(|(genre, _)| genre as u32)
            .collect()
    }

    /// The genre of every track, as a number.
    pub(crate) fn genres(&self) -> &[u32] {
        self.content.genres.of()
    }

    /// The number of a track's release date, an index into [`Catalogue::release_dates`]; beyond it when there is none.
    pub(crate) fn release_date_of(&self, index: u32) -> u32 {
        self.content.release_dates.of()[index as usize]
    }

    /// Every track's [`Catalogue::release_date_of`].
    pub(crate) fn release_date_numbers(&self) -> &[u32] {
        self.content.release_dates.of()
    }

    /// The release dates, as the catalogue wrote them.
    pub(crate) fn release_dates(&self) -> impl Iterator<Item = &str> {
        self.content.release_dates.table().iter()
    }

    /// The number of a track's album title; `None` when it has none.
    pub(crate) fn album_of(&self, index: u32) -> Option<u32> {
        let number = self.content.albums.of()[index as usize];
        (number != interned::NONE).then_some(number)
    }

    /// What the catalogue is made of.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.derived.statistics
    }

    /// The number of each track's album title; beyond all titles where there is none.
    pub(crate) fn album_numbers(&self) -> &[u32] {
        self.content.albums.of()
    }

    /// Whether two tracks stand on one album: it is called the same, and an artist or the release date is the same too.
    /// (Many albums are called `Greatest Hits`.)
    pub(crate) fn is_same_album(&self, a: u32, b: u32) -> bool {
        let (albums, dates) = (self.content.albums.of(), self.content.release_dates.of());
        let is_same = |column: &[u32]| {
            let number = column[a as usize];
            number != interned::NONE && number == column[b as usize]
        };
        is_same(albums) && (is_same(dates) || self.share_an_artist(a, b))
    }

    /// Whether two tracks have an artist in common.
    pub(crate) fn share_an_artist(&self, a: u32, b: u32) -> bool {
        let others = self.artists_of(b);
        self.artists_of(a).iter().any(|artist| others.contains(artist))
    }

    /// What tells the album of a track: two tracks stand [on one album](Catalogue::is_same_album) when they have a mark in
    /// common.
    pub(crate) fn album_marks(&self, track: u32) -> impl Iterator<Item = (u32, AlbumMark)> {
        let date = self.content.release_dates.of()[track as usize];
        let date = (date != interned::NONE).then_some(AlbumMark::Date(date));
        let artists = self
            .artists_of(track)
            .iter()
            .map(|&artist| AlbumMark::Artist(artist));
        let marks = date.into_iter().chain(artists);
        self.album_of(track)
            .into_iter()
            .flat_map(move |title| marks.clone().map(move |mark| (title, mark)))
    }

    /// The popularity of every track; [`NO_POPULARITY`] where it is unknown.
    pub(crate) fn popularities(&self) -> &[u8] {
        &self.content.popularity
    }

    /// The most artists that one track has.
    pub(crate) fn artists_per_track_max(&self) -> usize {
        self.derived.artists_per_track_max
    }

    /// The largest standardised value that any feature can have.
    pub(crate) fn clip_max(&self) -> f64 {
        self.schema
            .features
            .iter()
            .map(|feature| feature.clip)
            .fold(0.0, f64::max)
    }

    pub(crate) fn raw_column(&self, feature: usize) -> &[f32] {
        &self.content.raw[feature * self.len()..(feature + 1) * self.len()]
    }

    pub(crate) fn column(&self, feature: usize) -> &[f32] {
        &self.derived.z[feature * self.len()..(feature + 1) * self.len()]
    }

    pub(crate) fn raw_named(&self, feature: &str, index: u32) -> Option<f32> {
        self.schema
            .index_of(feature)
            .map(|feature| self.raw_column(feature)[index as usize])
    }

    /// Derives all that is not stored.
    fn assemble(version: Digest, schema: FeatureSchema, content: Content) -> Self {
        let derived = Derived {
            z: standardise(&schema, &content.raw, content.ids.len()),
            tracks_of_artist: Tracks::invert(&content.artists),
            songs: songs::number(&content),
            songs_v1: OnceLock::new(),
            folded_names: fold(&content.names),
            folded_artists: fold(content.artists.table()),
            artists_per_track_max: (0..content.ids.len())
                .map(|at| content.artists.members(at).len())
                .max()
                .unwrap_or(0),
            schema_digest: schema.digest(),
            statistics: Statistics::default(),
            has_popularity: content
                .popularity
                .iter()
                .any(|&popularity| popularity != NO_POPULARITY),
        };
        let mut catalogue = Self {
            version,
            schema,
            content,
            derived,
        };
        catalogue.derived.statistics = Statistics::of(&catalogue);
        catalogue
    }
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn standardise(schema: &FeatureSchema, raw: &[f32], tracks: usize) -> Vec<f32> {
    let mut z = Vec::with_capacity(raw.len());
    for (feature, column) in schema.features.iter().zip(raw.chunks(tracks.max(1))) {
        z.extend(
            column
                .iter()
                .map(|&raw| schema::standardise(feature, f64::from(raw)) as f32),
        );
    }
    z
}

fn fold(texts: &Strings) -> Strings {
    let mut folded = Strings::with_capacity(texts.len(), texts.text().len());
    for text in texts.iter() {
        folded.push(&text.to_lowercase());
    }
    folded
}

impl Tracks {
    fn invert(artists: &Groups) -> Self {
        let mut counts = vec![0u32; artists.table().len() + 1];
        for &artist in artists.all_members() {
            counts[artist as usize] += 1;
        }
        let mut starts = Vec::with_capacity(counts.len());
        let mut start = 0;
        for count in &counts {
            starts.push(start);
            start += count;
        }
        let mut members = vec![0; start as usize];
        for track in 0..artists.len() {
            for &artist in artists.members(track) {
                members[starts[artist as usize] as usize] = track as u32;
                starts[artist as usize] += 1;
            }
        }
        starts.truncate(artists.table().len());
        Self {
            ends: starts,
            members,
        }
    }

    fn get(&self, index: usize) -> &[u32] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        &self.members[start..self.ends[index] as usize]
    }
}
