//! Where the wrapped keys lie.

use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::sync::Cache;

use super::file::FileStore;
use super::postgres::PostgresStore;
use super::published::PublishedRow;
use super::sealing::DataKey;
use super::{DestroyedKey, KeyError};
use crate::ids::SubjectId;

/// A file, or tables that several processes share. Everything but [`Store::notice_destroyed`] may block for long.
pub(super) enum Store {
    File(Mutex<FileStore>),
    Postgres(PostgresStore),
}

/// The keys held ready in memory.
pub(super) type Remembered = Cache<SubjectId, Arc<DataKey>>;

impl Store {
    /// Makes a key where there is none, and remembers it.
    pub(super) fn create(&self, subject: SubjectId, cache: &Remembered) -> Result<(), KeyError> {
        match self {
            Self::File(store) => {
                let mut store = store.lock();
                let key = store.create(subject)?;
                cache.insert(subject, Arc::new(key));
                Ok(())
            }
            Self::Postgres(store) => {
                let key = store.create(subject)?;
                remember(store, subject, key, cache).map(drop)
            }
        }
    }

    /// Reads a key and remembers it, such that no destruction gets lost in between.
    pub(super) fn load(&self, subject: SubjectId, cache: &Remembered) -> Result<Arc<DataKey>, KeyError> {
        match self {
            Self::File(store) => {
                let store = store.lock();
                let key = Arc::new(store.load(subject)?);
                cache.insert(subject, Arc::clone(&key));
                Ok(key)
            }
            Self::Postgres(store) => {
                let key = store.load(subject)?;
                remember(store, subject, key, cache)
            }
        }
    }

    /// Destroys a key and forgets it.
    pub(super) fn destroy(&self, subject: SubjectId, cache: &Remembered) -> Result<(), KeyError> {
        match self {
            Self::File(store) => {
                let mut store = store.lock();
                let destroyed = store.destroy(subject);
                cache.remove(&subject);
                destroyed
            }
            Self::Postgres(store) => {
                let destroyed = store.destroy(subject);
                cache.remove(&subject);
                destroyed
            }
        }
    }

    /// Everybody whose key was destroyed.
    pub(super) fn destroyed(&self) -> Result<Vec<DestroyedKey>, KeyError> {
        match self {
            Self::File(store) => store.lock().destroyed(),
            Self::Postgres(store) => store.destroyed(),
        }
    }

    /// Remembers a checkpoint, unless a larger one is.
    pub(super) fn publish(&self, row: PublishedRow) -> Result<(), KeyError> {
        match self {
            Self::File(store) => store.lock().publish(&row),
            Self::Postgres(store) => store.publish(row),
        }
    }

    /// The remembered checkpoint.
    pub(super) fn published(&self) -> Result<Option<PublishedRow>, KeyError> {
        match self {
            Self::File(store) => store.lock().published(),
            Self::Postgres(store) => store.published(),
        }
    }

    /// Forgets the remembered checkpoint.
    pub(super) fn unpublish(&self) -> Result<(), KeyError> {
        match self {
            Self::File(store) => store.lock().unpublish(),
            Self::Postgres(store) => store.unpublish(),
        }
    }

    /// Remembers a retired audit key.
    pub(super) fn retire(&self, key: String) -> Result<(), KeyError> {
        match self {
            Self::File(store) => store.lock().retire(&key),
            Self::Postgres(store) => store.retire(key),
        }
    }

    /// The retired audit keys, the first one first.
    pub(super) fn retired(&self) -> Result<Vec<String>, KeyError> {
        match self {
            Self::File(store) => store.lock().retired(),
            Self::Postgres(store) => store.retired(),
        }
    }

    /// Forgets what is remembered of a key.
    pub(super) fn forget(&self, subject: SubjectId, cache: &Remembered) {
        let _store = match self {
            Self::File(store) => Some(store.lock()),
            Self::Postgres(_) => None,
        };
        cache.remove(&subject);
    }

    /// Forgets the keys that other processes destroyed; the tables' keeper does so by itself.
    pub(super) fn notice_destroyed(&self, cache: &Remembered) -> Result<(), KeyError> {
        match self {
            Self::File(store) => {
                let mut store = store.lock();
                for subject in store.newly_destroyed()? {
                    cache.remove(&subject);
                }
            }
            Self::Postgres(store) => store.refuse_blind()?,
        }
        Ok(())
    }
}

/// A destruction is noted first and the key forgotten then; here it is the other way round. So one of the two sees the other.
fn remember(
    store: &PostgresStore,
    subject: SubjectId,
    key: DataKey,
    cache: &Remembered,
) -> Result<Arc<DataKey>, KeyError> {
    let key = Arc::new(key);
    cache.insert(subject, Arc::clone(&key));
    if store.is_destroyed(subject) {
        cache.remove(&subject);
        return Err(KeyError::Destroyed(subject));
    }
    Ok(key)
}
