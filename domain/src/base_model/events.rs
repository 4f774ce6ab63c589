//! What has happened to base models. Every field is described in `docs/events.md`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Digest;

stored_events! {
    /// A fact about base models.
    BaseModelEvent in BaseModel {
        /// A model was published and is the current one from here on.
        "model.published" 1 Published(Published),
    }
}

/// Payload of `model.published`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The fingerprint of the model: the digest of its canonical bytes.
    pub model: Digest,
    /// The digest of the feature schema that it belongs to.
    pub schema: Digest,
    /// The family of the model, as `hierarchical_naive_bayes`.
    pub kind: String,
    /// What it was fitted from, in words.
    pub trained_on: String,
    /// The digest of the blob that holds its canonical bytes.
    pub blob: Digest,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}
