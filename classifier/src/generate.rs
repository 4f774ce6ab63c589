//! The one way from what is known to a playlist.

use std::collections::BTreeMap;

use domain::{Digest, FailureReason, Generated, GeneratedTrack, PlaylistRequest, Rating, TrackId};

use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::explain::Terms;
use crate::select::{self, MAX_PER_ARTIST_DEFAULT, POPULARITY, Selection};
use crate::sequence;
use crate::taste::TasteState;

/// The version of the rules in this package that reach a playlist's bytes. Whoever changes one raises it.
pub const GENERATOR_VERSION: u32 = 1;

/// What is known of a listener at the moment of the request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TasteInput {
    /// What the ratings below teach.
    pub taste: TasteState,
    /// Every rating that stands. None of these songs is chosen: disliked ones must not come back, and a playlist is to
    /// show what the listener has not judged yet.
    pub ratings: BTreeMap<TrackId, Rating>,
    /// When each track was last played, in milliseconds since 1970.
    pub played_at_ms: BTreeMap<TrackId, i64>,
    /// When the playlist was asked for, in milliseconds since 1970.
    pub requested_at_ms: i64,
}

/// Why no playlist can be made. The same inputs fail again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The base model was fitted under another feature schema than the catalogue's.
    #[error("the base model is for schema {model}, the catalogue has schema {catalogue}")]
    SchemaMismatch {
        /// The model's.
        model: Digest,
        /// The catalogue's.
        catalogue: Digest,
    },
    /// The request names a feature that the catalogue has not.
    #[error("the catalogue has no feature {0}")]
    UnknownFeature(String),
    /// No track passes the hard rules.
    #[error("no track is left: {0}")]
    EmptyPool(String),
}

impl Failure {
    /// The reason that is recorded.
    #[must_use]
    pub const fn reason(&self) -> FailureReason {
        match self {
            Self::SchemaMismatch { .. } => FailureReason::ModelUnavailable,
            Self::UnknownFeature(_) => FailureReason::UnknownFeature,
            Self::EmptyPool(_) => FailureReason::EmptyPool,
        }
    }
}

/// Makes a playlist: a pure function, whose result has the same bytes for the same inputs on every machine.
///
/// Every track of the catalogue is scored; the best ones that keep the hard rules are chosen, one per song and at most
/// `max_per_artist` (3 when absent) per artist, equal scores by track id, and brought into the wished order. Seeds that
/// the catalogue does not have are ignored and noted, and so is why there are fewer tracks than asked.
///
/// # Errors
/// [`Failure`]; trying again with the same inputs gives the same.
pub fn generate_playlist(
    catalogue: &Catalogue,
    base: &BaseModel,
    input: &TasteInput,
    request: &PlaylistRequest,
    listener_version: u64,
) -> Result<Generated, Failure> {
    let schema = catalogue.schema_digest();
    if base.schema != schema || base.features() != catalogue.schema().features.len() {
        return Err(Failure::SchemaMismatch {
            model: base.schema,
            catalogue: schema,
        });
    }
    check_features(catalogue, request)?;
    let mut notes = Vec::new();
    let terms = Terms::new(catalogue, base, &input.taste, request, &mut notes);
    let mut selection = select::select(catalogue, &terms, input, request);
    explain_shortness(&selection, request, &mut notes);
    if selection.tracks.is_empty() {
        return Err(Failure::EmptyPool(notes.join(" ")));
    }
    sequence::arrange(catalogue, request, &mut selection.tracks);
    Ok(Generated {
        generator: GENERATOR_VERSION,
        model: base.fingerprint(),
        schema,
        listener_version,
        catalogue: catalogue.version(),
        random_seed: request.random_seed,
        requested: request.limit,
        returned: selection.tracks.len() as u32,
        pool: selection.pool,
        notes,
        features: terms.names(),
        tracks: selection
            .tracks
            .iter()
            .map(|&(track, score)| explained(catalogue, &terms, track, score))
            .collect(),
    })
}

fn explained(catalogue: &Catalogue, terms: &Terms<'_>, track: u32, score: f64) -> GeneratedTrack {
    GeneratedTrack {
        track: catalogue.id(track),
        score,
        contributions: terms.contributions(track),
    }
}

/// Targets need a feature; minimums and maximums may also bound the popularity.
fn check_features(catalogue: &Catalogue, request: &PlaylistRequest) -> Result<(), Failure> {
    let is_feature = |name: &String| catalogue.schema().index_of(name).is_some();
    let bounds = request.minimums.keys().chain(request.maximums.keys());
    let unknown = request.targets.keys().find(|name| !is_feature(name)).or_else(|| {
        bounds
            .into_iter()
            .find(|name| name.as_str() != POPULARITY && !is_feature(name))
    });
    match unknown {
        Some(name) => Err(Failure::UnknownFeature(name.clone())),
        None => Ok(()),
    }
}

fn explain_shortness(selection: &Selection, request: &PlaylistRequest, notes: &mut Vec<String>) {
    let returned = selection.tracks.len() as u32;
    if returned >= request.limit {
        return;
    }
    let (pool, filtered) = (selection.pool, selection.filtered);
    notes.push(format!(
        "{returned} of {} tracks asked for: the catalogue has {}.",
        request.limit, pool.initial
    ));
    let steps = [
        (filtered.rated, "are songs that you rated already"),
        (filtered.heard, "were played too recently"),
        (filtered.bounds, "are outside the minimums and maximums"),
    ];
    notes.extend(
        steps
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}.")),
    );
    let capped = pool.after_filtering.saturating_sub(returned);
    if capped > 0 {
        let cap = request.max_per_artist.unwrap_or(MAX_PER_ARTIST_DEFAULT);
        notes.push(format!(
            "{capped} are the same songs again, or beyond {cap} by one artist."
        ));
    }
}
