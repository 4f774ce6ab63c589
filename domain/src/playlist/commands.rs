//! What may be wished of a playlist.

use chrono::{DateTime, Utc};

use super::{FailureReason, Generated, PlaylistRequest};
use crate::{AccountId, PlaylistId};

/// A wish about one playlist.
#[derive(Clone, Debug, PartialEq)]
pub enum PlaylistCommand {
    /// Ask for it.
    Request {
        /// The playlist's own id.
        playlist: PlaylistId,
        /// Who asks.
        owner: AccountId,
        /// What the owner calls it.
        name: Option<String>,
        /// What is asked for.
        request: Box<PlaylistRequest>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Answer with tracks.
    RecordGeneration(Box<Generated>),
    /// Answer that it cannot be made.
    RecordFailure {
        /// Why, for programs.
        reason: FailureReason,
        /// Why, for people.
        detail: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
}
