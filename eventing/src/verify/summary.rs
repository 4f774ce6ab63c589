//! What a sound history was found to be.

use crate::notes::{SignedCheckpoint, VerifierKey};

/// Whether the key that the signature was verified with is known to be the log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The auditor brought the key.
    Given,
    /// The key came with the history itself: whoever made the history may have made the key.
    Brought,
}

/// A history without a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The checkpoint that the records add up to.
    pub checkpoint: SignedCheckpoint,
    /// The key that signed it.
    pub key: VerifierKey,
    /// Where the key came from.
    pub trust: Trust,
    /// The size of the old checkpoint that this history begins with.
    pub old_checkpoint: Option<u64>,
    /// How many streams the records are of.
    pub streams: u64,
}
