//! The log's Merkle tree as it is stored, and the checkpoints signed over it.
//!
//! The tree is made from the log beside the appends, in steps: each is one transaction that writes the tiles it fills, which
//! records belong to which request, and the new right edge, provided that the edge still is where the step began. So any
//! number of processes may grow it at once: of two steps from the same place one counts. A step does not wait for the disk: it is
//! durable with the next append or checkpoint, and is done again after a power cut. What is stored of a smaller tree
//! never changes, and a larger one is made without reading the log again.
//!
//! The arithmetic is in [`merkle`](crate::merkle); who grows the tree and signs is in [`sealer`](crate::sealer).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::{Backend, EventLog, LogError, sqlite};
use crate::ids::{CorrelationId, Position};
use crate::merkle::{
    Frontier, Hash, MissingTile, OutOfTree, ProofPlan, TILE_WIDTH, Tile, TileId, verify_consistency,
    verify_inclusion,
};
use crate::notes::SignedCheckpoint;
use crate::record::RecordedEvent;

/// Leaves added in one transaction at most: some milliseconds of the log's writer.
pub const STEP_LEAVES_MAX: usize = 4_096;

/// The Merkle tree of a log. Cloning is cheap and gives another handle to the same tree.
#[derive(Debug, Clone)]
pub struct Tree {
    log: EventLog,
}

/// Why the tree could not be read, or has no such proof.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The tree has not grown so far.
    #[error("the tree has {size} leaves, not yet {asked}")]
    Beyond {
        /// The size that was asked for.
        asked: u64,
        /// The size that it has.
        size: u64,
    },
    /// There is no such leaf, or the older tree is larger than the newer one.
    #[error(transparent)]
    OutOfTree(#[from] OutOfTree),
    /// The log failed, or the tree is not the log's. [`LogError::Corrupt`] needs a person.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a checkpoint was not stored. Nothing is stored after any of these, and such a checkpoint must not be given out.
#[derive(Debug, thiserror::Error)]
pub enum StoreCheckpointError {
    /// The tree has not grown so far.
    #[error("the tree has {size} leaves, the checkpoint is of {asked}")]
    Beyond {
        /// The checkpoint's size.
        asked: u64,
        /// The tree's size.
        size: u64,
    },
    /// A larger one is stored: take that one.
    #[error("a checkpoint of {latest} leaves is stored, which is more than {size}")]
    Older {
        /// The checkpoint's size.
        size: u64,
        /// The size of the latest one.
        latest: u64,
    },
    /// Another one of the same size is stored, as with another key. A stored one is never replaced.
    #[error("another checkpoint of {size} leaves is stored")]
    Exists {
        /// The size of both.
        size: u64,
    },
    /// The tree has another root at that size.
    #[error("the tree's root at {size} leaves is not the checkpoint's")]
    OtherRoot {
        /// The checkpoint's size.
        size: u64,
    },
    /// The tree is not the one that the latest checkpoint was signed over: the history was changed. Call a person.
    #[error("the tree's root at {size} leaves is not the one that was signed: the history was changed since")]
    Inconsistent {
        /// The size of the latest stored checkpoint.
        size: u64,
    },
    /// The log failed; it may be stored after [`LogError::Unavailable`].
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A checkpoint that was signed, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// How many records it covers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
}

/// That a record is in the log of a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The leaf, from 0: the record's position less one.
    pub index: u64,
    /// The record's hash.
    pub leaf: Hash,
    /// The size of the tree.
    pub size: u64,
    /// The root of the tree at that size.
    pub root: Hash,
    /// The path from the leaf to the root, as [`verify_inclusion`] takes it.
    pub hashes: Vec<Hash>,
}

/// That one tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// The size of the older tree.
    pub from: u64,
    /// The size of the newer tree.
    pub to: u64,
    /// The root of the older tree.
    pub from_root: Hash,
    /// The root of the newer tree.
    pub to_root: Hash,
    /// The proof, as [`verify_consistency`] takes it.
    pub hashes: Vec<Hash>,
}

/// A record as the tree takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    pub(super) position: Position,
    pub(super) hash: Hash,
    pub(super) correlation: CorrelationId,
}

impl From<&RecordedEvent> for Leaf {
    fn from(event: &RecordedEvent) -> Self {
        Self {
            position: event.position,
            hash: event.leaf_hash.into(),
            correlation: event.correlation_id,
        }
    }
}

/// What one step writes.
#[derive(Debug)]
pub(super) struct Growth {
    /// The size that the tree must have.
    pub(super) from: u64,
    /// The right edge afterwards.
    pub(super) edge: Frontier,
    /// The tiles that became full.
    pub(super) tiles: Vec<Tile>,
    pub(super) leaves: Vec<Leaf>,
}

/// The right edge, and what was asked for of the tiles, as they stood at one moment.
#[derive(Debug)]
pub(super) struct Stand {
    pub(super) edge: Frontier,
    pub(super) tiles: HashMap<TileId, Vec<Hash>>,
}

impl Stand {
    /// Of `wanted`, those that lie in the table of full tiles.
    pub(super) fn full<'a>(
        edge: &Frontier,
        wanted: &'a BTreeSet<TileId>,
    ) -> impl Iterator<Item = TileId> + use<'a> {
        let size = edge.size();
        wanted
            .iter()
            .copied()
            .filter(move |id| id.width_at(size) == TILE_WIDTH)
    }

    /// Puts together the edge and the full tiles that were read after it.
    pub(super) fn new(
        edge: Frontier,
        wanted: &BTreeSet<TileId>,
        mut tiles: HashMap<TileId, Vec<Hash>>,
    ) -> Self {
        let size = edge.size();
        for id in wanted {
            if (1..TILE_WIDTH).contains(&id.width_at(size)) {
                tiles.insert(*id, edge.partial(id.level).to_vec());
            }
        }
        Self { edge, tiles }
    }

    fn resolve(&self, plan: &ProofPlan) -> Result<Vec<Hash>, LogError> {
        plan.resolve(&self.tiles)
            .map_err(|MissingTile { id }| lost_tile(id))
    }

    fn root(&self, size: u64) -> Result<Hash, LogError> {
        let root = self.resolve(&ProofPlan::root(size))?;
        root.first()
            .copied()
            .ok_or_else(|| LogError::Corrupt("a tree without a root".to_owned()))
    }

    fn refuse_beyond(&self, asked: u64) -> Result<(), TreeError> {
        let size = self.edge.size();
        if asked > size {
            return Err(TreeError::Beyond { asked, size });
        }
        Ok(())
    }
}

fn lost_tile(id: TileId) -> LogError {
    LogError::Corrupt(format!("tile {} of level {} of the tree is lost", id.n, id.level))
}

/// The hashes of a full tile, from its column.
pub(super) fn hashes_of(id: TileId, bytes: &[u8]) -> Result<Vec<Hash>, LogError> {
    Hash::read_all(bytes)
        .filter(|hashes| hashes.len() == TILE_WIDTH)
        .ok_or_else(|| lost_tile(id))
}

/// The right edge from its row.
pub(super) fn edge_of(size: u64, bytes: &[u8]) -> Result<Frontier, LogError> {
    let edge = Frontier::decode(bytes).map_err(|error| LogError::Corrupt(error.to_string()))?;
    if edge.size() != size {
        return Err(LogError::Corrupt("the size of the tree and its edge".to_owned()));
    }
    Ok(edge)
}

/// The tiles that [`judge`] looks at.
pub(super) fn judged_by(new: &SignedCheckpoint, latest: Option<&StoredCheckpoint>) -> BTreeSet<TileId> {
    let sizes = [Some(new.checkpoint().size()), latest.map(|latest| latest.size)];
    let plans = sizes.into_iter().flatten().map(ProofPlan::root);
    plans.flat_map(|plan| plan.tiles()).collect()
}

/// Whether a checkpoint is to be stored: not if the very same one is there.
pub(super) fn judge(
    new: &SignedCheckpoint,
    latest: Option<&StoredCheckpoint>,
    stand: &Stand,
) -> Result<bool, StoreCheckpointError> {
    let (asked, size) = (new.checkpoint().size(), stand.edge.size());
    if let Some(latest) = latest
        && (latest.size > size || stand.root(latest.size)? != latest.root)
    {
        return Err(StoreCheckpointError::Inconsistent { size: latest.size });
    }
    if asked > size {
        return Err(StoreCheckpointError::Beyond { asked, size });
    }
    if stand.root(asked)?.0 != new.checkpoint().root() {
        return Err(StoreCheckpointError::OtherRoot { size: asked });
    }
    match latest {
        Some(latest) if latest.size > asked => Err(StoreCheckpointError::Older {
            size: asked,
            latest: latest.size,
        }),
        Some(latest) if latest.size == asked && latest.note != new.to_string() => {
            Err(StoreCheckpointError::Exists { size: asked })
        }
        Some(latest) => Ok(latest.size < asked),
        None => Ok(true),
    }
}

impl EventLog {
    /// The Merkle tree of this log.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree { log: self.clone() }
    }
}

impl Tree {
    /// How many records the stored tree covers: all up to the position of the same number. Below the head of the log while
    /// it has not caught up.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn size(&self) -> Result<u64, LogError> {
        Ok(self.edge().await?.size())
    }

    /// The right edge of the stored tree.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or the edge is damaged.
    pub async fn edge(&self) -> Result<Frontier, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => log.read(sqlite::tree::edge).await,
            Backend::Postgres(log) => log.tree_edge().await,
        }
    }

    /// Adds the next records of the log, at most `limit` and at most [`STEP_LEAVES_MAX`], in one transaction, and answers the
    /// size afterwards. Adds nothing where another process added the same ones first.
    ///
    /// # Errors
    /// [`LogError`]: nothing is added, or after [`LogError::Unavailable`] it is unknown. [`LogError::Corrupt`] if a record does
    /// not match its hash, or the log ends before its tree.
    pub async fn extend(&self, limit: usize) -> Result<u64, LogError> {
        let mut edge = self.edge().await?;
        let from = edge.size();
        let leaves = self.leaves_after(from, limit.min(STEP_LEAVES_MAX)).await?;
        let Some(last) = leaves.last() else {
            return self.at_the_head(from).await;
        };
        let to = last.position.0;
        let mut tiles = Vec::new();
        for (position, leaf) in (from + 1..).zip(&leaves) {
            if leaf.position.0 != position {
                let found = leaf.position;
                return Err(LogError::Corrupt(format!(
                    "position {position} is missing before {found}"
                )));
            }
            edge.push_with(leaf.hash, |tile| tiles.push(tile));
        }
        let growth = Growth {
            from,
            edge,
            tiles,
            leaves,
        };
        match self.grow(growth).await? {
            true => Ok(to),
            false => self.size().await,
        }
    }

    /// Adds records until the tree covers `size` of them, and answers its size then.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] if the log ends before; [`TreeError::Log`] if it fails. What was added stays.
    pub async fn extend_to(&self, asked: u64) -> Result<u64, TreeError> {
        let mut size = self.size().await?;
        while size < asked {
            let grown = self.extend(STEP_LEAVES_MAX).await?;
            if grown == size {
                return Err(TreeError::Beyond { asked, size });
            }
            size = grown;
        }
        Ok(size)
    }

    /// From memory where this process has appended them a moment ago, else from the log, where each is held against its
    /// hash. What is in memory ends where another process appended, so it is taken only if there is no more to be had.
    async fn leaves_after(&self, size: u64, limit: usize) -> Result<Vec<Leaf>, LogError> {
        let after = Position(size);
        let head = *self.log.subscribe_head().borrow();
        let recent = match &self.log.backend {
            Backend::Sqlite(log) => log.recent_leaves_after(after, limit),
            Backend::Postgres(log) => log.recent_leaves_after(after, limit),
        };
        if recent.len() == limit || recent.last().is_some_and(|last| last.position >= head) {
            return Ok(recent);
        }
        let events = self.log.read_after(after, limit).await?;
        Ok(events.iter().map(Leaf::from).collect())
    }

    async fn at_the_head(&self, size: u64) -> Result<u64, LogError> {
        let head = self.log.head().await?;
        if head.0 < size {
            return Err(LogError::Corrupt(format!(
                "the log ends at {head}, and its tree covers {size}"
            )));
        }
        Ok(size)
    }

    async fn grow(&self, growth: Growth) -> Result<bool, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => {
                log.write_derived(move |connection| sqlite::tree::grow(connection, &growth))
                    .await
            }
            Backend::Postgres(log) => log.grow_tree(&growth).await,
        }
    }

    async fn stand(&self, wanted: BTreeSet<TileId>) -> Result<Stand, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::tree::stand(connection, &wanted))
                    .await
            }
            Backend::Postgres(log) => log.tree_stand(&wanted).await,
        }
    }

    /// The root over the first `size` records.
    ///
    /// # Errors
    /// [`TreeError::Beyond`] if the tree has not grown so far; [`TreeError::Log`] if it cannot be read.
    pub async fn root(&self, size: u64) -> Result<Hash, TreeError> {
        let stand = self.stand(ProofPlan::root(size).tiles()).await?;
        stand.refuse_beyond(size)?;
        Ok(stand.root(size)?)
    }

    /// Proves that the record at `position` is among the first `size`. The proof was verified, with the hash that stands beside
    /// the record.
    ///
    /// # Errors
    /// [`TreeError::OutOfTree`] if there is no such record, or it comes later; [`TreeError::Beyond`] if the tree has not grown so
    /// far; [`TreeError::Log`] if it cannot be read, or the record is not the one that the tree was made of.
    pub async fn inclusion(&self, position: Position, size: u64) -> Result<Inclusion, TreeError> {
        // Position 0 is no record, and becomes a leaf that no tree has.
        let index = position.0.wrapping_sub(1);
        let path = ProofPlan::inclusion(index, size)?;
        let mut wanted = path.tiles();
        wanted.extend(ProofPlan::root(size).tiles());
        let stand = self.stand(wanted).await?;
        stand.refuse_beyond(size)?;
        let found = self.log.leaf_hashes(vec![position]).await?;
        let leaf = found.get(&position).copied().map(Hash);
        let leaf = leaf.ok_or_else(|| LogError::Corrupt(format!("position {position} is missing")))?;
        let (root, hashes) = (stand.root(size)?, stand.resolve(&path)?);
        verify_inclusion(&leaf, index, size, &hashes, &root).map_err(|_| {
            LogError::Corrupt(format!(
                "the record at {position} is not the one in the log's tree"
            ))
        })?;
        Ok(Inclusion {
            index,
            leaf,
            size,
            root,
            hashes,
        })
    }

    /// Proves that the first `from` records are the beginning of the first `to`. The proof was verified.
    ///
    /// # Errors
    /// [`TreeError::OutOfTree`] if `from` is above `to`; [`TreeError::Beyond`] if the tree has not grown so far;
    /// [`TreeError::Log`] if it cannot be read.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Consistency, TreeError> {
        let plan = ProofPlan::consistency(from, to)?;
        let mut wanted = plan.tiles();
        wanted.extend(ProofPlan::root(from).tiles());
        wanted.extend(ProofPlan::root(to).tiles());
        let stand = self.stand(wanted).await?;
        stand.refuse_beyond(to)?;
        let (from_root, to_root) = (stand.root(from)?, stand.root(to)?);
        let hashes = stand.resolve(&plan)?;
        verify_consistency(from, to, &from_root, &to_root, &hashes)
            .map_err(|_| LogError::Corrupt("the tiles of the log's tree contradict each other".to_owned()))?;
        Ok(Consistency {
            from,
            to,
            from_root,
            to_root,
            hashes,
        })
    }

    /// The hashes of a tile: 256, or fewer at the edge of the tree, or none beyond it.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn tile(&self, id: TileId) -> Result<Vec<Hash>, LogError> {
        let mut stand = self.stand(BTreeSet::from([id])).await?;
        match stand.tiles.remove(&id) {
            Some(hashes) => Ok(hashes),
            None if id.width_at(stand.edge.size()) == 0 => Ok(Vec::new()),
            None => Err(lost_tile(id)),
        }
    }

    /// The positions of the records of one chain of causes above `after`, in order, at most `limit`. Of records that the tree
    /// does not cover yet, which are those above [`size`](Self::size), it knows nothing.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn correlated(
        &self,
        correlation: CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Position>, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::tree::correlated(connection, correlation, after, limit))
                    .await
            }
            Backend::Postgres(log) => log.correlated(correlation, after, limit).await,
        }
    }

    /// The stored checkpoints of more than `size` records, the smallest first, at most `limit`.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn checkpoints_after(
        &self,
        size: u64,
        limit: usize,
    ) -> Result<Vec<StoredCheckpoint>, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::tree::checkpoints_after(connection, size, limit))
                    .await
            }
            Backend::Postgres(log) => log.signed_checkpoints_after(size, limit).await,
        }
    }

    /// The stored checkpoint that covers most records.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn latest_checkpoint(&self) -> Result<Option<StoredCheckpoint>, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => log.read(sqlite::tree::latest_checkpoint).await,
            Backend::Postgres(log) => log.latest_signed_checkpoint().await,
        }
    }

    /// Stores a signed checkpoint, provided that the tree has its root at its size, that no larger one is stored, and that the
    /// tree still has the root of the latest stored one at that one's size. It is durable when this answers, and only then
    /// may it be given out. Storing the same one again changes nothing. Whose signature it bears is not looked at.
    ///
    /// # Errors
    /// [`StoreCheckpointError`]; then it is not stored.
    pub async fn store_checkpoint(
        &self,
        checkpoint: &SignedCheckpoint,
        signed_at: DateTime<Utc>,
    ) -> Result<(), StoreCheckpointError> {
        match &self.log.backend {
            Backend::Sqlite(log) => {
                let checkpoint = checkpoint.clone();
                let write = move |connection: &rusqlite::Connection| {
                    sqlite::tree::store_checkpoint(connection, &checkpoint, signed_at)
                };
                log.write(write).await?
            }
            Backend::Postgres(log) => log.store_signed_checkpoint(checkpoint, signed_at).await,
        }
    }
}
