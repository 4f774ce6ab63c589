//! Generator version 1, as it was when playlists were made with it: hierarchical naive Bayes, artist log-odds, and a greedy
//! order. Nothing here may change any more: old playlists are computed again with it.

mod select;
mod sequence;
mod terms;

use domain::{Generated, GeneratedTrack, PlaylistRequest};

use crate::catalogue::Catalogue;
use crate::generate::{Evidence, Failure};
use crate::inspect::Contributions;
use crate::rules::explain_shortness;
use terms::Terms;

/// Every track of the catalogue is scored; the best ones that keep the hard rules are chosen and brought into the wished
/// order. The request's features were checked by the caller.
pub(crate) fn generate(evidence: &Evidence<'_>, request: &PlaylistRequest) -> Result<Generated, Failure> {
    let Evidence {
        catalogue,
        base,
        listener,
        listener_version,
        ..
    } = *evidence;
    let mut notes = Vec::new();
    let terms = Terms::new(catalogue, base, &listener.taste, request, &mut notes);
    let mut selection = select::select(catalogue, &terms, listener, request);
    explain_shortness(
        selection.pool,
        selection.filtered,
        selection.tracks.len(),
        request,
        &mut notes,
    );
    if selection.tracks.is_empty() {
        return Err(Failure::EmptyPool(notes.join(" ")));
    }
    sequence::arrange(catalogue, request, &mut selection.tracks);
    Ok(Generated {
        generator: 1,
        model: base.fingerprint(),
        schema: catalogue.schema_digest(),
        listener_version,
        catalogue: catalogue.version(),
        companions: None,
        random_seed: request.random_seed,
        requested: request.limit,
        returned: selection.tracks.len() as u32,
        pool: selection.pool,
        notes,
        features: terms.names(),
        learned_from: None,
        arrangement: None,
        tracks: selection
            .tracks
            .iter()
            .map(|&(track, score)| explained(catalogue, &terms, track, score))
            .collect(),
    })
}

/// See [`crate::inspect::contributions`].
pub(crate) fn contributions(
    evidence: &Evidence<'_>,
    request: &PlaylistRequest,
    tracks: &[u32],
) -> Contributions {
    let taste = &evidence.listener.taste;
    let terms = Terms::new(evidence.catalogue, evidence.base, taste, request, &mut Vec::new());
    Contributions {
        names: terms.names(),
        of_tracks: tracks.iter().map(|&track| terms.contributions(track)).collect(),
    }
}

fn explained(catalogue: &Catalogue, terms: &Terms<'_>, track: u32, score: f64) -> GeneratedTrack {
    GeneratedTrack {
        track: catalogue.id(track),
        score,
        contributions: terms.contributions(track),
        rank: None,
        propensity: None,
    }
}
