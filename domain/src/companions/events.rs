//! What has happened to companions. Every field is described in `docs/events.md`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Digest;

stored_events! {
    /// A fact about companions.
    CompanionsEvent in Companions {
        /// Other counts were published and are the current ones from here on.
        "companions.published" 1 Published(Published),
    }
}

/// Payload of `companions.published`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The digest of the canonical bytes: the version's name.
    pub digest: Digest,
    /// The digest of the blob that holds them.
    pub blob: Digest,
    /// Every event at or below this position is counted, and none above it.
    pub as_of: u64,
    /// How many listeners are counted.
    pub listeners: u64,
    /// How many of their likes are counted.
    pub likes: u64,
    /// When they were published.
    pub published_at: DateTime<Utc>,
}
