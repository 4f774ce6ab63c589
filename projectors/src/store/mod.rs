//! Where views are kept: embedded in LMDB, or in a Redis that processes on many machines share.
//!
//! # What holds here, in both
//! - All changes of a write (view, entries, lookups) become visible at once or not at all, and the checkpoint of a batch
//!   not before its writes.
//! - A write names the version it was folded from. If another process has moved the view on, that write alone is
//!   refused, and the checkpoint of its batch with it. A write to a generation that is neither live nor being built is
//!   refused too.
//! - A person who was forgotten stays so: a write about them that holds anything is refused.
//!
//! # What differs
//! - LMDB: a commit reaches the disk before it is answered, but for its last page: after a power failure the store may
//!   be one commit behind, never torn. A snapshot is of one moment.
//! - Redis: may lose what it was told, or be put back to an older state. That is noticed ([`redis`]) and healed by
//!   folding the log again from the checkpoint that is stored; meanwhile readers are refused rather than told old news. A
//!   snapshot remembers what it has read, and a write folded from what has moved since is refused.
//!
//! Not here: what a view means ([`crate::projections`]). Read next: [`crate::reader`].

mod batch;
mod embedded;
mod error;
mod frozen;
mod generations;
mod layout;
pub mod redis;
mod sealing;
mod snapshot;
mod write;

use std::{path::Path, sync::Arc};

use eventing::Keys;
use tokio::sync::broadcast;

pub(crate) use self::sealing::{kept_lookups, sealed_subject};
pub(crate) use self::{
    batch::{Batch, LookupKey, Raise, Refusal, StoredView, ViewWrite},
    embedded::Snapshot as EmbeddedSnapshot,
    frozen::Frozen,
    generations::RebuildLock,
    layout::{changed_by_another, decode_view},
    snapshot::{Direction, Origin, Snapshot, Standing, Table, Wanted, stream_id},
};
use self::{embedded::Embedded, redis::RedisViews, sealing::Sealing};
pub use self::{error::ViewError, redis::RedisConfig};
use crate::changes::Change;

/// Commits a waiter may fall behind before it reads the store again instead.
const CHANGES_KEPT: usize = 256;

/// The views of all projections. Cheap to clone. A process opens a store once; other processes may open it too.
#[derive(Clone, Debug)]
pub struct ViewStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    adapter: Adapter,
    changes: broadcast::Sender<Arc<[Change]>>,
}

#[derive(Debug)]
enum Adapter {
    Embedded(Embedded),
    Redis(RedisViews),
}

/// Whether views can be read and written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreStatus {
    /// They can, as far as is known.
    Connected,
    /// They cannot, and this is why, without secrets.
    Unavailable(String),
}

/// Names one whole set of a projection's views. Never used again in the same store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A generation and the revision of the projection that folded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) generation: Generation,
    pub(crate) revision: u32,
}

impl ViewStore {
    /// Opens the embedded store in `dir`, or makes an empty one. Frees what processes that died have left behind.
    ///
    /// # Errors
    /// - `Unavailable`: the folder cannot be made or opened, or this process has it open already.
    /// - `Corrupt`: the file is no view store of this program. Deleting the folder loses nothing but time.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, ViewError> {
        Embedded::open(dir.as_ref()).map(Self::embedded)
    }

    /// Opens the views in the Redis that `config` names. Blocks until it has answered, or its timeout is over.
    ///
    /// # Errors
    /// - `Connect`: it does not answer, refuses the password, or would throw views away; the remedy is in the text.
    /// - `Corrupt`: what lies under the prefix is another program's.
    pub fn redis(config: RedisConfig) -> Result<Self, ViewError> {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        let views = RedisViews::open(config, changes.clone())?;
        Ok(Self {
            inner: Arc::new(Inner {
                adapter: Adapter::Redis(views),
                changes,
            }),
        })
    }

    #[cfg(test)]
    pub(crate) fn open_sized(dir: &Path, map_bytes: usize) -> Result<Self, ViewError> {
        Embedded::open_sized(dir, map_bytes).map(Self::embedded)
    }

    /// An embedded store that need not survive this process: commits do not wait for the disk.
    pub(crate) fn open_scratch(dir: &Path) -> Result<Self, ViewError> {
        Embedded::open_scratch(dir).map(Self::embedded)
    }

    fn embedded(embedded: Embedded) -> Self {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        Self {
            inner: Arc::new(Inner {
                adapter: Adapter::Embedded(embedded),
                changes,
            }),
        }
    }

    /// Says that the views are folded from the log of this identity, for good.
    ///
    /// # Errors
    /// - `OtherLog`: they are another log's. Nothing was changed.
    /// - `Unavailable`: the store did not answer.
    pub fn claim(&self, log: &str) -> Result<(), ViewError> {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.claim(log),
            Adapter::Redis(views) => views.claim(log),
        }
    }

    /// Seals what is about people under their keys from now on, so that it ends with the key wherever the store has left
    /// copies of it. What was sealed is read only by a store that was told so.
    #[must_use]
    pub fn sealed_with(self, keys: Keys) -> Self {
        self.sealing().begin(keys);
        self
    }

    fn sealing(&self) -> &Sealing {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.sealing(),
            Adapter::Redis(views) => views.sealing(),
        }
    }

    /// Whether the views can be read and written, as the last call found. Does not ask the store.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        match &self.inner.adapter {
            Adapter::Embedded(_) => StoreStatus::Connected,
            Adapter::Redis(views) => views.status(),
        }
    }

    /// Which form the store has, for people: `LMDB` or `Redis`.
    #[must_use]
    pub fn form(&self) -> &'static str {
        if self.is_remote() { "Redis" } else { "LMDB" }
    }

    /// Whether reads and writes cross a network, so that they must not be made on an asynchronous thread.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.inner.adapter, Adapter::Redis(_))
    }

    /// The views as of this moment; see [`Snapshot`].
    pub(crate) fn snapshot(&self) -> Result<Snapshot, ViewError> {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.snapshot().map(Snapshot::Embedded),
            Adapter::Redis(views) => views.snapshot().map(Snapshot::Redis),
        }
    }

    /// The generation that may be read, unless the store shows less than was read before.
    pub(crate) fn admit(
        &self,
        projection: &'static str,
        snapshot: &Snapshot,
        live: Result<Generation, ViewError>,
    ) -> Result<Generation, ViewError> {
        let (Adapter::Redis(views), Snapshot::Redis(remote)) = (&self.inner.adapter, snapshot) else {
            return live;
        };
        let being_rebuilt = || ViewError::BeingRebuilt(projection);
        let seen = views.seen();
        let live = match live {
            Err(ViewError::NotBuilt(_)) if seen.has_any(projection) => return Err(being_rebuilt()),
            other => other?,
        };
        let checkpoint = snapshot.checkpoint(live)?;
        if seen.admits(
            projection,
            remote.before(),
            remote.origin(projection)?,
            checkpoint,
        ) {
            Ok(live)
        } else {
            Err(being_rebuilt())
        }
    }

    /// Remembers how far a view was read.
    pub(crate) fn note(&self, projection: &'static str, position: eventing::Position) {
        if let Adapter::Redis(views) = &self.inner.adapter {
            views.seen().note(projection, position);
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<[Change]>> {
        self.inner.changes.subscribe()
    }

    fn announce(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            // No receiver means that nobody waits.
            let _ = self.inner.changes.send(changes.into());
        }
    }
}
