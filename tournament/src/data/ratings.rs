//! Who liked and disliked what.

use std::collections::BTreeMap;
use std::path::Path;

use classifier::Catalogue;
use classifier::catalogue::read_csv;
use domain::{Digest, FeatureSchema, TrackId};

use super::file::{Content, DataError};

const COLUMNS: [&str; 5] = ["track_id", "rating", "listener", "genres", "genre"];
const REQUIRED: usize = 2;
const GENRE_SEPARATORS: [char; 2] = [',', ';'];

/// The ratings of a file, and the tracks that they are of.
#[derive(Debug)]
pub struct Ratings {
    /// The digest of the file.
    pub digest: Digest,
    /// Every track that stands in the file.
    pub catalogue: Catalogue,
    /// The numbers of each track's genres, by the track's index.
    pub genres: Vec<Vec<u32>>,
    /// Who rated, in the order of their names.
    pub listeners: Vec<Listener>,
}

/// The ratings of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The name in the file; empty when the file has no column `listener`.
    pub name: String,
    /// Track and whether it was liked, in the file's order; neutral ratings are left out.
    pub rated: Vec<(u32, bool)>,
}

impl Ratings {
    /// Reads a ratings file: the columns of a catalogue, `rating` (like, dislike or neutral), and optionally `listener`
    /// and `genres` (separated by commas). `frozen` gives the constants by which features are standardised; without it
    /// they are measured on the file's tracks.
    ///
    /// # Errors
    /// [`DataError`] names file, line and column; nothing was kept.
    pub fn read(file: &Path, frozen: Option<&FeatureSchema>) -> Result<Self, DataError> {
        let content = Content::read(file)?;
        let imported = read_csv(content.bytes.as_slice(), frozen, &mut |_| {})
            .map_err(|error| content.no_tracks(error))?;
        let rejected: BTreeMap<u64, _> = imported.rejected.iter().map(|line| (line.line, line)).collect();
        let catalogue = imported.catalogue;
        let mut genres = Genres::of(catalogue.len());
        let mut listeners: BTreeMap<String, Vec<(u32, bool)>> = BTreeMap::new();
        for (line, values) in content.lines(&COLUMNS, REQUIRED)? {
            let [track, rating, listener, many, one] = &values[..] else {
                continue;
            };
            let index = TrackId::parse(track.as_str())
                .ok()
                .and_then(|id| catalogue.index_of(&id));
            let Some(index) = index else {
                return Err(rejected.get(&line).map_or_else(
                    || content.value(line, "track_id", "is no track id"),
                    |rejected| content.rejected(rejected),
                ));
            };
            genres.note(index, if many.is_empty() { one } else { many });
            if let Some(liked) = liked(rating).map_err(|reason| content.value(line, "rating", reason))? {
                listeners
                    .entry(listener.clone())
                    .or_default()
                    .push((index, liked));
            }
        }
        let listeners = listeners
            .into_iter()
            .map(|(name, rated)| Listener { name, rated });
        let ratings = Self {
            digest: content.digest,
            catalogue,
            genres: genres.of_track,
            listeners: listeners.collect(),
        };
        if ratings.listeners.is_empty() {
            return Err(content.too_little("there is neither a like nor a dislike"));
        }
        Ok(ratings)
    }
}

fn liked(rating: &str) -> Result<Option<bool>, String> {
    match rating {
        "like" => Ok(Some(true)),
        "dislike" => Ok(Some(false)),
        "neutral" => Ok(None),
        other => Err(format!("{other:?} is neither like, dislike nor neutral")),
    }
}

struct Genres {
    numbers: BTreeMap<String, u32>,
    of_track: Vec<Vec<u32>>,
}

impl Genres {
    fn of(tracks: usize) -> Self {
        Self {
            numbers: BTreeMap::new(),
            of_track: vec![Vec::new(); tracks],
        }
    }

    fn note(&mut self, track: u32, text: &str) {
        for genre in text
            .split(GENRE_SEPARATORS)
            .map(str::trim)
            .filter(|genre| !genre.is_empty())
        {
            let next = self.numbers.len() as u32;
            let number = *self.numbers.entry(genre.to_owned()).or_insert(next);
            let genres = &mut self.of_track[track as usize];
            if !genres.contains(&number) {
                genres.push(number);
            }
        }
    }
}
