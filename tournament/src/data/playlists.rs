//! Playlists over a catalogue. Their genres are not read: they were derived from the playlists and would give them away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use classifier::Catalogue;
use classifier::catalogue::read_csv;
use domain::{Digest, TrackId};

use super::file::{Content, DataError};

/// Playlists with fewer songs are left out: too little would be hidden.
const SONGS_MIN: usize = 20;
/// Fewer playlists cannot be halved into known and judged ones that say anything.
const PLAYLISTS_MIN: usize = 4;

/// A folder of playlists.
#[derive(Debug)]
pub struct Collection {
    /// The digest of the catalogue's and the memberships' files.
    pub digest: Digest,
    /// The whole catalogue.
    pub catalogue: Catalogue,
    /// Playlists of at least 20 songs, in the order of their ids.
    pub playlists: Vec<Playlist>,
}

/// One playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playlist {
    /// The id in the file.
    pub id: String,
    /// One track of each song.
    pub tracks: Vec<u32>,
}

impl Collection {
    /// Reads `catalogue.csv` and `playlist_tracks.csv` (or `.csv.gz`) of `folder`.
    ///
    /// # Errors
    /// [`DataError`] names file, line and column; nothing was kept.
    pub fn read(folder: &Path) -> Result<Self, DataError> {
        let tracks = Content::read_named(folder, "catalogue")?;
        let imported =
            read_csv(tracks.bytes.as_slice(), None, &mut |_| {}).map_err(|error| tracks.no_tracks(error))?;
        if let Some(line) = imported.rejected.first() {
            return Err(tracks.rejected(line));
        }
        let members = Content::read_named(folder, "playlist_tracks")?;
        let catalogue = imported.catalogue;
        let playlists = playlists(&members, &catalogue)?;
        if playlists.len() < PLAYLISTS_MIN {
            let reason = format!("{PLAYLISTS_MIN} playlists of {SONGS_MIN} or more songs are needed");
            return Err(members.too_little(reason));
        }
        Ok(Self {
            digest: Digest::of([*tracks.digest.as_bytes(), *members.digest.as_bytes()].concat()),
            catalogue,
            playlists,
        })
    }
}

fn playlists(members: &Content, catalogue: &Catalogue) -> Result<Vec<Playlist>, DataError> {
    let mut tracks: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (line, values) in members.lines(&["playlist_id", "track_id"], 2)? {
        let [playlist, track] = &values[..] else { continue };
        let id = TrackId::parse(track.as_str())
            .map_err(|error| members.value(line, "track_id", error.to_string()))?;
        let index = catalogue
            .index_of(&id)
            .ok_or_else(|| members.value(line, "track_id", format!("{id} is not in the catalogue")))?;
        tracks.entry(playlist.clone()).or_default().push(index);
    }
    Ok(tracks
        .into_iter()
        .map(|(id, tracks)| Playlist {
            id,
            tracks: once_a_song(catalogue, tracks),
        })
        .filter(|playlist| playlist.tracks.len() >= SONGS_MIN)
        .collect())
}

fn once_a_song(catalogue: &Catalogue, mut tracks: Vec<u32>) -> Vec<u32> {
    let mut songs = BTreeSet::new();
    tracks.retain(|&track| songs.insert(catalogue.song(track)));
    tracks
}
