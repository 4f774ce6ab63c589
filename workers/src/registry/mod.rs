//! Where base models lie, named by the digest of their bytes, and which of them is current.
//!
//! | module | its one job |
//! |---|---|
//! | [`entry`](self) | what is said of a model, and the pointer |
//! | `files` | the registry as a folder |
//! | `firestore` | the registry in Firestore, with the feature `production` |
//! | [`watched`] | a registry that is asked with bounded patience, and what is known of its health |
//!
//! # What holds here
//! - A registry only grows: what lies under a digest never changes, so nothing needs to be locked or invalidated.
//! - A model is there as a whole or not at all, and is handed out only when its bytes have its digest.
//! - The pointer is a history of numbered moves, each created once; the highest number is current. So a move needs
//!   nothing of its store but that a name can be created only once.
//!
//! The log, and not the pointer, says which model a playlist is made with: the pointer tells workers early what they
//! will need, and operators what is meant to be current.

mod entry;
mod error;
mod files;
#[cfg(feature = "production")]
mod firestore;
pub mod watched;

use std::path::PathBuf;

use bytes::Bytes;
use domain::Digest;

pub use entry::{Current, Entry, Generation};
pub use error::RegistryError;
use files::Files;
#[cfg(feature = "production")]
pub use firestore::{Firestore, FirestoreConfig, FirestoreTrouble};

/// The largest model that a registry keeps.
pub const MODEL_BYTES_MAX: usize = 64 << 20;

/// A registry of base models. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Registry {
    /// A folder of files.
    Files(Files),
    /// Collections in Firestore.
    #[cfg(feature = "production")]
    Firestore(Firestore),
}

/// Awaits the same method of whichever adapter it is.
macro_rules! each {
    ($registry:expr, $adapter:ident => $call:expr) => {
        match $registry {
            Registry::Files($adapter) => $call.await,
            // Boxed, since a client's futures nest deeper than the compiler follows inside a caller's.
            #[cfg(feature = "production")]
            Registry::Firestore($adapter) => Box::pin($call).await,
        }
    };
}

impl Registry {
    /// A registry in the folder `dir`, which is made with the first model.
    #[must_use]
    pub fn files(dir: impl Into<PathBuf>) -> Self {
        Self::Files(Files::new(dir.into()))
    }

    /// A registry in Firestore. Connects with the first request, so a Firestore that is down stops no start.
    #[cfg(feature = "production")]
    #[must_use]
    pub fn firestore(config: FirestoreConfig) -> Self {
        Self::Firestore(Firestore::new(config))
    }

    /// Which form it took, for the start-up line.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            #[cfg(feature = "production")]
            Self::Firestore(_) => "Firestore",
        }
    }

    /// Keeps `model`, durably, and answers its digest. Keeping the same bytes again changes nothing.
    ///
    /// # Errors
    /// - `Unavailable`, `Refused`: it may or may not be kept. Do it again.
    /// - `Damaged`: something else lies there.
    /// - `TooLarge`: nothing was kept.
    pub async fn put(&self, model: impl Into<Bytes>) -> Result<Digest, RegistryError> {
        let model = model.into();
        if model.len() > MODEL_BYTES_MAX {
            return Err(RegistryError::TooLarge(model.len()));
        }
        each!(self, adapter => adapter.put(model))
    }

    /// The bytes with this digest; `None` when they are not here.
    ///
    /// # Errors
    /// - `Damaged`: they are here, but changed.
    /// - `Unavailable`, `Refused`: ask again later.
    pub async fn get(&self, model: Digest) -> Result<Option<Bytes>, RegistryError> {
        each!(self, adapter => adapter.get(model))
    }

    /// Every model that is here, sorted by digest. Its bytes are not verified.
    ///
    /// # Errors
    /// - `Unavailable`, `Refused`: ask again later.
    pub async fn list(&self) -> Result<Vec<Entry>, RegistryError> {
        let mut entries = each!(self, adapter => adapter.list())?;
        entries.sort_unstable_by_key(|entry| entry.model);
        Ok(entries)
    }

    /// The model that the pointer names; `None` before its first move.
    ///
    /// # Errors
    /// - `PointerDamaged`: it names nothing that can be read.
    /// - `Unavailable`, `Refused`: ask again later.
    pub async fn current(&self) -> Result<Option<Current>, RegistryError> {
        each!(self, adapter => adapter.current())
    }

    /// Moves the pointer to `model`, provided it stands where the caller saw it. Of several who move it from the same
    /// place to different models, one succeeds.
    ///
    /// # Errors
    /// - `Moved`: not moved; somebody else was faster. Look at what is current and decide again.
    /// - `Absent`, `Damaged`: not moved; put the model first.
    /// - `Unavailable`, `Refused`: it may or may not have moved. The same call again is safe: it succeeds if it moved.
    pub async fn set_current(
        &self,
        model: Digest,
        expected: Option<Generation>,
    ) -> Result<Current, RegistryError> {
        self.get(model).await?.ok_or(RegistryError::Absent(model))?;
        let wanted = Current {
            generation: expected.map_or(Generation::FIRST, Generation::next),
            model,
        };
        let actual = self.current().await?;
        // The same number with the same model is this very move, done before and not answered.
        if actual == Some(wanted) {
            return Ok(wanted);
        }
        if actual.map(|current| current.generation) != expected {
            return Err(RegistryError::Moved(actual));
        }
        if each!(self, adapter => adapter.create_move(wanted))? {
            return Ok(wanted);
        }
        match self.current().await? {
            Some(current) if current == wanted => Ok(wanted),
            actual => Err(RegistryError::Moved(actual)),
        }
    }
}
