//! The one way from what is known to a playlist.

use std::collections::BTreeMap;

use domain::{Digest, FailureReason, Generated, PlaylistRequest, Rating, TrackId};

use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::companions::Companions;
use crate::rules::POPULARITY;
use crate::taste::TasteState;
use crate::{v1, v2};

/// What is known of a listener at the moment of the request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TasteInput {
    /// What the ratings below teach.
    pub taste: TasteState,
    /// Every rating that stands. None of these songs is chosen: disliked ones must not come back, and a playlist is to
    /// show what the listener has not judged yet.
    pub ratings: BTreeMap<TrackId, Rated>,
    /// How each played track was played.
    pub played: BTreeMap<TrackId, Played>,
    /// When the playlist was asked for, in milliseconds since 1970.
    pub requested_at_ms: i64,
}

/// A rating that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated {
    /// What the listener thinks of the track.
    pub rating: Rating,
    /// When it was rated, in milliseconds since 1970.
    pub at_ms: i64,
}

/// How a track was played.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Played {
    /// When playing last began, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it was heard in each of the last plays, in milliseconds.
    pub heard_ms: Vec<u64>,
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

/// The rules of this package that reach a playlist's bytes. Whoever changes one makes a new version and leaves the old one
/// as it is: a playlist is computed again with the version that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GeneratorVersion {
    /// Hierarchical naive Bayes with artist log-odds.
    V1,
    /// Likelihood ratios of artist, album, date, popularity and sound, and a learner of likes and dislikes.
    V2,
}

impl GeneratorVersion {
    /// The version that makes new playlists.
    pub const CURRENT: Self = Self::V2;

    /// The version that records call `number`; `None` when this program does not have it.
    #[must_use]
    pub const fn numbered(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::V1),
            2 => Some(Self::V2),
            _ => None,
        }
    }

    /// Whether playlists of this version depend on [`Evidence::companions`].
    #[must_use]
    pub const fn reads_companions(self) -> bool {
        match self {
            Self::V1 => false,
            Self::V2 => true,
        }
    }
}

/// All that a playlist is made from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The tracks to choose from.
    pub catalogue: &'a Catalogue,
    /// The prior.
    pub base: &'a BaseModel,
    /// What listeners like together; nothing when it has not been published, or the version does not read it.
    pub companions: Option<&'a Companions>,
    /// What is known of the listener.
    pub listener: &'a TasteInput,
    /// The version of the listener's stream that says so.
    pub listener_version: u64,
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
    version: GeneratorVersion,
    evidence: &Evidence<'_>,
    request: &PlaylistRequest,
) -> Result<Generated, Failure> {
    let (catalogue, base) = (evidence.catalogue, evidence.base);
    let schema = catalogue.schema_digest();
    if base.schema != schema || base.features() != catalogue.schema().features.len() {
        return Err(Failure::SchemaMismatch {
            model: base.schema,
            catalogue: schema,
        });
    }
    check_features(catalogue, request)?;
    match version {
        GeneratorVersion::V1 => v1::generate(evidence, request),
        GeneratorVersion::V2 => v2::generate(evidence, request),
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
