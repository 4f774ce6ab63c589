//! Playlists: known ones, judged ones, and what of a judged one is shown and hidden.

use std::collections::BTreeSet;

use classifier::Catalogue;
use serde::{Deserialize, Serialize};

use crate::data::{Collection, Playlist};
use crate::random::Chance;

/// Under [`Protocol::Most`] one song in so many is hidden.
const HIDDEN_ONE_IN: usize = 5;
/// Under [`Protocol::Few`] so many songs are shown.
const SHOWN_FEW: usize = 5;

/// How much of a playlist is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Four fifths.
    Most,
    /// Five songs.
    Few,
}

/// Known playlists, by which others are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    /// For the choice of hyper-parameters, and what contestants know of other people.
    pub known: Vec<Playlist>,
    /// For the judgement.
    pub judged: Vec<Playlist>,
}

/// One playlist, cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Shown songs of the playlist.
    pub liked: Vec<u32>,
    /// As many random songs from elsewhere, shown as such. They are unlabelled: a listener might like them.
    pub disliked: Vec<u32>,
    /// What is to be found.
    pub hidden: Vec<u32>,
}

impl Halves {
    /// Splits playlists by `seed`.
    #[must_use]
    pub fn split(collection: &Collection, seed: u64) -> Self {
        let mut known = collection.playlists.clone();
        Chance::of(seed, "halves of playlists").shuffle(&mut known);
        let judged = known.split_off(known.len() / 2);
        Self { known, judged }
    }
}

impl Challenge {
    /// Cuts a playlist. Song and other recordings of it stand on one side only.
    #[must_use]
    pub fn draw(
        catalogue: &Catalogue,
        playlist: &Playlist,
        protocol: Protocol,
        draw: usize,
        seed: u64,
    ) -> Self {
        let mut chance = Chance::of(seed, &format!("challenge {} {protocol:?} {draw}", playlist.id));
        let mut tracks = playlist.tracks.clone();
        chance.shuffle(&mut tracks);
        let shown = match protocol {
            Protocol::Most => tracks.len() - tracks.len() / HIDDEN_ONE_IN,
            Protocol::Few => SHOWN_FEW.min(tracks.len()),
        };
        let hidden = tracks.split_off(shown);
        let disliked = elsewhere(catalogue, playlist, shown, &mut chance);
        Self {
            liked: tracks,
            disliked,
            hidden,
        }
    }

    /// The songs that stand in no ranking, since they were shown.
    #[must_use]
    pub fn shown_songs(&self, catalogue: &Catalogue) -> BTreeSet<u32> {
        let shown = self.liked.iter().chain(&self.disliked);
        shown.map(|&track| catalogue.song(track)).collect()
    }
}

/// Random songs that the playlist has not: at most `count`, fewer when the catalogue is small.
fn elsewhere(catalogue: &Catalogue, playlist: &Playlist, count: usize, chance: &mut Chance) -> Vec<u32> {
    let mut songs: BTreeSet<u32> = playlist
        .tracks
        .iter()
        .map(|&track| catalogue.song(track))
        .collect();
    let mut drawn = Vec::with_capacity(count);
    for _ in 0..count * 4 {
        let track = chance.below(catalogue.len()) as u32;
        if drawn.len() < count && songs.insert(catalogue.song(track)) {
            drawn.push(track);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_song_is_shown_or_hidden_or_disliked() {
        let collection = testing::collection(12);
        for (number, playlist) in collection.playlists.iter().enumerate() {
            for protocol in [Protocol::Most, Protocol::Few] {
                let challenge = Challenge::draw(&collection.catalogue, playlist, protocol, number, 7);
                let songs = |tracks: &[u32]| -> BTreeSet<u32> {
                    tracks
                        .iter()
                        .map(|&track| collection.catalogue.song(track))
                        .collect()
                };
                let sides =
                    [&challenge.liked, &challenge.disliked, &challenge.hidden].map(|side| songs(side));
                let all: BTreeSet<u32> = sides.iter().flatten().copied().collect();
                assert_eq!(all.len(), sides.iter().map(BTreeSet::len).sum::<usize>());
                assert_eq!(
                    challenge.liked.len() + challenge.hidden.len(),
                    playlist.tracks.len()
                );
                assert!(
                    challenge
                        .shown_songs(&collection.catalogue)
                        .is_disjoint(&sides[2])
                );
            }
        }
    }

    #[test]
    fn a_playlist_is_known_or_judged() {
        let collection = testing::collection(12);
        let halves = Halves::split(&collection, 7);
        let ids = |half: &[Playlist]| {
            half.iter()
                .map(|playlist| playlist.id.clone())
                .collect::<BTreeSet<_>>()
        };
        assert!(ids(&halves.known).is_disjoint(&ids(&halves.judged)));
        assert_eq!(
            halves.known.len() + halves.judged.len(),
            collection.playlists.len()
        );
        assert_ne!(halves, Halves::split(&collection, 8));
    }

    #[test]
    fn another_seed_hides_other_songs() {
        let collection = testing::collection(12);
        let draw = |draw, seed| {
            Challenge::draw(
                &collection.catalogue,
                &collection.playlists[0],
                Protocol::Most,
                draw,
                seed,
            )
        };
        assert_eq!(draw(0, 7), draw(0, 7));
        assert_ne!(draw(0, 7), draw(0, 8));
        assert_ne!(draw(0, 7), draw(1, 7));
    }
}
