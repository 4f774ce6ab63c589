//! Growing the tree after the log, in steps.

use super::{Run, Tree, TreeError};
use crate::ids::{CorrelationId, Position};
use crate::log::{Backend, LogError, sqlite};
use crate::merkle::{Frontier, Hash, Tile};
use crate::record::RecordedEvent;

/// Leaves added in one transaction at most: some milliseconds of the log's writer.
pub const STEP_LEAVES_MAX: usize = 4_096;

/// A record as the tree takes it.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) struct Leaf {
    pub(in crate::log) position: Position,
    pub(in crate::log) hash: Hash,
    pub(in crate::log) correlation: CorrelationId,
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
pub(in crate::log) struct Growth {
    /// The size that the tree must have.
    pub(in crate::log) from: u64,
    /// The right edge afterwards.
    pub(in crate::log) edge: Frontier,
    /// The tiles that became full.
    pub(in crate::log) tiles: Vec<Tile>,
    /// Which chains of causes the new records belong to.
    pub(in crate::log) runs: Vec<Run>,
}

impl Tree {
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
            runs: Run::all_of(&leaves),
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
}
