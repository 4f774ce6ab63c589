//! What has happened to the catalogue. Every field is described in `docs/events.md`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::FeatureSchema;
use crate::Digest;

stored_events! {
    /// A fact about the catalogue.
    CatalogueEvent in Catalogue {
        /// A version was imported and is the current one from here on.
        "catalogue.imported" 1 Imported(Imported),
    }
}

/// Payload of `catalogue.imported`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The digest of the content: the version's name.
    pub version: Digest,
    /// How many tracks there are.
    pub tracks: u64,
    /// What the tracks' numbers mean.
    pub schema: FeatureSchema,
    /// The digest of the blob that holds the content.
    pub blob: Digest,
    /// Where it came from, as the operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was imported.
    pub imported_at: DateTime<Utc>,
}
