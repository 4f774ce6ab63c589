//! What a request wants its playlist to sound like: seed tracks, artists and genres, as the catalogue has them.

use domain::PlaylistRequest;

use crate::catalogue::Catalogue;

/// What the request wants the playlist to sound like.
pub(crate) struct Seeds {
    /// The mean of the standardised features of all seed tracks and of each seed artist's mean.
    pub(crate) centre: Option<Vec<f64>>,
    pub(crate) artists: Vec<u32>,
    pub(crate) genres: Vec<u32>,
}

impl Seeds {
    pub(crate) fn find(catalogue: &Catalogue, request: &PlaylistRequest, notes: &mut Vec<String>) -> Self {
        let mut points = Vec::new();
        let mut artists = Vec::new();
        for track in &request.seed_tracks {
            match catalogue.index_of(track) {
                Some(index) => {
                    points.push(mean(catalogue, &[index]));
                    artists.extend_from_slice(catalogue.artists_of(index));
                }
                None => notes.push(format!(
                    "The seed track {track} is not in the catalogue and was ignored."
                )),
            }
        }
        for name in &request.seed_artists {
            let called = catalogue.artists_called(name);
            if called.is_empty() {
                notes.push(format!(
                    "The seed artist {name} is not in the catalogue and was ignored."
                ));
            }
            points.extend(
                called
                    .iter()
                    .map(|&artist| mean(catalogue, catalogue.tracks_of(artist))),
            );
            artists.extend(called);
        }
        let mut genres = Vec::new();
        for name in &request.seed_genres {
            let called = catalogue.genres_called(name);
            if called.is_empty() {
                notes.push(format!(
                    "The seed genre {name} is not in the catalogue and was ignored."
                ));
            }
            genres.extend(called);
        }
        artists.sort_unstable();
        artists.dedup();
        Self {
            centre: centre(&points),
            artists,
            genres,
        }
    }
}

fn mean(catalogue: &Catalogue, tracks: &[u32]) -> Vec<f64> {
    let points: Vec<Vec<f64>> = tracks
        .iter()
        .map(|&track| catalogue.z(track).map(f64::from).collect())
        .collect();
    centre(&points).unwrap_or_default()
}

fn centre(points: &[Vec<f64>]) -> Option<Vec<f64>> {
    let mut sum = points.first()?.clone();
    for point in &points[1..] {
        for (sum, value) in sum.iter_mut().zip(point) {
            *sum += value;
        }
    }
    Some(sum.into_iter().map(|sum| sum / points.len() as f64).collect())
}
