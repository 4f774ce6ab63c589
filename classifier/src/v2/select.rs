//! The choice: the best of the whole catalogue by what can be scanned, then the best of those by all that is known.

use std::collections::{BTreeMap, BTreeSet};

use domain::{PlaylistRequest, Pool};

use super::diversity;
use super::terms::Terms;
use crate::catalogue::Catalogue;
use crate::generate::TasteInput;
use crate::ranking::best;
use crate::rules::{Caps, Filtered, MAX_PER_ARTIST_DEFAULT, OUT, filter};

/// How many tracks the second look takes: these, or so many times what was asked for.
const CANDIDATES_MIN: usize = 1_000;
const CANDIDATES_PER_TRACK: usize = 4;
/// How many more of each artist than may be chosen are looked at again.
const CANDIDATES_PER_ARTIST: u32 = 24;

/// What the first look leaves.
pub(super) struct Candidates {
    /// Index and score without the kernel's share, by index.
    pub(super) tracks: Vec<(u32, f64)>,
    /// Those of them that fill the playlist, as far as the rules allow, whatever the second look says.
    pub(super) enough: BTreeSet<u32>,
    pub(super) pool: Pool,
    pub(super) filtered: Filtered,
}

pub(super) fn cap_of(request: &PlaylistRequest) -> u32 {
    request.max_per_artist.unwrap_or(MAX_PER_ARTIST_DEFAULT)
}

/// Scores every track and takes the best that keep the hard rules: as many as are asked for, and more of each artist than
/// may be chosen, for the second look.
pub(super) fn candidates(
    catalogue: &Catalogue,
    terms: &Terms<'_>,
    input: &TasteInput,
    request: &PlaylistRequest,
) -> Candidates {
    let mut scores = vec![0.0; catalogue.len()];
    let bound = terms.scan(&mut scores);
    let filtered = filter(catalogue, catalogue.songs(), input, request, &mut scores);
    let cap = cap_of(request);
    let pool = Pool {
        initial: catalogue.len() as u32,
        after_filtering: scores.iter().map(|&score| u32::from(score > OUT)).sum(),
        after_caps: Caps::new(catalogue, catalogue.songs(), cap).count(&scores),
    };
    let limit = request.limit as usize;
    let exact = |track: u32| terms.score(track);
    let caps = |cap: u32| Caps::new(catalogue, catalogue.songs(), cap);
    let wanted = CANDIDATES_MIN.max(CANDIDATES_PER_TRACK * limit);
    let loose = caps(cap.saturating_add(CANDIDATES_PER_ARTIST));
    let more = best(&mut scores, bound, exact, wanted, loose);
    let mut enough = diversity::walk(catalogue, &more, limit, cap);
    if enough.len() < limit {
        // The caps leave few: the whole ranking is walked down for them.
        enough = best(&mut scores, bound, exact, limit, caps(cap));
    }
    let tracks = enough
        .iter()
        .chain(&more)
        .copied()
        .collect::<BTreeMap<u32, f64>>();
    Candidates {
        tracks: tracks.into_iter().collect(),
        enough: enough.into_iter().map(|(track, _)| track).collect(),
        pool,
        filtered,
    }
}
