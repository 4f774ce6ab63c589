//! The choice: the best tracks that keep the hard rules.

use domain::{PlaylistRequest, Pool};

use super::terms::Terms;
use crate::catalogue::Catalogue;
use crate::generate::TasteInput;
use crate::ranking::best;
use crate::rules::{Caps, Filtered, MAX_PER_ARTIST_DEFAULT, OUT, filter};
use crate::score;

/// The choice, best first, and how it narrowed.
pub(crate) struct Selection {
    pub(crate) tracks: Vec<(u32, f64)>,
    pub(crate) pool: Pool,
    pub(crate) filtered: Filtered,
}

/// Takes the best tracks that keep the rules: one track per song, so many per artist.
pub(crate) fn select(
    catalogue: &Catalogue,
    terms: &Terms<'_>,
    input: &TasteInput,
    request: &PlaylistRequest,
) -> Selection {
    let mut scores = vec![0.0; catalogue.len()];
    let columns = terms.columns();
    score::score_columns(catalogue.columns(), &columns, &mut scores);
    let others = terms.add_others(&mut scores);
    let bound = score::error_bound(&columns, catalogue.clip_max(), others);
    let filtered = filter(catalogue, catalogue.songs_v1(), input, request, &mut scores);
    let cap = request.max_per_artist.unwrap_or(MAX_PER_ARTIST_DEFAULT);
    let pool = Pool {
        initial: catalogue.len() as u32,
        after_filtering: scores.iter().map(|&score| u32::from(score > OUT)).sum(),
        after_caps: Caps::new(catalogue, catalogue.songs_v1(), cap).count(&scores),
    };
    let caps = Caps::new(catalogue, catalogue.songs_v1(), cap);
    let tracks = best(
        &mut scores,
        bound,
        |track| terms.score(track),
        request.limit as usize,
        caps,
    );
    Selection {
        tracks,
        pool,
        filtered,
    }
}
