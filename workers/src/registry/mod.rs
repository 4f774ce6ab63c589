//! Where base models lie, named by the digest of their bytes.
//!
//! A registry only grows: what lies under a digest never changes, so nothing needs to be locked or invalidated.
//! [`Registry`] is an enum over adapters; today there are files.

mod files;

use std::path::PathBuf;

use bytes::Bytes;
use domain::Digest;

use files::Files;

/// A registry of base models. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Registry {
    /// A folder of files.
    Files(Files),
}

/// The registry could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// What lies under the digest has another digest. It was not handed out; remove it and publish the model again.
    #[error("the registry's model {0} is damaged")]
    Damaged(Digest),
    /// The registry did not answer. A write may have happened; doing it again is safe.
    #[error("the registry of models did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Registry {
    /// A registry in the folder `dir`, which is made with the first model.
    #[must_use]
    pub fn files(dir: impl Into<PathBuf>) -> Self {
        Self::Files(Files::new(dir.into()))
    }

    /// Keeps `model`, durably, and answers its digest. Keeping the same bytes again changes nothing.
    ///
    /// # Errors
    /// - `Unavailable`: it may or may not be kept. Do it again.
    /// - `Damaged`: something else lies there.
    pub async fn put(&self, model: impl Into<Bytes>) -> Result<Digest, RegistryError> {
        match self {
            Self::Files(files) => files.put(model.into()).await,
        }
    }

    /// The bytes with this digest; `None` when they are not here.
    ///
    /// # Errors
    /// - `Damaged`: they are here, but changed.
    /// - `Unavailable`: ask again later.
    pub async fn get(&self, model: Digest) -> Result<Option<Bytes>, RegistryError> {
        match self {
            Self::Files(files) => files.get(model).await,
        }
    }

    /// The digests of every model that is here, sorted.
    ///
    /// # Errors
    /// - `Unavailable`: ask again later.
    pub async fn list(&self) -> Result<Vec<Digest>, RegistryError> {
        match self {
            Self::Files(files) => files.list().await,
        }
    }
}

impl RegistryError {
    fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}
