//! Where views are kept: an embedded LMDB environment that several processes may open at once.
//!
//! # What holds here
//! - All changes of a batch (views, entries, lookups, checkpoints) become visible in one transaction or not at all.
//! - A write names the version it was folded from. If another process has moved the view on, that write alone is
//!   refused. A write to a generation that is neither live nor being built is refused too.
//! - A person who was forgotten stays so: a write about them that holds anything is refused.
//! - A commit reaches the disk before it is answered, but for its last page: after a power failure the store may be one
//!   commit behind, never torn. The checkpoint lies in the same commit, so the consumer does that part again.
//!
//! Not here: what a view means ([`crate::projections`]). Read next: [`crate::reader`].

mod error;
mod generations;
mod layout;
mod snapshot;
mod write;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use eventing::{Position, StreamId, SubjectId, Version};
use heed::{
    Database, Env, EnvFlags, EnvOpenOptions, WithoutTls,
    types::{Bytes, Str},
};
use tokio::sync::broadcast;

pub use self::error::ViewError;
pub(crate) use self::generations::RebuildLock;
pub(crate) use self::layout::decode_view;
pub(crate) use self::snapshot::{Direction, Snapshot, Table, stream_id};
use crate::changes::Change;

/// The address space the store may grow into. Sparse: the file takes only what is used.
#[cfg(target_pointer_width = "64")]
const MAP_BYTES: usize = 64 << 30;
#[cfg(not(target_pointer_width = "64"))]
const MAP_BYTES: usize = 1 << 30;
/// Read transactions at one time, over all processes.
const READERS_MAX: u32 = 2048;
/// Commits a waiter may fall behind before it reads the store again instead.
const CHANGES_KEPT: usize = 256;
const FORMAT: u64 = 1;

/// The views of all projections. Cheap to clone. A process opens a folder once; other processes may open it too.
#[derive(Clone, Debug)]
pub struct ViewStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    env: Env<WithoutTls>,
    tables: Tables,
    dir: PathBuf,
    changes: broadcast::Sender<Arc<[Change]>>,
}

#[derive(Clone, Copy, Debug)]
struct Tables {
    meta: Database<Str, Bytes>,
    views: Database<Bytes, Bytes>,
    entries: Database<Bytes, Bytes>,
    lookups: Database<Bytes, Bytes>,
    forgotten: Database<Bytes, Bytes>,
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

/// A view as it lies in the store. `head` is `None` when the view was removed: its person was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredView<'txn> {
    pub(crate) version: Version,
    pub(crate) position: Position,
    pub(crate) head: Option<&'txn [u8]>,
}

/// A pointer from one thing to another: `(index, partition, key)`. Neither index nor partition holds a zero byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LookupKey {
    pub(crate) index: &'static str,
    pub(crate) partition: String,
    pub(crate) key: String,
}

impl LookupKey {
    pub(crate) fn new(index: &'static str, partition: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            index,
            partition: partition.into(),
            key: key.into(),
        }
    }
}

/// Brings one view from one version to another.
#[derive(Clone, Debug)]
pub(crate) struct ViewWrite {
    pub(crate) projection: &'static str,
    pub(crate) generation: Generation,
    pub(crate) stream: StreamId,
    /// Whom the view is about.
    pub(crate) subject: Option<SubjectId>,
    /// The stored version that this was folded from; `Version(0)` for a view that is not there yet.
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) position: Position,
    /// `None` removes the view with all of its entries and keeps the version.
    pub(crate) head: Option<Vec<u8>>,
    /// `None` removes the entry.
    pub(crate) entries: Vec<(String, Option<Vec<u8>>)>,
    /// `None` removes the lookup.
    pub(crate) lookups: Vec<(LookupKey, Option<Vec<u8>>)>,
}

/// What is stored in one transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) writes: Vec<ViewWrite>,
    /// Each only grows: a lower one than is stored changes nothing.
    pub(crate) checkpoints: Vec<(&'static str, Generation, Position)>,
    /// People of whom nothing may be written from this batch on.
    pub(crate) forgotten: Vec<SubjectId>,
}

/// Why a write of a batch was left out. The other writes of the batch are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The view stands at another version than the one the write was folded from.
    OtherVersion,
    /// The view was removed, or its person forgotten, and the write holds something.
    Forgotten,
    /// The generation is neither live nor being built.
    OtherGeneration,
}

impl ViewStore {
    /// Opens the store in `dir`, or makes an empty one. Frees what processes that died have left behind.
    ///
    /// # Errors
    /// - `Unavailable`: the folder cannot be made or opened, or this process has it open already.
    /// - `Corrupt`: the file is no view store of this program. Deleting the folder loses nothing but time.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, ViewError> {
        Self::open_sized(dir.as_ref(), MAP_BYTES)
    }

    pub(crate) fn open_sized(dir: &Path, map_bytes: usize) -> Result<Self, ViewError> {
        Self::open_with(dir, map_bytes, EnvFlags::NO_META_SYNC)
    }

    /// A store that need not survive this process: commits do not wait for the disk.
    pub(crate) fn open_scratch(dir: &Path) -> Result<Self, ViewError> {
        Self::open_with(dir, MAP_BYTES, EnvFlags::NO_SYNC)
    }

    fn open_with(dir: &Path, map_bytes: usize, flags: EnvFlags) -> Result<Self, ViewError> {
        fs::create_dir_all(dir).map_err(ViewError::unavailable)?;
        let env = open_env(dir, map_bytes, flags)?;
        env.clear_stale_readers()?;
        let tables = Tables::open(&env)?;
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        Ok(Self {
            inner: Arc::new(Inner {
                env,
                tables,
                dir: dir.to_owned(),
                changes,
            }),
        })
    }

    /// The folder that the store lies in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// How many bytes the store takes on the disk.
    ///
    /// # Errors
    /// - `Unavailable`: the file could not be looked at.
    pub fn disk_bytes(&self) -> Result<u64, ViewError> {
        Ok(self.inner.env.real_disk_size()?)
    }

    /// Everything as of this moment. Cheap, but while it lives the store cannot use freed pages again.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, ViewError> {
        let txn = match self.inner.env.clone().static_read_txn() {
            Err(heed::Error::Mdb(heed::MdbError::ReadersFull)) => {
                self.inner.env.clear_stale_readers()?;
                self.inner.env.clone().static_read_txn()?
            }
            other => other?,
        };
        Ok(Snapshot::new(txn, self.inner.tables))
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

#[expect(
    unsafe_code,
    reason = "a memory map is sound only while nobody but LMDB writes its file"
)]
fn open_env(dir: &Path, map_bytes: usize, flags: EnvFlags) -> Result<Env<WithoutTls>, ViewError> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_dbs(8).max_readers(READERS_MAX);
    // SAFETY: the folder is the program's own, every process opens it through LMDB with its lock file, and the two
    // flags in use say when the disk is waited for: NO_META_SYNC may lose the last commit at a power failure, never
    // the file's integrity, and NO_SYNC is for stores that nobody opens again.
    let env = unsafe { options.flags(flags).open(dir) };
    env.map_err(|error| match error {
        heed::Error::Io(cause) if cause.kind() == io::ErrorKind::OutOfMemory => ViewError::unavailable(cause),
        other => other.into(),
    })
}

impl Tables {
    fn open(env: &Env<WithoutTls>) -> Result<Self, ViewError> {
        let mut txn = env.write_txn()?;
        let tables = Self {
            meta: env.create_database(&mut txn, Some("meta"))?,
            views: env.create_database(&mut txn, Some("views"))?,
            entries: env.create_database(&mut txn, Some("entries"))?,
            lookups: env.create_database(&mut txn, Some("lookups"))?,
            forgotten: env.create_database(&mut txn, Some("forgotten"))?,
        };
        match tables.meta.get(&txn, "format")? {
            None => tables.meta.put(&mut txn, "format", &FORMAT.to_be_bytes())?,
            Some(bytes) if bytes == FORMAT.to_be_bytes() => {}
            Some(_) => return Err(layout::corrupt("its format is another program's")),
        }
        txn.commit()?;
        Ok(tables)
    }
}
