//! What may be wished of the catalogue.

use chrono::{DateTime, Utc};

use super::FeatureSchema;
use crate::Digest;

/// A wish about the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub enum CatalogueCommand {
    /// Make this content, which lies in the blob already, the current version. No event when it is current.
    Import {
        /// The digest of the content.
        version: Digest,
        /// How many tracks there are.
        tracks: u64,
        /// What the tracks' numbers mean.
        schema: FeatureSchema,
        /// The digest of the blob that holds the content.
        blob: Digest,
        /// Where it came from.
        source: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
}
