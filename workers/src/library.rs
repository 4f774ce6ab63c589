//! Catalogues and base models in memory, by digest. What a digest names never changes, so nothing here goes stale.

use std::sync::Arc;

use classifier::{BaseModel, Catalogue};
use domain::{Digest, FeatureSchema};
use eventing::{EventLog, LogError};
use projectors::{CatalogueError, Catalogues};
use tokio::sync::Mutex;

use crate::Registry;

/// Decoded base models kept at most; each is some kilobytes.
const MODELS_MAX: usize = 16;

/// Loads catalogues and base models, and keeps the last used. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library {
    log: EventLog,
    registry: Registry,
    catalogues: Catalogues,
    models: Arc<Mutex<Recent<BaseModel>>>,
}

/// Why something named by a digest could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// It is nowhere.
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

impl From<CatalogueError> for LibraryError {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Missing(digest) => Self::Missing(digest),
            CatalogueError::Unusable { digest, reason } => Self::Unusable { digest, reason },
            CatalogueError::Log(error) => Self::Log(error),
        }
    }
}

impl LibraryError {
    /// True when asking again later may help; false when the content is lost or spoilt for good.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Log(LogError::Unavailable(_) | LogError::StorageFull | LogError::Stopped)
        )
    }

    fn unusable(digest: Digest, reason: impl ToString) -> Self {
        Self::Unusable {
            digest,
            reason: reason.to_string(),
        }
    }
}

impl Library {
    /// A library over `log` and `registry`, which has the catalogues in common with other parts of the process.
    #[must_use]
    pub fn new(log: EventLog, registry: Registry, catalogues: Catalogues) -> Self {
        Self {
            log,
            registry,
            catalogues,
            models: Arc::default(),
        }
    }

    /// The catalogue `version`, whose content is the blob `blob`.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub async fn catalogue(&self, version: Digest, blob: Digest) -> Result<Arc<Catalogue>, LibraryError> {
        Ok(self.catalogues.get(version, blob).await?)
    }

    /// The base model with the fingerprint `model`: from the registry, or from the blob that was published with it.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub async fn model(&self, model: Digest, blob: Digest) -> Result<Arc<BaseModel>, LibraryError> {
        let mut kept = self.models.lock().await;
        if let Some(model) = kept.get(model) {
            return Ok(model);
        }
        let bytes = match self.registered(model).await {
            Some(bytes) => bytes,
            None => self
                .log
                .blob(blob.as_bytes())
                .await?
                .ok_or(LibraryError::Missing(blob))?,
        };
        let decoded = BaseModel::from_bytes(&bytes).map_err(|error| LibraryError::unusable(model, error))?;
        if decoded.fingerprint() != model {
            return Err(LibraryError::unusable(model, "its fingerprint is another"));
        }
        Ok(kept.put(model, decoded, MODELS_MAX))
    }

    /// The base model that believes nothing, for catalogues of `schema`.
    #[must_use]
    pub fn neutral(schema: &FeatureSchema) -> Arc<BaseModel> {
        Arc::new(BaseModel::neutral(schema))
    }

    /// The registry's bytes, if it has sound ones: the log has them as well, so its troubles stop nothing.
    async fn registered(&self, model: Digest) -> Option<bytes::Bytes> {
        match self.registry.get(model).await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(
                    model.fingerprint = %model,
                    error = &error as &dyn std::error::Error,
                    "the registry of models did not help; the log's copy is used"
                );
                None
            }
        }
    }
}

/// The last used, the latest last.
#[derive(Debug)]
struct Recent<T>(Vec<(Digest, Arc<T>)>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Recent<T> {
    fn get(&mut self, digest: Digest) -> Option<Arc<T>> {
        let at = self.0.iter().position(|(kept, _)| *kept == digest)?;
        let entry = self.0.remove(at);
        let found = entry.1.clone();
        self.0.push(entry);
        Some(found)
    }

    fn put(&mut self, digest: Digest, content: T, max: usize) -> Arc<T> {
        while self.0.len() >= max {
            self.0.remove(0);
        }
        let content = Arc::new(content);
        self.0.push((digest, content.clone()));
        content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_makes_room() {
        let mut recent = Recent::default();
        let [a, b, c] = ["a", "b", "c"].map(Digest::of);
        recent.put(a, 1, 2);
        recent.put(b, 2, 2);
        assert!(recent.get(a).is_some());
        recent.put(c, 3, 2);
        assert_eq!(
            (
                recent.get(a).is_some(),
                recent.get(b).is_some(),
                recent.get(c).is_some()
            ),
            (true, false, true)
        );
    }
}
