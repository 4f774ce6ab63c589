//! What may be wished of base models.

use chrono::{DateTime, Utc};

use crate::Digest;

/// A wish about base models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseModelCommand {
    /// Make this model, whose bytes lie in registry and blob already, the current one. No event when it is current.
    Publish {
        /// The fingerprint of the model.
        model: Digest,
        /// The digest of its feature schema.
        schema: Digest,
        /// The family of the model.
        kind: String,
        /// What it was fitted from, in words.
        trained_on: String,
        /// The digest of the blob that holds its canonical bytes.
        blob: Digest,
        /// Now.
        at: DateTime<Utc>,
    },
}
