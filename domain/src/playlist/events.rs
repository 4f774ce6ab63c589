//! What has happened to a playlist. Every field is described in `docs/events.md`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::PlaylistRequest;
use crate::{AccountId, Digest, PlaylistId, TrackId};

stored_events! {
    /// A fact about a playlist.
    PlaylistEvent in Playlist {
        /// It could not be made.
        "playlist.failed" 1 Failed(Failed),
        /// It was made.
        "playlist.generated" 1 Generated(Generated),
        /// It was asked for.
        "playlist.requested" 1 Requested(Requested),
    }
}

/// Payload of `playlist.requested`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    /// The playlist's own id.
    pub playlist: PlaylistId,
    /// Who asked, and for whom it is made.
    pub owner: AccountId,
    /// What the owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was asked for.
    pub request: PlaylistRequest,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
}

/// Payload of `playlist.generated`: a pure function of the log before `playlist.requested`, so no time stands in it.
/// When it was made is the record's own `recorded_at`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The version of the generator's rules.
    pub generator: u32,
    /// The fingerprint of the base model.
    pub model: Digest,
    /// The digest of the feature schema of model and catalogue.
    pub schema: Digest,
    /// The version of the listener's stream that was learned from; 0 for a listener without events.
    pub listener_version: u64,
    /// The catalogue's version.
    pub catalogue: Digest,
    /// The digest of the companions that were used; absent when the rules use none or none had been published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companions: Option<Digest>,
    /// The seed of exploration, as requested.
    pub random_seed: u64,
    /// How many tracks were asked for.
    pub requested: u32,
    /// How many tracks there are.
    pub returned: u32,
    /// How the choice narrowed.
    pub pool: Pool,
    /// Sentences for the listener: why there are fewer tracks than asked, what was ignored.
    pub notes: Vec<String>,
    /// The names of what `contributions` stand for, in their order.
    pub features: Vec<String>,
    /// What was learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_from: Option<LearnedFrom>,
    /// How well the order fits; absent unless it is smooth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrangement: Option<Arrangement>,
    /// The tracks, in playing order.
    pub tracks: Vec<GeneratedTrack>,
}

/// How many tracks each step of the choice left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The whole catalogue.
    pub initial: u32,
    /// After the hard rules: disliked, just heard, minimums and maximums.
    pub after_filtering: u32,
    /// After the cap per artist.
    pub after_caps: u32,
}

/// How many tracks of the catalogue a playlist was learned from: those that were rated, or played in a way that says
/// something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedFrom {
    /// Liked, or played to the end more often than left early.
    pub liked: u32,
    /// Disliked, or left early at least as often as played to the end.
    pub disliked: u32,
}

/// What a smooth order costs, and what the simplest one would have cost: two values of one objective, the lower the
/// better, summed over the whole playlist.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrangement {
    /// Of the order that was chosen.
    pub objective: f64,
    /// Of the greedy order, which starts with the best track and always goes on to whichever fits best then.
    pub greedy: f64,
}

/// A track of a playlist, with the reasons for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratedTrack {
    /// The track.
    pub track: TrackId,
    /// How well it fits, in log-odds: tracks are ranked by it. It is no calibrated probability, since the terms weigh
    /// evidence for an order.
    pub score: f64,
    /// What each of `features` adds to the score; they add up to it.
    pub contributions: Vec<f64>,
    /// The place by score among the tracks of the playlist, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// The probability that the track was chosen, over the seeds that could have been drawn, given the exploration that
    /// was asked for: above 0, and 1 without exploration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
}

/// Payload of `playlist.failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Why, for programs.
    pub reason: FailureReason,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was given up.
    pub failed_at: DateTime<Utc>,
}

/// Why a playlist could not be made. A list that only grows; sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The catalogue's content is not to be had, or is not what its digest says.
    CatalogueUnavailable,
    /// No track passes the hard rules of the request.
    EmptyPool,
    /// The generator met a state that its rules do not foresee.
    Internal,
    /// The base model's content is not to be had, or is not what its digest says.
    ModelUnavailable,
    /// No catalogue had been imported when the playlist was asked for.
    NoCatalogue,
    /// The request names a feature that the catalogue's schema has not.
    UnknownFeature,
}

impl FailureReason {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CatalogueUnavailable => "catalogue_unavailable",
            Self::EmptyPool => "empty_pool",
            Self::Internal => "internal",
            Self::ModelUnavailable => "model_unavailable",
            Self::NoCatalogue => "no_catalogue",
            Self::UnknownFeature => "unknown_feature",
        }
    }
}

impl std::fmt::Display for FailureReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
