//! Catalogues, base models and companions in memory, by digest. What a digest names never changes, so nothing here goes stale.

use std::sync::Arc;
use std::time::Duration;

use classifier::{BaseModel, Catalogue, Companions};
use domain::{Digest, FeatureSchema};
use eventing::{EventLog, LogError};
use parking_lot::Mutex;
use projectors::{CatalogueError, Catalogues};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Registry;
use crate::registry::RegistryError;
use crate::registry::watched::{RegistryHealth, Watched};

/// Decoded base models kept at most; each is some kilobytes.
const MODELS_MAX: usize = 16;
/// Decoded companions kept at most: the current ones, and those from before a publication while older requests are still
/// being answered. Some tens of megabytes each with very many listeners.
const COMPANIONS_MAX: usize = 2;
/// How often the registry is looked at: soon enough to tell of trouble before a model is needed.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Loads catalogues, base models and companions, and keeps the last used. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Library {
    log: EventLog,
    registry: Arc<Watched>,
    catalogues: Catalogues,
    models: Arc<Kept<BaseModel>>,
    companions: Arc<Kept<Companions>>,
}

/// What was decoded last.
#[derive(Debug)]
struct Kept<T> {
    recent: Mutex<Recent<T>>,
    max: usize,
    /// Held while one is loaded, so that many playlists do not load the same; those in memory need not wait for it.
    loading: tokio::sync::Mutex<()>,
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
            registry: Arc::new(Watched::new(registry)),
            catalogues,
            models: Arc::new(Kept::at_most(MODELS_MAX)),
            companions: Arc::new(Kept::at_most(COMPANIONS_MAX)),
        }
    }

    /// The catalogue `version`, whose content is the blob `blob`.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub async fn catalogue(&self, version: Digest, blob: Digest) -> Result<Arc<Catalogue>, LibraryError> {
        Ok(self.catalogues.get(version, blob).await?)
    }

    /// The base model with the fingerprint `model`: from memory, from the registry, or from the blob that was published
    /// with it. A registry that is down, slow or damaged delays this by two seconds at most, and not again for a while.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub async fn model(&self, model: Digest, blob: Digest) -> Result<Arc<BaseModel>, LibraryError> {
        if let Some(known) = self.models.get(model) {
            return Ok(known);
        }
        let _loading = self.models.loading.lock().await;
        if let Some(known) = self.models.get(model) {
            return Ok(known);
        }
        let (decoded, is_from_log) = match self.registered(model).await {
            Some(decoded) => (decoded, false),
            None => (self.published(model, blob).await?, true),
        };
        self.registry.verified(model, is_from_log);
        Ok(self.models.put(model, decoded))
    }

    /// The companions `digest`, whose bytes are the blob `blob`: from memory or from the log.
    ///
    /// # Errors
    /// See [`LibraryError`].
    pub async fn companions(&self, digest: Digest, blob: Digest) -> Result<Arc<Companions>, LibraryError> {
        if let Some(known) = self.companions.get(digest) {
            return Ok(known);
        }
        let _loading = self.companions.loading.lock().await;
        if let Some(known) = self.companions.get(digest) {
            return Ok(known);
        }
        let bytes = self.log.blob(blob.as_bytes()).await?;
        let bytes = bytes.ok_or(LibraryError::Missing(blob))?;
        let decoded = tokio::task::spawn_blocking(move || Companions::from_bytes(&bytes)).await;
        let decoded = decoded
            .map_err(|error| LibraryError::unusable(digest, error))?
            .map_err(|error| LibraryError::unusable(digest, error))?;
        if decoded.digest() != digest {
            return Err(LibraryError::unusable(digest, "its digest is another"));
        }
        Ok(self.companions.put(digest, decoded))
    }

    /// What is known of the registry's health, for readiness and metrics.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<RegistryHealth> {
        self.registry.health()
    }

    /// Looks at the registry every half minute until `shutdown`: [`Self::health`] tells of trouble before a playlist
    /// meets it, and the model that the pointer names is in memory before the log asks for it.
    pub async fn follow(self, shutdown: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looking = async {
            loop {
                ticks.tick().await;
                self.look().await;
            }
        };
        shutdown.run_until_cancelled(looking).await;
    }

    /// Looks at the registry once: see [`Self::follow`]. A model that cannot be verified replaces none in memory.
    pub async fn look(&self) {
        let Ok(Some((current, bytes))) = self.registry.get_current().await else {
            return;
        };
        match decode(current.model, &bytes) {
            Ok(decoded) => {
                self.models.put(current.model, decoded);
                self.registry.verified(current.model, false);
            }
            Err(error) => self.unreadable(&error),
        }
    }

    /// The base model that believes nothing, for catalogues of `schema`.
    #[must_use]
    pub fn neutral(schema: &FeatureSchema) -> Arc<BaseModel> {
        Arc::new(BaseModel::neutral(schema))
    }

    /// The registry's copy, if it has a sound one: the log has it as well, so the registry's troubles stop nothing.
    async fn registered(&self, model: Digest) -> Option<BaseModel> {
        let bytes = self.registry.get_soon(model).await.ok()?;
        decode(model, &bytes)
            .inspect_err(|error| self.unreadable(error))
            .ok()
    }

    /// The log's copy.
    async fn published(&self, model: Digest, blob: Digest) -> Result<BaseModel, LibraryError> {
        let bytes = self.log.blob(blob.as_bytes()).await?;
        decode(model, &bytes.ok_or(LibraryError::Missing(blob))?)
    }

    /// The registry's bytes have their digest, and are no model that this program can use.
    fn unreadable(&self, error: &LibraryError) {
        if let LibraryError::Unusable { digest: model, .. } = error {
            let (model, reason) = (*model, "it is no base model that this program can use");
            self.registry.failed(&RegistryError::Damaged { model, reason });
        }
    }
}

fn decode(model: Digest, bytes: &[u8]) -> Result<BaseModel, LibraryError> {
    let decoded = BaseModel::from_bytes(bytes).map_err(|error| LibraryError::unusable(model, error))?;
    if decoded.fingerprint() != model {
        return Err(LibraryError::unusable(model, "its fingerprint is another"));
    }
    Ok(decoded)
}

impl<T> Kept<T> {
    fn at_most(max: usize) -> Self {
        Self {
            recent: Mutex::default(),
            max,
            loading: tokio::sync::Mutex::default(),
        }
    }

    fn get(&self, digest: Digest) -> Option<Arc<T>> {
        self.recent.lock().get(digest)
    }

    fn put(&self, digest: Digest, decoded: T) -> Arc<T> {
        self.recent.lock().put(digest, decoded, self.max)
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
        if let Some(kept) = self.get(digest) {
            return kept;
        }
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
