//! What may be wished of companions.

use chrono::{DateTime, Utc};

use crate::Digest;

/// A wish about companions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompanionsCommand {
    /// Make these counts, whose bytes lie in the blob already, the current ones. No event when they are current.
    Publish {
        /// The digest of the canonical bytes.
        digest: Digest,
        /// The digest of the blob that holds them.
        blob: Digest,
        /// The position of the last event that is counted.
        as_of: u64,
        /// How many listeners are counted.
        listeners: u64,
        /// How many of their likes are counted.
        likes: u64,
        /// Now.
        at: DateTime<Utc>,
    },
}
