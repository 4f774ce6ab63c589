//! What a listener did. Every field is described in `docs/events.md`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Digest, TrackId};

stored_events! {
    /// A fact about a listener.
    ListenerEvent in Listener {
        /// A rating was taken back.
        "listener.rating_retracted" 1 RatingRetracted(RatingRetracted),
        /// A track was played.
        "listener.track_played" 1 TrackPlayed(TrackPlayed),
        /// A track was rated; an earlier rating of the same track is replaced.
        "listener.track_rated" 1 TrackRated(TrackRated),
    }
}

/// What a listener thinks of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    /// More of this.
    Like,
    /// Never again.
    Dislike,
}

/// The track as its catalogue described it when it was rated: all that taste is learned from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// The digest of the feature schema that `z` belongs to.
    pub schema: Digest,
    /// One standardised and clipped value per feature, in the schema's order, as a fixed-point number in units of 2^-16.
    pub z: Vec<i32>,
    /// The track's artists, in the catalogue's order.
    pub artists: Vec<String>,
}

/// Payload of `listener.rating_retracted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatingRetracted {
    /// The track that was rated.
    pub track: TrackId,
    /// When the rating was taken back.
    pub retracted_at: DateTime<Utc>,
}

/// Payload of `listener.track_played`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackPlayed {
    /// The track that was played.
    pub track: TrackId,
    /// When playing began, as the player tells it.
    pub played_at: DateTime<Utc>,
    /// How long it was heard, in milliseconds.
    pub duration_played_ms: u64,
}

/// Payload of `listener.track_rated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackRated {
    /// The track.
    pub track: TrackId,
    /// What the listener thinks of it.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
    /// The track as the catalogue described it then.
    pub described: Described,
}
