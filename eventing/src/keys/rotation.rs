//! Another master key for the keys that there are. The log is not touched: it is sealed under the subject keys, which stay.
//!
//! It is one transaction: a crash leaves all keys under the old master key or all under the new one. A process that runs
//! meanwhile goes on with the keys it has in memory. For any other it answers [`KeyError::Rotated`] from then on, reads
//! nothing wrongly and makes no key under the old master key; it must be started again with the new one.

use std::path::Path;

use super::file::{FILE, FileStore};
use super::postgres;
use super::{KeyError, Keys, MasterKey, blocking};
use crate::log::PostgresConfig;

/// What a rotation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// So many subject keys, and the pepper, are wrapped under the new master key now, and under no other.
    Now(u64),
    /// They were already, as after a rotation whose end was not seen.
    Before,
}

/// Why the master key was not rotated. Nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The new key is the present one.
    #[error("the new master key is the present one")]
    SameKey,
    /// There are no keys.
    #[error("there is no {FILE} in {0}")]
    NoKeys(String),
    /// The keys cannot be read or written, or belong to neither master key.
    #[error(transparent)]
    Keys(#[from] KeyError),
}

impl Keys {
    /// Wraps the keys in `keys.db` of the folder `dir` under `new`. `progress` is told how many are done.
    ///
    /// # Errors
    /// [`RotateError`]; nothing is changed, unless [`KeyError::Unavailable`]: then do it again.
    pub async fn rotate(
        dir: &Path,
        present: MasterKey,
        new: MasterKey,
        mut progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Rotated, RotateError> {
        refuse_same(&present, &new)?;
        if !Self::is_in(dir) {
            return Err(RotateError::NoKeys(dir.display().to_string()));
        }
        let dir = dir.to_owned();
        let rotating = move || match FileStore::open(&dir, &present) {
            Ok((store, _)) => store.rotate(&new, &mut progress).map(Rotated::Now),
            Err(KeyError::WrongMasterKey) => FileStore::open(&dir, &new).map(|_| Rotated::Before),
            Err(error) => Err(error),
        };
        Ok(blocking(rotating).await?)
    }

    /// The same for the keys in the schema `segue_keys` of the database at `config`.
    ///
    /// # Errors
    /// [`RotateError`]; nothing is changed, unless [`KeyError::Unavailable`]: then do it again.
    pub async fn rotate_postgres(
        config: &PostgresConfig,
        present: MasterKey,
        new: MasterKey,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Rotated, RotateError> {
        refuse_same(&present, &new)?;
        Ok(postgres::rotation::rotate(config, &present, &new, progress).await?)
    }
}

fn refuse_same(present: &MasterKey, new: &MasterKey) -> Result<(), RotateError> {
    match present.bytes() == new.bytes() {
        true => Err(RotateError::SameKey),
        false => Ok(()),
    }
}
