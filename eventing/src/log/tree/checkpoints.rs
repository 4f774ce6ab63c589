//! Checkpoints signed over the tree: which are stored, and which may be.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Stand, Tree};
use crate::log::{Backend, LogError, sqlite};
use crate::merkle::{Hash, ProofPlan, TileId};
use crate::notes::SignedCheckpoint;

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
    /// Another one of the same size by the same key is stored, which was changed since: a key signs the same in the same way.
    #[error("another checkpoint of {size} leaves by the same key is stored")]
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

impl StoredCheckpoint {
    /// Reads the note, which must say what stands beside it. Whose signature it bears is not looked at.
    ///
    /// # Errors
    /// [`LogError::Corrupt`] if it is something else.
    pub(crate) fn signed(&self) -> Result<SignedCheckpoint, LogError> {
        let corrupt =
            |what: &str| LogError::Corrupt(format!("the stored checkpoint of {}: {what}", self.size));
        let signed =
            SignedCheckpoint::parse(self.note.as_bytes()).map_err(|error| corrupt(&error.to_string()))?;
        let said = signed.checkpoint();
        match said.size() == self.size && said.root() == self.root.0 {
            true => Ok(signed),
            false => Err(corrupt("its note is of another one")),
        }
    }
}

/// The tiles that [`judge`] looks at.
pub(in crate::log) fn judged_by(
    new: &SignedCheckpoint,
    latest: Option<&StoredCheckpoint>,
) -> BTreeSet<TileId> {
    let sizes = [Some(new.checkpoint().size()), latest.map(|latest| latest.size)];
    let plans = sizes.into_iter().flatten().map(ProofPlan::root);
    plans.flat_map(|plan| plan.tiles()).collect()
}

/// Whether a checkpoint is to be stored: not if the very same one is there. It takes the place of one that says the same with
/// the signature of another key.
pub(in crate::log) fn judge(
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
        Some(latest) if latest.size == asked => takes_its_place(new, latest),
        _ => Ok(true),
    }
}

/// Whether `new` takes the place of a stored one of the same size and root: not if it is the very same one.
fn takes_its_place(new: &SignedCheckpoint, stored: &StoredCheckpoint) -> Result<bool, StoreCheckpointError> {
    if stored.note == new.to_string() {
        return Ok(false);
    }
    match stored.signed()?.names_a_key_of(new) {
        true => Err(StoreCheckpointError::Exists { size: stored.size }),
        false => Ok(true),
    }
}

impl Tree {
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
    /// may it be given out. Storing the same one again changes nothing. One with the same size and root that another key signed
    /// gives way to it; what else is stored stays. Whether its signature verifies is not looked at.
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
