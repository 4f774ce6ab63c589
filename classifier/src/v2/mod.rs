//! Generator version 2: likelihood ratios of artist, album, date, popularity and sound, and a learner of the listener's
//! likes and dislikes, part of which re-scores only the best.
//!
//! | module | its one job |
//! |---|---|
//! | `labels` | what ratings and plays say of a track |
//! | `terms` | what a track's score is made of |
//! | `select` | the candidates: the best of the whole catalogue that keep the hard rules |
//! | `similar` | the second look at the candidates |
//! | [`diversity`] | the choice among the candidates |
//! | `propensity` | how likely each choice was |
//! | [`sequence`] | the order in which the chosen tracks are heard |

pub mod diversity;
mod labels;
mod propensity;
mod select;
pub mod sequence;
mod similar;
mod terms;

use domain::{Generated, GeneratedTrack, LearnedFrom, PlaylistRequest};

use crate::companions::Companions;
use crate::generate::{Evidence, Failure};
use crate::inspect::Contributions;
use crate::rules::explain_shortness;
use propensity::{Impressions, propensities};
use similar::Similar;
use terms::Terms;

pub(crate) use labels::{Label, labels};
pub(crate) use terms::weights::LEARNER;
pub(crate) use terms::{artist_affinities, learn_linear};

/// The request's features were checked by the caller.
pub(crate) fn generate(evidence: &Evidence<'_>, request: &PlaylistRequest) -> Result<Generated, Failure> {
    let Evidence {
        catalogue,
        base,
        companions,
        listener,
        listener_version,
    } = *evidence;
    let mut notes = Vec::new();
    let labels = labels(catalogue, base, listener);
    let terms = Terms::new(evidence, &labels, request, &mut notes);
    let candidates = select::candidates(catalogue, &terms, listener, request);
    let similar = Similar::learn(catalogue, base, &labels);
    let ranked = similar.rank(&candidates.tracks);
    let limit = request.limit as usize;
    let mut chosen = diversity::diversify(catalogue, &ranked, limit, select::cap_of(request));
    if chosen.len() < candidates.enough.len() {
        // Tracks of several artists can stand in each other's way.
        chosen.clone_from(&ranked);
        chosen.retain(|(track, _)| candidates.enough.contains(track));
    }
    let returned = chosen.len();
    explain_shortness(
        candidates.pool,
        candidates.filtered,
        returned,
        request,
        &mut notes,
    );
    if chosen.is_empty() {
        return Err(Failure::EmptyPool(notes.join(" ")));
    }
    let impressions = Impressions::of(
        &chosen,
        propensities(catalogue, &terms, &ranked, &chosen, request),
    );
    let (order, seed) = (request.order, request.random_seed);
    let arrangement = sequence::arrange(catalogue, order, request.arc, seed, &mut chosen);
    let explained = |&(track, score): &(u32, f64)| {
        let (rank, propensity) = impressions.of_track(track);
        GeneratedTrack {
            track: catalogue.id(track),
            score,
            contributions: similar.contributions(&terms, track),
            rank,
            propensity,
        }
    };
    Ok(Generated {
        generator: 2,
        model: base.fingerprint(),
        schema: catalogue.schema_digest(),
        listener_version,
        catalogue: catalogue.version(),
        companions: companions.map(Companions::digest),
        random_seed: seed,
        requested: request.limit,
        returned: returned as u32,
        pool: candidates.pool,
        notes,
        features: similar.names(&terms),
        learned_from: Some(learned_from(&labels)),
        arrangement,
        tracks: chosen.iter().map(explained).collect(),
    })
}

/// See [`crate::inspect::contributions`].
pub(crate) fn contributions(
    evidence: &Evidence<'_>,
    request: &PlaylistRequest,
    tracks: &[u32],
) -> Contributions {
    let catalogue = evidence.catalogue;
    let labels = labels(catalogue, evidence.base, evidence.listener);
    let terms = Terms::new(evidence, &labels, request, &mut Vec::new());
    let similar = Similar::learn(catalogue, evidence.base, &labels);
    let of_track = |&track: &u32| similar.contributions(&terms, track);
    Contributions {
        names: similar.names(&terms),
        of_tracks: tracks.iter().map(of_track).collect(),
    }
}

fn learned_from(labels: &[Label]) -> LearnedFrom {
    let liked = labels.iter().filter(|label| label.is_liked()).count();
    LearnedFrom {
        liked: liked as u32,
        disliked: (labels.len() - liked) as u32,
    }
}
