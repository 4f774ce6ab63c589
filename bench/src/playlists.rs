//! Real playlists over a real catalogue, read from the folder of test data.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// A track as far as the comparison needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Track {
    /// Its id in the catalogue.
    pub track_id: String,
    /// Its title.
    #[serde(rename = "name")]
    pub title: String,
    /// Its artist, as printed.
    pub artist: String,
    /// 0 to 100.
    pub popularity: u32,
}

impl Track {
    /// The song behind the id: the same song stands under several ids.
    #[must_use]
    pub fn song(&self) -> String {
        format!(
            "{}\u{1f}{}",
            self.artist.trim().to_lowercase(),
            self.title.trim().to_lowercase()
        )
    }
}

#[derive(Debug, Deserialize)]
struct Membership {
    playlist_id: String,
    track_id: String,
}

/// A catalogue and the playlists over it.
#[derive(Clone, Debug)]
pub struct RealData {
    /// The file to import.
    pub catalogue_file: PathBuf,
    /// Every track of it, in the file's order.
    pub tracks: Vec<Track>,
    /// Playlist id to track ids, each once, sorted.
    pub playlists: BTreeMap<String, Vec<String>>,
}

impl RealData {
    /// Reads `folder/spotify`; `None` where that folder is absent.
    ///
    /// # Errors
    /// When a file is missing or malformed.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let folder = folder.join("spotify");
        if !folder.exists() {
            return Ok(None);
        }
        let catalogue_file = folder.join("catalogue.csv.gz");
        let tracks = rows(&catalogue_file)?;
        let mut playlists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in rows::<Membership>(&folder.join("playlist_tracks.csv.gz"))? {
            playlists.entry(row.playlist_id).or_default().push(row.track_id);
        }
        for tracks in playlists.values_mut() {
            tracks.sort_unstable();
            tracks.dedup();
        }
        Ok(Some(Self {
            catalogue_file,
            tracks,
            playlists,
        }))
    }
}

fn rows<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = csv::Reader::from_reader(MultiGzDecoder::new(file));
    let rows: Result<Vec<T>, csv::Error> = reader.deserialize().collect();
    rows.with_context(|| format!("cannot read {}", path.display()))
}
