//! The log's Merkle tree as it is stored, and the checkpoints signed over it.
//!
//! The tree is made from the log beside the appends, in steps: each is one transaction that writes the tiles it fills, which
//! records belong to which request, and the new right edge, provided that the edge still is where the step began. So any
//! number of processes may grow it at once: of two steps from the same place one counts. A step does not wait for the disk: it is
//! durable with the next append or checkpoint, and is done again after a power cut. What is stored of a smaller tree
//! never changes, and a larger one is made without reading the log again.
//!
//! The arithmetic is in [`merkle`](crate::merkle); who grows the tree and signs is in [`sealer`](crate::sealer).

mod chains;
mod checkpoints;
mod grow;
mod prove;
mod stand;

use std::collections::BTreeSet;

use super::{Backend, EventLog, LogError, sqlite};
use crate::ids::{CorrelationId, Position};
use crate::merkle::{Frontier, Hash, TileId};

pub(crate) use self::chains::Run;
pub use self::checkpoints::{StoreCheckpointError, StoredCheckpoint};
pub(in crate::log) use self::checkpoints::{judge, judged_by};
pub use self::grow::STEP_LEAVES_MAX;
pub(in crate::log) use self::grow::{Growth, Leaf};
pub use self::prove::{Consistency, Inclusion, TreeError};
use self::stand::lost_tile;
pub(in crate::log) use self::stand::{Stand, edge_of, hashes_of};

/// The Merkle tree of a log. Cloning is cheap and gives another handle to the same tree.
#[derive(Debug, Clone)]
pub struct Tree {
    log: EventLog,
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

    async fn stand(&self, wanted: BTreeSet<TileId>) -> Result<Stand, LogError> {
        match &self.log.backend {
            Backend::Sqlite(log) => {
                log.read(move |connection| sqlite::tree::stand(connection, &wanted))
                    .await
            }
            Backend::Postgres(log) => log.tree_stand(&wanted).await,
        }
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
}
