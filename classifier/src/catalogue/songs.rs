//! Which tracks are the same song: one recording often stands under several ids (single, album, compilation).

use std::collections::HashMap;

use super::Content;
use super::interned::Groups;
use super::title::{name_key, title_key};
use crate::strings::Strings;

/// Letters and digits of an ISRC (ISO 3901), and of a MusicBrainz id, which is a UUID. Shorter ones are no codes: catalogues
/// write `n/a` and the like.
const ISRC_LETTERS: usize = 12;
const MBID_LETTERS: usize = 32;

/// The number of each track's song: that of the song's first track. What makes two tracks one song is said at
/// [`super::Catalogue::song`]; it goes on from track to track, so the single with the ISRC of one and the title of another
/// joins both.
pub(super) fn number(content: &Content) -> Vec<u32> {
    let mut songs = Songs::of_one_track_each(content.names.len());
    join_titles(&content.names, &content.artists, &mut songs);
    join_codes(&content.isrcs, ISRC_LETTERS, &mut songs);
    join_codes(&content.mbids, MBID_LETTERS, &mut songs);
    songs.numbers()
}

/// Joins the tracks that have an artist and the title in common.
fn join_titles(names: &Strings, artists: &Groups, songs: &mut Songs) {
    let people = people(artists.table());
    let titles: Vec<String> = names.iter().map(title_key).collect();
    let tracks = 0..names.len() as u32;
    let mut by_artist: Vec<(u32, u32)> = tracks
        .flat_map(|track| {
            let artists = artists.members(track as usize).iter();
            artists
                .map(|&artist| people[artist as usize])
                .map(move |person| (person, track))
        })
        .collect();
    by_artist.sort_unstable();
    for tracks in by_artist.chunk_by(|a, b| a.0 == b.0) {
        let mut first: HashMap<&str, u32> = HashMap::with_capacity(tracks.len());
        for &(_, track) in tracks {
            let first = *first.entry(&titles[track as usize]).or_insert(track);
            songs.join(first, track);
        }
    }
}

/// A number for each name, equal for names that differ in case, accents and punctuation only.
fn people(names: &Strings) -> Vec<u32> {
    let mut numbers = HashMap::new();
    let number = |name: &str| {
        let next = numbers.len() as u32;
        *numbers.entry(name_key(name)).or_insert(next)
    };
    names.iter().map(number).collect()
}

/// Joins the tracks of the same code of so many letters and digits, in upper or lower case, with or without hyphens.
fn join_codes(codes: &Strings, length: usize, songs: &mut Songs) {
    let mut first: HashMap<String, u32> = HashMap::new();
    for (track, code) in codes.iter().enumerate() {
        let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        if letters.len() == length {
            let first = *first.entry(letters.to_ascii_uppercase()).or_insert(track as u32);
            songs.join(first, track as u32);
        }
    }
}

/// Disjoint sets of tracks, each named by its first one.
struct Songs {
    parents: Vec<u32>,
}

impl Songs {
    fn of_one_track_each(tracks: usize) -> Self {
        Self {
            parents: (0..tracks as u32).collect(),
        }
    }

    fn first(&mut self, mut track: u32) -> u32 {
        while self.parents[track as usize] != track {
            let parent = self.parents[track as usize];
            self.parents[track as usize] = self.parents[parent as usize];
            track = parent;
        }
        track
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.first(a), self.first(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    fn numbers(mut self) -> Vec<u32> {
        (0..self.parents.len() as u32)
            .map(|track| self.first(track))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::{CatalogueBuilder, NewTrack};

    /// The songs of tracks with a name, artists, an ISRC and an MBID.
    fn songs(tracks: &[(&str, &[&str], &str, &str)]) -> Vec<u32> {
        let mut builder = CatalogueBuilder::default();
        for (at, (name, artists, isrc, mbid)) in tracks.iter().enumerate() {
            let track = NewTrack {
                id: &at.to_string(),
                name,
                artists,
                album: None,
                release_date: None,
                genre: None,
                license: None,
                isrc: Some(*isrc).filter(|code| !code.is_empty()),
                mbid: Some(*mbid).filter(|code| !code.is_empty()),
                popularity: None,
                features: [
                    0.5, 0.5, 1.0, -5.0, 1.0, 0.1, 0.1, 0.0, 0.1, 0.5, 120.0, 180_000.0,
                ],
            };
            builder.push(&track).unwrap();
        }
        builder.finish(None).songs().to_vec()
    }

    #[test]
    fn artists_in_another_order_or_spelling_sing_the_same_song() {
        let found = songs(&[
            ("Torrent", &["Sidney", "Martin"], "", ""),
            ("Torrent", &["Martin"], "", ""),
            ("Torrent - Edit", &["SIDNÉY!"], "", ""),
            ("Torrent", &["Somebody"], "", ""),
            ("Other", &["Martin"], "", ""),
        ]);
        assert_eq!(found, [0, 0, 0, 3, 4]);
    }

    #[test]
    fn one_recording_is_one_song_whatever_it_is_called() {
        let found = songs(&[
            ("Uno", &["A"], "US-RC1-76-07839", ""),
            ("One", &["B"], "usrc17607839", ""),
            ("Two", &["C"], "", "b1a9c0e9-d987-4042-ae91-78d6a3267d69"),
            ("Deux", &["D"], "", "B1A9C0E9-D987-4042-AE91-78D6A3267D69"),
            ("Three", &["E"], "", ""),
            ("Four", &["F"], "n/a", "n/a"),
            ("Five", &["G"], "n/a", "n/a"),
        ]);
        assert_eq!(found, [0, 0, 2, 2, 4, 5, 6]);
    }

    #[test]
    fn what_is_joined_by_title_and_by_code_is_one_song() {
        let found = songs(&[
            ("Blue", &["A"], "USRC17607839", ""),
            ("Azul", &["B"], "USRC17607840", ""),
            ("Blau", &["C"], "USRC17607839", ""),
            ("Azul - Radio Edit", &["B"], "USRC17607839", ""),
        ]);
        assert_eq!(found, [0, 0, 0, 0]);
    }
}
