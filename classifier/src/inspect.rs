//! What an auditor asks of a generator beside the playlist: what each term adds for given tracks, and what the hard rules
//! left out. Pure, as the generators are; nothing here reaches a playlist's bytes.

use domain::PlaylistRequest;

use crate::catalogue::Catalogue;
use crate::generate::{Evidence, GeneratorVersion, TasteInput};
use crate::rules::{self, Filtered};
use crate::{v1, v2};

/// What each term adds to the scores of some tracks.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// The terms, in their order.
    pub names: Vec<String>,
    /// For each track, what each term adds, in log-odds.
    pub of_tracks: Vec<Vec<f64>>,
}

/// What each term adds to the scores of `tracks` (indices into the catalogue), whether or not they would be chosen. The base
/// model must belong to the catalogue's features, and the request must name none but those.
#[must_use]
pub fn contributions(
    version: GeneratorVersion,
    evidence: &Evidence<'_>,
    request: &PlaylistRequest,
    tracks: &[u32],
) -> Contributions {
    match version {
        GeneratorVersion::V1 => v1::contributions(evidence, request, tracks),
        GeneratorVersion::V2 => v2::contributions(evidence, request, tracks),
    }
}

/// How many tracks of the catalogue each hard rule left out, one rule after the other.
#[must_use]
pub fn left_out(
    version: GeneratorVersion,
    catalogue: &Catalogue,
    listener: &TasteInput,
    request: &PlaylistRequest,
) -> Filtered {
    let songs = match version {
        GeneratorVersion::V1 => catalogue.songs_v1(),
        GeneratorVersion::V2 => catalogue.songs(),
    };
    let mut scores = vec![0.0; catalogue.len()];
    rules::filter(catalogue, songs, listener, request, &mut scores)
}

#[cfg(test)]
mod tests {
    use domain::{Rating, TrackId};

    use super::*;
    use crate::generate::{Rated, generate_playlist};
    use crate::{BaseModel, TasteState, generator};

    /// Ten ratings, as a listener's stream would add up.
    fn listener(catalogue: &Catalogue) -> TasteInput {
        let mut listener = TasteInput::default();
        let mut taste = TasteState::default();
        for index in 0..10 {
            let rating = if index % 3 == 0 {
                Rating::Dislike
            } else {
                Rating::Like
            };
            taste.add(&catalogue.describe(index * 7), rating);
            let rated = Rated { rating, at_ms: 0 };
            listener.ratings.insert(catalogue.id(index * 7), rated);
        }
        listener.taste = taste;
        listener
    }

    #[test]
    fn contributions_are_those_of_the_playlist_in_every_version() {
        let catalogue = generator::catalogue(500, 3);
        let base = BaseModel::neutral(catalogue.schema());
        let listener = listener(&catalogue);
        let evidence = Evidence {
            catalogue: &catalogue,
            base: &base,
            companions: None,
            listener: &listener,
            listener_version: 10,
        };
        let request = PlaylistRequest {
            limit: 10,
            exploration: 0.4,
            ..PlaylistRequest::default()
        };
        for version in [GeneratorVersion::V1, GeneratorVersion::V2] {
            let playlist = generate_playlist(version, &evidence, &request).unwrap();
            let index = |track: &TrackId| catalogue.index_of(track).unwrap();
            let tracks: Vec<u32> = playlist.tracks.iter().map(|track| index(&track.track)).collect();
            let told = contributions(version, &evidence, &request, &tracks);
            assert_eq!(told.names, playlist.features);
            let recorded: Vec<_> = playlist
                .tracks
                .iter()
                .map(|track| track.contributions.clone())
                .collect();
            assert_eq!(told.of_tracks, recorded);
            let left_out = left_out(version, &catalogue, &listener, &request);
            let left = playlist.pool.initial - left_out.rated - left_out.heard - left_out.bounds;
            assert_eq!(left, playlist.pool.after_filtering);
        }
    }
}
