//! What a listener may wish.

use chrono::{DateTime, Utc};

use super::{Described, Rating};
use crate::TrackId;

/// A wish of one listener.
#[derive(Clone, Debug, PartialEq)]
pub enum ListenerCommand {
    /// Rate 1 to [`RATINGS_MAX`](super::RATINGS_MAX) tracks. The same rating of the same description is no event.
    Rate {
        /// The ratings; the last of a track counts.
        ratings: Vec<NewRating>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Take a rating back. No event when the track is not rated.
    Retract {
        /// The track that was rated.
        track: TrackId,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Say that a track was played.
    Play {
        /// The track.
        track: TrackId,
        /// When playing began.
        at: DateTime<Utc>,
        /// How long it was heard, in milliseconds.
        duration_played_ms: u64,
    },
}

/// A rating to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRating {
    /// The track.
    pub track: TrackId,
    /// What the listener thinks of it.
    pub rating: Rating,
    /// The track as the catalogue describes it now.
    pub described: Described,
}
