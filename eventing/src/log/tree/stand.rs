//! The stored parts of the tree, as they stood at one moment.

use std::collections::{BTreeSet, HashMap};

use super::TreeError;
use crate::log::LogError;
use crate::merkle::{Frontier, Hash, MissingTile, ProofPlan, TILE_WIDTH, TileId};

/// The right edge, and what was asked for of the tiles, as they stood at one moment.
#[derive(Debug)]
pub(in crate::log) struct Stand {
    pub(in crate::log) edge: Frontier,
    pub(in crate::log) tiles: HashMap<TileId, Vec<Hash>>,
}

impl Stand {
    /// Of `wanted`, those that lie in the table of full tiles.
    pub(in crate::log) fn full<'a>(
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
    pub(in crate::log) fn new(
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

    pub(super) fn resolve(&self, plan: &ProofPlan) -> Result<Vec<Hash>, LogError> {
        plan.resolve(&self.tiles)
            .map_err(|MissingTile { id }| lost_tile(id))
    }

    pub(super) fn root(&self, size: u64) -> Result<Hash, LogError> {
        let root = self.resolve(&ProofPlan::root(size))?;
        root.first()
            .copied()
            .ok_or_else(|| LogError::Corrupt("a tree without a root".to_owned()))
    }

    pub(super) fn refuse_beyond(&self, asked: u64) -> Result<(), TreeError> {
        let size = self.edge.size();
        if asked > size {
            return Err(TreeError::Beyond { asked, size });
        }
        Ok(())
    }
}

pub(super) fn lost_tile(id: TileId) -> LogError {
    LogError::Corrupt(format!("tile {} of level {} of the tree is lost", id.n, id.level))
}

/// The hashes of a full tile, from its column.
pub(in crate::log) fn hashes_of(id: TileId, bytes: &[u8]) -> Result<Vec<Hash>, LogError> {
    Hash::read_all(bytes)
        .filter(|hashes| hashes.len() == TILE_WIDTH)
        .ok_or_else(|| lost_tile(id))
}

/// The right edge from its row.
pub(in crate::log) fn edge_of(size: u64, bytes: &[u8]) -> Result<Frontier, LogError> {
    let edge = Frontier::decode(bytes).map_err(|error| LogError::Corrupt(error.to_string()))?;
    if edge.size() != size {
        return Err(LogError::Corrupt("the size of the tree and its edge".to_owned()));
    }
    Ok(edge)
}
