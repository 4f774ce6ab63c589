//! Made-up ratings and playlists with a taste that can be learned.

use classifier::catalogue::{CatalogueBuilder, NewTrack};
use classifier::{Catalogue, generator};
use domain::Digest;

use crate::data::{Collection, Listener, Playlist, Ratings};
use crate::random::Chance;

const TRACKS: usize = 1_500;
const SONGS_OF_PLAYLIST: usize = 30;

/// Tracks of an id, artists and a title each; all sound alike.
pub(crate) fn catalogue(tracks: &[(&str, &str, &str)]) -> Catalogue {
    let mut builder = CatalogueBuilder::default();
    for (id, artists, name) in tracks {
        let artists: Vec<&str> = artists.split(';').collect();
        let track = NewTrack {
            id,
            name,
            artists: &artists,
            album: None,
            release_date: None,
            genre: None,
            license: None,
            isrc: None,
            mbid: None,
            popularity: None,
            features: [0.5; 12],
        };
        builder.push(&track).expect("ids differ");
    }
    builder.finish(None)
}

/// Listeners with so many ratings each, who like what is energetic, more or less.
pub(crate) fn ratings(listeners: usize, rated: usize) -> Ratings {
    let catalogue = generator::catalogue(TRACKS, 3);
    let listener = |number: usize| {
        let mut chance = Chance::of(number as u64, "a made-up listener");
        let mut tracks: Vec<u32> = (0..TRACKS as u32).collect();
        chance.shuffle(&mut tracks);
        let mut likes = |track: u32| {
            let energy = catalogue.z(track).nth(1).map_or(0.0, f64::from);
            (track, energy + 1.5 * (chance.uniform() - 0.5) > 0.0)
        };
        Listener {
            name: format!("l{number}"),
            rated: tracks.into_iter().take(rated).map(&mut likes).collect(),
        }
    };
    Ratings {
        digest: Digest::of(format!("{listeners} made-up listeners")),
        genres: vec![Vec::new(); TRACKS],
        listeners: (0..listeners).map(listener).collect(),
        catalogue,
    }
}

/// Playlists of a few artists each.
pub(crate) fn collection(playlists: usize) -> Collection {
    let catalogue = generator::catalogue(TRACKS, 3);
    let playlist = |number: usize| {
        let mut chance = Chance::of(number as u64, "a made-up playlist");
        let mut tracks = Vec::new();
        let mut songs = std::collections::BTreeSet::new();
        while tracks.len() < SONGS_OF_PLAYLIST {
            let artist = chance.below(catalogue.artist_count() / 4) as u32 * 4 + number as u32 % 4;
            let of_artist = catalogue.tracks_of(artist).iter().take(8);
            tracks.extend(of_artist.filter(|&&track| songs.insert(catalogue.song(track))));
        }
        Playlist {
            id: format!("p{number:03}"),
            tracks,
        }
    };
    Collection {
        digest: Digest::of(format!("{playlists} made-up playlists")),
        playlists: (0..playlists).map(playlist).collect(),
        catalogue,
    }
}
