//! Subject keys: one key per person, kept outside the log.
//!
//! Whatever a record says about a person is sealed under that person's key. [`Keys::destroy`] deletes the key,
//! and with it everything the log, its backups, exports and messages will ever tell about them, while every
//! hash and proof stays as it is.
//!
//! The keys lie in `keys.db`, or in a schema of PostgreSQL, each wrapped under the [`MasterKey`]. So does the **pepper**, a random value of
//! this deployment that keys the hashes of names and requests ([`Keys::hmac`]).
//!
//! # Invariants
//! - A destroyed key never comes back: its subject is remembered, and a new key for it is refused.
//! - A key that is missing without having been destroyed is damage and an error, never taken for an erasure.
//! - Another process's destruction is noticed within [`RECHECK_AFTER`].

pub(crate) mod backup;
mod file;
mod master;
mod postgres;
mod published;
mod retired;
mod rotation;
mod sealing;
mod store;
mod wrapping;
mod xchacha;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::append::StorageFault;
use crate::ids::SubjectId;
use crate::log::{OpenError, PostgresConfig};
use crate::record::{Body, RecordedEvent, SealedPayload};

use file::FileStore;
pub use master::{MasterKey, MasterKeyError};
use postgres::PostgresStore;
pub use rotation::{RotateError, Rotated};
use sealing::DataKey;
use store::{Remembered, Store};

/// Keys held ready in memory at most; a few hundred bytes each.
const CACHED_MAX: usize = 50_000;
/// How long this process may not know of a key that another process destroyed.
pub const RECHECK_AFTER: Duration = Duration::from_millis(500);

/// The payload of a record, as far as it can still be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The payload: one JSON object.
    Open(Bytes),
    /// The person it was about has been forgotten.
    Erased,
}

/// Somebody whose key was destroyed. The memory of it is what lets a log that was put back to an older state forget them
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestroyedKey {
    /// The person.
    pub subject: SubjectId,
    /// When the key was destroyed.
    pub at: DateTime<Utc>,
}

/// Why a key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file of keys could not be opened.
    #[error("the subject keys cannot be opened")]
    Open(#[source] OpenError),
    /// The keys are wrapped under another master key.
    #[error("the subject keys belong to another master key")]
    WrongMasterKey,
    /// The keys were wrapped under another master key since this process opened them. Nothing was made or read: start the
    /// process again with the new one.
    #[error("the master key was rotated while this process ran: start it again with the new master key")]
    Rotated,
    /// The person has been forgotten: nothing can be sealed for them any more.
    #[error("the subject {0} has been erased")]
    Destroyed(SubjectId),
    /// There is no key, and it was not destroyed either: it was never made, or `keys.db` is not the one that
    /// belongs to this log.
    #[error("there is no key for the subject {0}")]
    Missing(SubjectId),
    /// Something sealed does not open: it was changed, or stands in the wrong place.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// The file of keys did not answer: try later.
    #[error("the subject keys are not available")]
    Unavailable(#[source] StorageFault),
}

impl KeyError {
    /// Whether the same may succeed later, so that it says nothing about what was to be opened.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Rotated)
    }
}

/// The subject keys. Cloning is cheap and gives another handle.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    pepper: Zeroizing<[u8; 32]>,
    cache: Arc<Remembered>,
    opened: Instant,
    /// When destructions were last looked for, in milliseconds after `opened`.
    checked_ms: AtomicU64,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Whether there is a `keys.db` in the folder `dir`.
    #[must_use]
    pub fn is_in(dir: &Path) -> bool {
        dir.join(file::FILE).exists()
    }

    /// Opens `keys.db` in the folder `dir`, and makes it (mode 0600) with a new pepper if there is none.
    ///
    /// # Errors
    /// [`KeyError::WrongMasterKey`], [`KeyError::Open`] or [`KeyError::Unavailable`]; nothing is changed.
    pub async fn open(dir: impl Into<PathBuf>, master: MasterKey) -> Result<Self, KeyError> {
        let dir = dir.into();
        blocking(move || {
            let (store, pepper) = FileStore::open(&dir, &master)?;
            let cache = Arc::new(Cache::new(CACHED_MAX));
            Ok(Self::with(Store::File(Mutex::new(store)), pepper, cache))
        })
        .await
    }

    /// Opens the keys in the schema `segue_keys` of the database at `config`, which [`migrate`](crate::migrate) has made
    /// ready, and makes a new pepper if there is none. Processes that share the database share the keys.
    ///
    /// # Errors
    /// [`KeyError::WrongMasterKey`] or [`KeyError::Unavailable`]; nothing is changed.
    pub async fn open_postgres(config: PostgresConfig, master: MasterKey) -> Result<Self, KeyError> {
        blocking(move || {
            let cache = Arc::new(Cache::new(CACHED_MAX));
            let (store, pepper) = PostgresStore::open(config, &master, Arc::clone(&cache))?;
            Ok(Self::with(Store::Postgres(store), pepper, cache))
        })
        .await
    }

    fn with(store: Store, pepper: Zeroizing<[u8; 32]>, cache: Arc<Remembered>) -> Self {
        let inner = Inner {
            store,
            pepper,
            cache,
            opened: Instant::now(),
            checked_ms: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes a key for a person. Making it again changes nothing. It is durable when this answers.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] if the person was forgotten; otherwise the store's faults.
    pub async fn create(&self, subject: SubjectId) -> Result<(), KeyError> {
        if self.cached(subject)?.is_some() {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.store.create(subject, &inner.cache)).await
    }

    /// Answers whether things can be sealed for this person.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] or [`KeyError::Missing`] if not; otherwise the store's faults.
    pub async fn ensure(&self, subject: SubjectId) -> Result<(), KeyError> {
        self.key(subject).await.map(drop)
    }

    /// Seals `plaintext` for a person. It opens only with the same `context`.
    ///
    /// # Errors
    /// [`KeyError::Destroyed`] or [`KeyError::Missing`] if there is no key; otherwise the store's faults.
    pub async fn seal(
        &self,
        subject: SubjectId,
        context: &[u8],
        plaintext: &[u8],
    ) -> Result<SealedPayload, KeyError> {
        Ok(self.key(subject).await?.seal(context, plaintext))
    }

    /// [`Keys::seal`] for threads that may block.
    ///
    /// # Errors
    /// As [`Keys::seal`].
    pub fn seal_blocking(
        &self,
        subject: SubjectId,
        context: &[u8],
        plaintext: &[u8],
    ) -> Result<SealedPayload, KeyError> {
        Ok(self.inner.key_blocking(subject)?.seal(context, plaintext))
    }

    /// [`Keys::open_sealed`] for threads that may block.
    ///
    /// # Errors
    /// As [`Keys::open_sealed`].
    pub fn open_sealed_blocking(
        &self,
        subject: SubjectId,
        context: &[u8],
        sealed: &SealedPayload,
    ) -> Result<Payload, KeyError> {
        open_with(self.inner.key_blocking(subject), context, sealed)
    }

    /// Opens what [`Keys::seal`] sealed; [`Payload::Erased`] once the person is forgotten.
    ///
    /// # Errors
    /// [`KeyError::Missing`] or [`KeyError::Damaged`]; otherwise the store's faults.
    pub async fn open_sealed(
        &self,
        subject: SubjectId,
        context: &[u8],
        sealed: &SealedPayload,
    ) -> Result<Payload, KeyError> {
        open_with(self.key(subject).await, context, sealed)
    }

    /// The payload of a record: opened if it is sealed, [`Payload::Erased`] once the person is forgotten.
    ///
    /// # Errors
    /// [`KeyError::Missing`] or [`KeyError::Damaged`]; otherwise the store's faults.
    pub async fn open_event(&self, event: &RecordedEvent) -> Result<Payload, KeyError> {
        match sealed_part(event)? {
            Part::Open(payload) => Ok(Payload::Open(payload)),
            Part::Sealed(subject, sealed) => {
                self.open_sealed(subject, event.seal_context().as_bytes(), sealed)
                    .await
            }
        }
    }

    /// [`Keys::open_event`] for threads that may block: a key that is not at hand is read from the disk.
    ///
    /// # Errors
    /// As [`Keys::open_event`].
    pub fn open_event_blocking(&self, event: &RecordedEvent) -> Result<Payload, KeyError> {
        match sealed_part(event)? {
            Part::Open(payload) => Ok(Payload::Open(payload)),
            Part::Sealed(subject, sealed) => open_with(
                self.inner.key_blocking(subject),
                event.seal_context().as_bytes(),
                sealed,
            ),
        }
    }

    /// Forgets a person for good: destroys their key. Doing it again changes nothing. When this answers, no
    /// process that opens the file can read the key, and its bytes are overwritten in it.
    ///
    /// # Errors
    /// The store's faults; then it is unknown whether the key is destroyed: do it again.
    pub async fn destroy(&self, subject: SubjectId) -> Result<(), KeyError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.store.destroy(subject, &inner.cache)).await
    }

    /// Everybody whose key was destroyed, by whichever process, and when, in that order.
    ///
    /// # Errors
    /// The store's faults.
    pub async fn destroyed(&self) -> Result<Vec<DestroyedKey>, KeyError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.store.destroyed()).await
    }

    /// Drops a key from memory, so that the next use asks the file: for whoever hears first that another
    /// process erased the person.
    pub fn forget_cached(&self, subject: SubjectId) {
        self.inner.store.forget(subject, &self.inner.cache);
    }

    /// A hash of `data`, keyed by this deployment's pepper: without `keys.db` nobody can try names against it.
    /// `domain` keeps one use apart from another.
    #[must_use]
    pub fn hmac(&self, domain: &str, data: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.inner.pepper[..]).expect("any length of key will do");
        mac.update(&(domain.len() as u64).to_be_bytes());
        mac.update(domain.as_bytes());
        mac.update(data);
        mac.finalize().into_bytes().into()
    }

    fn cached(&self, subject: SubjectId) -> Result<Option<Arc<DataKey>>, KeyError> {
        self.inner.notice_destroyed()?;
        Ok(self.inner.cache.get(&subject))
    }

    async fn key(&self, subject: SubjectId) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.cached(subject)? {
            return Ok(key);
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.key_blocking(subject)).await
    }
}

impl Inner {
    fn key_blocking(&self, subject: SubjectId) -> Result<Arc<DataKey>, KeyError> {
        self.notice_destroyed()?;
        if let Some(key) = self.cache.get(&subject) {
            return Ok(key);
        }
        self.store.load(subject, &self.cache)
    }

    /// Drops the keys that other processes destroyed. Looks at most twice a second; while this process writes
    /// keys itself, somebody else looks.
    fn notice_destroyed(&self) -> Result<(), KeyError> {
        let now_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let age_ms = u128::from(now_ms.saturating_sub(self.checked_ms.load(Ordering::Acquire)));
        if age_ms < RECHECK_AFTER.as_millis() {
            return Ok(());
        }
        self.store.notice_destroyed(&self.cache)?;
        self.checked_ms.store(now_ms, Ordering::Release);
        Ok(())
    }
}

/// The content of a record: readable, or sealed for somebody.
enum Part<'a> {
    Open(Bytes),
    Sealed(SubjectId, &'a SealedPayload),
}

fn sealed_part(event: &RecordedEvent) -> Result<Part<'_>, KeyError> {
    match (&event.body, event.subject) {
        (Body::Open(payload), _) => Ok(Part::Open(payload.clone())),
        (Body::Sealed(sealed), Some(subject)) => Ok(Part::Sealed(subject, sealed)),
        (Body::Sealed(_), None) => Err(KeyError::Damaged("a sealed record without a subject")),
    }
}

fn open_with(
    key: Result<Arc<DataKey>, KeyError>,
    context: &[u8],
    sealed: &SealedPayload,
) -> Result<Payload, KeyError> {
    match key {
        Ok(key) => key.open(context, sealed).map(Payload::Open),
        Err(KeyError::Destroyed(_)) => Ok(Payload::Erased),
        Err(error) => Err(error),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|died| Err(KeyError::Unavailable(StorageFault::new(died))))
}
