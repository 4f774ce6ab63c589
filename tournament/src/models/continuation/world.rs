//! What every contestant may look at: the catalogue, and other people's playlists.

use std::collections::BTreeSet;

use classifier::Catalogue;

use crate::data::Playlist;

/// What is shown of a playlist.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Tracks of the playlist.
    pub liked: &'a [u32],
    /// Random tracks from elsewhere.
    pub disliked: &'a [u32],
}

/// Other people's playlists, as sets.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The songs of each.
    pub songs: Vec<Vec<u32>>,
    /// The artists of each, once each.
    pub artists: Vec<Vec<u32>>,
}

/// The catalogue, other people's playlists, and a seed.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The tracks.
    pub catalogue: &'a Catalogue,
    /// Known playlists; contestants reach them through functions that leave out the judged one.
    pub known: &'a Known,
    /// The one of `known` that is judged, if it is among them.
    pub except: Option<usize>,
    /// The seed of what is drawn.
    pub seed: u64,
}

impl Known {
    /// Playlists as sets of songs and of artists.
    #[must_use]
    pub fn of(catalogue: &Catalogue, playlists: &[Playlist]) -> Self {
        let songs = |playlist: &Playlist| {
            playlist
                .tracks
                .iter()
                .map(|&track| catalogue.song(track))
                .collect()
        };
        let artists = |playlist: &Playlist| {
            let all = playlist
                .tracks
                .iter()
                .flat_map(|&track| catalogue.artists_of(track));
            all.copied().collect::<BTreeSet<u32>>().into_iter().collect()
        };
        Self {
            songs: playlists.iter().map(songs).collect(),
            artists: playlists.iter().map(artists).collect(),
        }
    }
}

impl<'a> World<'a> {
    /// Sets of songs that stand together.
    pub fn songs(self) -> impl Iterator<Item = &'a [u32]> {
        self.others(&self.known.songs)
    }

    /// Sets of artists that stand together.
    pub fn artists(self) -> impl Iterator<Item = &'a [u32]> {
        self.others(&self.known.artists)
    }

    fn others(self, sets: &'a [Vec<u32>]) -> impl Iterator<Item = &'a [u32]> {
        let others = sets.iter().enumerate();
        others
            .filter(move |(number, _)| Some(*number) != self.except)
            .map(|(_, set)| set.as_slice())
    }

    /// The popularity of each track, 0 to 1.
    #[must_use]
    pub fn popularity(self) -> Vec<f64> {
        let of = |track| {
            self.catalogue
                .popularity(track)
                .map_or(0.0, |popularity| f64::from(popularity) / 100.0)
        };
        (0..self.catalogue.len() as u32).map(of).collect()
    }

    /// How many shown tracks each artist has, by the artist's number.
    #[must_use]
    pub fn artist_counts(self, tracks: &[u32]) -> Vec<f64> {
        let mut counts = vec![0.0; self.catalogue.artist_count()];
        for &track in tracks {
            for &artist in self.catalogue.artists_of(track) {
                counts[artist as usize] += 1.0;
            }
        }
        counts
    }

    /// The sum of a track's artists' values, for each track.
    #[must_use]
    pub fn by_artists(self, values: &[f64]) -> Vec<f64> {
        let sum = |track| {
            self.catalogue
                .artists_of(track)
                .iter()
                .map(|&artist| values[artist as usize])
                .sum()
        };
        (0..self.catalogue.len() as u32).map(sum).collect()
    }
}
