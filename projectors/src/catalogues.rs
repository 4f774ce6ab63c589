//! Decoded catalogues by version. What a digest names never changes, so nothing here goes stale.

use std::sync::Arc;

use classifier::Catalogue;
use domain::Digest;
use eventing::{EventLog, LogError};
use quick_cache::sync::Cache;

/// Catalogues kept at most: the current one, and the former one while requests from before an import are still being
/// answered. A million tracks take a quarter of a gigabyte, so there are no more.
const KEPT_MAX: usize = 2;

/// Loads catalogues from the log's blobs, and keeps the last used. Cheap to clone; the clones share what they keep, so
/// that all parts of a process hold a catalogue once.
#[derive(Clone, Debug)]
pub struct Catalogues {
    log: EventLog,
    kept: Arc<Cache<Digest, Arc<Catalogue>>>,
}

/// Why a catalogue could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The log has no such content.
    #[error("content {0} is missing")]
    Missing(Digest),
    /// It is there, but is not what its name or its event says.
    #[error("content {digest} cannot be used: {reason}")]
    Unusable {
        /// Its digest.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
}

impl Catalogues {
    /// Nothing loaded yet.
    #[must_use]
    pub fn new(log: EventLog) -> Self {
        Self {
            log,
            kept: Arc::new(Cache::new(KEPT_MAX)),
        }
    }

    /// The catalogue `version`, whose content is the blob `blob`. Several that ask for the same one wait for one load.
    ///
    /// # Errors
    /// See [`CatalogueError`]; what was kept stays so.
    pub async fn get(&self, version: Digest, blob: Digest) -> Result<Arc<Catalogue>, CatalogueError> {
        self.kept
            .get_or_insert_async(&version, self.load(version, blob))
            .await
    }

    async fn load(&self, version: Digest, blob: Digest) -> Result<Arc<Catalogue>, CatalogueError> {
        let bytes = self.log.blob(blob.as_bytes()).await?;
        let bytes = bytes.ok_or(CatalogueError::Missing(blob))?;
        let unusable = |reason: String| CatalogueError::Unusable { digest: blob, reason };
        let decoded = tokio::task::spawn_blocking(move || Catalogue::from_bytes(&bytes)).await;
        let catalogue = decoded
            .map_err(|error| unusable(error.to_string()))?
            .map_err(|error| unusable(error.to_string()))?;
        if catalogue.version() != version {
            return Err(unusable("it is another version".to_owned()));
        }
        tracing::info!(catalogue.version = %version, catalogue.tracks = catalogue.len(), "a catalogue was loaded");
        Ok(Arc::new(catalogue))
    }
}
