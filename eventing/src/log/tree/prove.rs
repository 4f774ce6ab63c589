//! Proofs: that a record is in the log, and that the log only grew.

use super::Tree;
use crate::ids::Position;
use crate::log::LogError;
use crate::merkle::{Hash, OutOfTree, ProofPlan, verify_consistency, verify_inclusion};

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

impl Tree {
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
}
