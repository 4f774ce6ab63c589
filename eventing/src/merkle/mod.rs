//! The log as a Merkle tree (RFC 6962, RFC 9162): what makes a history one that can be verified.
//!
//! Leaf `i` is the record at position `i + 1`, hashed as [`leaf_hash`](crate::record::leaf_hash) says. A root stands for the
//! whole history up to its size: from a root alone it can be checked that a record is in that history ([`verify_inclusion`])
//! and that a later root has the same beginning ([`verify_consistency`]), with one hash for each doubling of the log.
//!
//! - [`Hash`](struct@Hash), [`node_hash`], [`empty_root`]: the hash of a node.
//! - [`Frontier`]: the right edge of a tree, enough to go on hashing and to tell the root.
//! - [`TileId`], [`Tile`], [`TilePath`]: hashes in stacks of 256, as C2SP `tlog-tiles` has them.
//! - [`ProofPlan`]: which tiles a proof needs, and the proof once they are there; never the log itself.
//!
//! All here is arithmetic on hashes, without storage and without a clock. Nothing panics on what comes from outside.

mod frontier;
mod hash;
mod proof;
mod tiles;
mod verify;

pub use frontier::{Frontier, InvalidFrontier};
pub use hash::{Hash, InvalidHash, empty_root, node_hash};
pub use proof::{
    MissingTile, OutOfTree, ProofError, ProofPlan, TileSource, consistency_proof, inclusion_proof, root_of,
};
pub use tiles::{InvalidTilePath, TILE_WIDTH, Tile, TileId, TilePath};
pub use verify::{VerifyError, verify_consistency, verify_inclusion};
