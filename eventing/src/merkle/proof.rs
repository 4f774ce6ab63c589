//! Proofs, made from tiles: which ones are needed, and what comes of them.
//!
//! A hash of a proof is the root over a range of leaves. Such a range falls into full subtrees, and a full subtree lies
//! within one tile. So a proof needs at most three tiles of each level, and never the log itself.

use std::collections::{BTreeSet, HashMap};

use super::hash::{Hash, empty_root, node_hash};
use super::tiles::{TILE_WIDTH, Tile, TileId, subtree_root};

/// Something is asked for that a tree of that size does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfTree {
    /// There is no such leaf.
    #[error("a tree of {size} leaves has no leaf {index}")]
    Leaf {
        /// The leaf that was asked for, from 0.
        index: u64,
        /// How many leaves there are.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {from} leaves is not the beginning of one of {to}")]
    Beginning {
        /// The size of the older tree.
        from: u64,
        /// The size of the newer tree.
        to: u64,
    },
}

/// A tile, or the needed part of it, was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {} of level {} is missing or too short", id.n, id.level)]
pub struct MissingTile {
    /// Which one.
    pub id: TileId,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError<E> {
    /// It was asked for what is not in the tree.
    #[error(transparent)]
    OutOfTree(#[from] OutOfTree),
    /// The source does not have what the tree of that size needs.
    #[error(transparent)]
    MissingTile(#[from] MissingTile),
    /// The source failed.
    #[error("the tree could not be read")]
    Source(#[source] E),
}

/// Where tiles are read.
pub trait TileSource {
    /// Why a read failed.
    type Error;

    /// The hashes of a tile, or as many as there are of it.
    ///
    /// # Errors
    /// Whatever the source suffers.
    fn tile(&self, id: TileId) -> Result<Vec<Hash>, Self::Error>;
}

/// A full subtree: the root over the leaves `index 2^height` to `(index + 1) 2^height - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subtree {
    height: u32,
    index: u64,
}

impl Subtree {
    /// The tile that it lies in, and the range of hashes there that it is the root over.
    fn place(self) -> (TileId, std::ops::Range<usize>) {
        let (level, within) = (self.height / 8, self.height % 8);
        let first = self.index << within;
        let id = TileId {
            level: level as u8,
            n: first / TILE_WIDTH as u64,
        };
        let start = (first % TILE_WIDTH as u64) as usize;
        (id, start..start + (1 << within))
    }
}

/// The leaves `start` to `end - 1`, where `start` is a multiple of the largest power of two that is not above their count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
}

impl Range {
    fn len(self) -> u64 {
        self.end - self.start
    }

    /// Where its tree divides (RFC 9162, 2.1.1): after the largest power of two that is below its length, which is above 1.
    fn middle(self) -> u64 {
        self.start + (1 << (u64::BITS - 1 - (self.len() - 1).leading_zeros()))
    }

    fn halves(self) -> (Self, Self) {
        let (start, middle, end) = (self.start, self.middle(), self.end);
        (Self { start, end: middle }, Self { start: middle, end })
    }

    /// The full subtrees it consists of, from left to right.
    fn subtrees(self) -> Vec<Subtree> {
        let mut subtrees = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let height = u64::BITS - 1 - (self.end - start).leading_zeros();
            let index = start >> height;
            subtrees.push(Subtree { height, index });
            start += 1 << height;
        }
        subtrees
    }
}

/// What a proof consists of, before any hash is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPlan {
    ranges: Vec<Range>,
}

impl ProofPlan {
    /// The proof that leaf `index` is in the tree of the first `size` leaves (RFC 9162, 2.1.3.1).
    ///
    /// # Errors
    /// [`OutOfTree::Leaf`] unless `index` is below `size`.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, OutOfTree> {
        if index >= size {
            return Err(OutOfTree::Leaf { index, size });
        }
        let mut ranges = Vec::new();
        let mut range = Range { start: 0, end: size };
        while range.len() > 1 {
            let (left, right) = range.halves();
            let (with, without) = if index < left.end {
                (left, right)
            } else {
                (right, left)
            };
            ranges.push(without);
            range = with;
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// The proof that the tree of `from` leaves is the beginning of the one of `to` (RFC 9162, 2.1.4.1). It is empty
    /// where the sizes are equal, and where `from` is 0, since everything begins with nothing.
    ///
    /// # Errors
    /// [`OutOfTree::Beginning`] if `from` is above `to`.
    pub fn consistency(from: u64, to: u64) -> Result<Self, OutOfTree> {
        if from > to {
            return Err(OutOfTree::Beginning { from, to });
        }
        let mut ranges = Vec::new();
        if from == 0 || from == to {
            return Ok(Self { ranges });
        }
        let mut range = Range { start: 0, end: to };
        while range.end != from {
            let (left, right) = range.halves();
            let (with, without) = if from <= left.end {
                (left, right)
            } else {
                (right, left)
            };
            ranges.push(without);
            range = with;
        }
        // What begins at the first leaf is the older root itself, which the verifier has.
        if range.start > 0 {
            ranges.push(range);
        }
        ranges.reverse();
        Ok(Self { ranges })
    }

    /// The root of the tree of the first `size` leaves, as a plan of one hash.
    #[must_use]
    pub fn root(size: u64) -> Self {
        Self {
            ranges: vec![Range { start: 0, end: size }],
        }
    }

    /// The tiles that [`resolve`](Self::resolve) needs.
    #[must_use]
    pub fn tiles(&self) -> BTreeSet<TileId> {
        let subtrees = self.ranges.iter().flat_map(|range| range.subtrees());
        subtrees.map(|subtree| subtree.place().0).collect()
    }

    /// The hashes, made from the tiles.
    ///
    /// # Errors
    /// [`MissingTile`] if one of [`tiles`](Self::tiles) is not there, or too short for the size.
    pub fn resolve(&self, tiles: &HashMap<TileId, Vec<Hash>>) -> Result<Vec<Hash>, MissingTile> {
        self.ranges.iter().map(|range| root_over(*range, tiles)).collect()
    }

    /// The same, from a source.
    fn resolve_from<S: TileSource>(&self, source: &S) -> Result<Vec<Hash>, ProofError<S::Error>> {
        let mut tiles = HashMap::new();
        for id in self.tiles() {
            tiles.insert(id, source.tile(id).map_err(ProofError::Source)?);
        }
        Ok(self.resolve(&tiles)?)
    }
}

impl Tile {
    /// As an entry of what [`ProofPlan::resolve`] takes.
    #[must_use]
    pub fn into_entry(self) -> (TileId, Vec<Hash>) {
        (self.id, self.hashes)
    }
}

fn root_over(range: Range, tiles: &HashMap<TileId, Vec<Hash>>) -> Result<Hash, MissingTile> {
    let mut root = None;
    for subtree in range.subtrees().into_iter().rev() {
        let (id, within) = subtree.place();
        let hashes = tiles.get(&id).and_then(|hashes| hashes.get(within));
        let left = subtree_root(hashes.ok_or(MissingTile { id })?);
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(root.unwrap_or_else(empty_root))
}

/// The proof that leaf `index` is in the tree of the first `size` leaves, as [`verify_inclusion`](super::verify_inclusion)
/// takes it: at most 64 hashes, from at most three tiles of each level.
///
/// # Errors
/// [`ProofError`]: there is no such leaf, or the source does not have the tree.
pub fn inclusion_proof<S: TileSource>(
    index: u64,
    size: u64,
    source: &S,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    ProofPlan::inclusion(index, size)?.resolve_from(source)
}

/// The proof that the tree of `from` leaves is the beginning of the one of `to`, as
/// [`verify_consistency`](super::verify_consistency) takes it.
///
/// # Errors
/// [`ProofError`]: `from` is above `to`, or the source does not have the tree.
pub fn consistency_proof<S: TileSource>(
    from: u64,
    to: u64,
    source: &S,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    ProofPlan::consistency(from, to)?.resolve_from(source)
}

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// [`ProofError`]: the source does not have the tree.
pub fn root_of<S: TileSource>(size: u64, source: &S) -> Result<Hash, ProofError<S::Error>> {
    let hashes = ProofPlan::root(size).resolve_from(source)?;
    Ok(hashes.first().copied().unwrap_or_else(empty_root))
}

#[cfg(test)]
pub(super) mod tests;
