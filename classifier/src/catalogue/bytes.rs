//! The stored form of a catalogue.
//!
//! `SEGUECAT`, the format (u32), the number of tracks (u32), then sections, each a length (u64) and that many bytes,
//! all little-endian, in this order: the schema as JSON; ids; names; artists (table, ends, members); albums, genres,
//! release dates, licences (table, numbers each); ISRCs; MBIDs; popularity; raw feature columns as f32. A list of texts
//! is two sections, the ends (u32 each) and the text. Tracks and tables are sorted, so equal content has equal bytes.

use domain::{Digest, FeatureSchema, TrackId};

use super::interned::{Groups, Interned};
use super::{Catalogue, Content, NO_POPULARITY, TRACKS_MAX};
use crate::strings::Strings;

const MAGIC: &[u8; 8] = b"SEGUECAT";
const FORMAT: u32 = 1;

/// Why bytes are no catalogue. Nothing was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// They do not start like one.
    #[error("these bytes are no catalogue")]
    NotACatalogue,
    /// They were written in a format that this version does not know.
    #[error("the catalogue has format {0}, which is not known here")]
    UnknownFormat(u32),
    /// They end too early, or do not fit together.
    #[error("the catalogue's {0} is damaged")]
    Damaged(&'static str),
}

impl Catalogue {
    /// The canonical bytes; their digest is the version.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.schema, &self.content)
    }

    /// Reads what [`Catalogue::to_bytes`] wrote and checks all of it: no bytes make a later call panic.
    ///
    /// # Errors
    /// [`CatalogueError`]; nothing was kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CatalogueError> {
        let (schema, content) = decode(bytes)?;
        Ok(Self::assemble(Digest::of(bytes), schema, content))
    }
}

pub(super) fn encode(schema: &FeatureSchema, content: &Content) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.raw.len() * 4 + content.ids.text().len() * 2 + (1 << 16));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&(content.ids.len() as u32).to_le_bytes());
    section(
        &mut out,
        &serde_json::to_vec(schema).expect("a schema has a JSON form"),
    );
    texts(&mut out, &content.ids);
    texts(&mut out, &content.names);
    texts(&mut out, content.artists.table());
    numbers(&mut out, content.artists.ends());
    numbers(&mut out, content.artists.all_members());
    for interned in [
        &content.albums,
        &content.genres,
        &content.release_dates,
        &content.licenses,
    ] {
        texts(&mut out, interned.table());
        numbers(&mut out, interned.of());
    }
    texts(&mut out, &content.isrcs);
    texts(&mut out, &content.mbids);
    section(&mut out, &content.popularity);
    words(&mut out, content.raw.iter().map(|value| value.to_le_bytes()));
    out
}

fn section(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn words(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = [u8; 4]>) {
    out.extend_from_slice(&(words.len() as u64 * 4).to_le_bytes());
    words.for_each(|word| out.extend_from_slice(&word));
}

fn numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    words(out, numbers.iter().map(|number| number.to_le_bytes()));
}

fn texts(out: &mut Vec<u8>, texts: &Strings) {
    numbers(out, texts.ends());
    section(out, texts.text().as_bytes());
}

fn decode(bytes: &[u8]) -> Result<(FeatureSchema, Content), CatalogueError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(CatalogueError::NotACatalogue)?;
    let mut reader = Reader { rest };
    let format = reader.number("format")?;
    if format != FORMAT {
        return Err(CatalogueError::UnknownFormat(format));
    }
    let tracks = reader.number("size")? as usize;
    let schema: FeatureSchema =
        serde_json::from_slice(reader.section("schema")?).map_err(|_| CatalogueError::Damaged("schema"))?;
    check(schema.is_usable() && tracks <= TRACKS_MAX, "schema")?;
    let content = Content {
        ids: reader.texts("ids")?,
        names: reader.texts("names")?,
        artists: reader.groups("artists")?,
        albums: reader.interned("albums")?,
        genres: reader.interned("genres")?,
        release_dates: reader.interned("release dates")?,
        licenses: reader.interned("licences")?,
        isrcs: reader.texts("ISRCs")?,
        mbids: reader.texts("MBIDs")?,
        popularity: reader.section("popularity")?.to_vec(),
        raw: reader.words("features", f32::from_le_bytes)?,
    };
    check(reader.rest.is_empty(), "end")?;
    check_content(&content, tracks, schema.features.len())?;
    Ok((schema, content))
}

fn check_content(content: &Content, tracks: usize, features: usize) -> Result<(), CatalogueError> {
    let lengths = [
        content.ids.len(),
        content.names.len(),
        content.artists.len(),
        content.albums.of().len(),
        content.genres.of().len(),
        content.release_dates.of().len(),
        content.licenses.of().len(),
        content.isrcs.len(),
        content.mbids.len(),
        content.popularity.len(),
    ];
    check(lengths.iter().all(|&length| length == tracks), "size")?;
    check(
        content.raw.len() == tracks * features && content.raw.iter().all(|value| value.is_finite()),
        "features",
    )?;
    check(
        content
            .popularity
            .iter()
            .all(|&value| value <= 100 || value == NO_POPULARITY),
        "popularity",
    )?;
    check(
        content.ids.is_strictly_sorted() && content.ids.iter().all(|id| TrackId::parse(id).is_ok()),
        "ids",
    )
}

fn check(holds: bool, what: &'static str) -> Result<(), CatalogueError> {
    if holds {
        Ok(())
    } else {
        Err(CatalogueError::Damaged(what))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], CatalogueError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(CatalogueError::Damaged(what))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, what: &'static str) -> Result<u32, CatalogueError> {
        let bytes = self
            .take(4, what)?
            .try_into()
            .map_err(|_| CatalogueError::Damaged(what))?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn section(&mut self, what: &'static str) -> Result<&'a [u8], CatalogueError> {
        let bytes = self
            .take(8, what)?
            .try_into()
            .map_err(|_| CatalogueError::Damaged(what))?;
        let length = usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| CatalogueError::Damaged(what))?;
        self.take(length, what)
    }

    fn words<T>(&mut self, what: &'static str, read: fn([u8; 4]) -> T) -> Result<Vec<T>, CatalogueError> {
        let (words, rest) = self.section(what)?.as_chunks::<4>();
        check(rest.is_empty(), what)?;
        Ok(words.iter().map(|word| read(*word)).collect())
    }

    fn texts(&mut self, what: &'static str) -> Result<Strings, CatalogueError> {
        let ends = self.words(what, u32::from_le_bytes)?;
        let text = std::str::from_utf8(self.section(what)?).map_err(|_| CatalogueError::Damaged(what))?;
        Strings::from_parts(text.to_owned(), ends).ok_or(CatalogueError::Damaged(what))
    }

    fn groups(&mut self, what: &'static str) -> Result<Groups, CatalogueError> {
        let table = self.texts(what)?;
        let ends = self.words(what, u32::from_le_bytes)?;
        let members = self.words(what, u32::from_le_bytes)?;
        Groups::from_parts(table, ends, members).ok_or(CatalogueError::Damaged(what))
    }

    fn interned(&mut self, what: &'static str) -> Result<Interned, CatalogueError> {
        let table = self.texts(what)?;
        let of = self.words(what, u32::from_le_bytes)?;
        Interned::from_parts(table, of).ok_or(CatalogueError::Damaged(what))
    }
}
