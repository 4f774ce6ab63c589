//! The right edge of a tree: enough to add leaves, to tell the root, and to fill tiles.

use super::hash::{Hash, empty_root, node_hash};
use super::tiles::{TILE_WIDTH, Tile, TileId, subtree_root};

/// The right edge of a tree of `size` leaves: of each level of tiles, the hashes that do not fill a tile yet.
///
/// Level `L` has one hash for each 256^L leaves, so its width is the `L`-th digit of the size to base 256, and
/// the whole is at most 64 KiB; at 16 million leaves, 24 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// From level 0 up; the highest one is not empty.
    levels: Vec<Vec<Hash>>,
}

/// Bytes that are not a [`Frontier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the right edge of the tree is damaged: {0}")]
pub struct InvalidFrontier(&'static str);

impl Frontier {
    /// The edge of a tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_| {});
    }

    /// Adds a leaf, and hands over each tile that it completes, the lowest first.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(Tile)) {
        let mut hash = leaf;
        for level in 0_u8.. {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.push(hash);
            if hashes.len() < TILE_WIDTH {
                break;
            }
            let hashes = std::mem::take(hashes);
            hash = subtree_root(&hashes);
            let n = (self.size >> 8) >> (8 * u32::from(level));
            completed(Tile {
                id: TileId { level, n },
                hashes,
            });
        }
        self.size += 1;
    }

    /// The hashes of the tile at the edge of `level`: those that do not fill it yet.
    #[must_use]
    pub fn partial(&self, level: u8) -> &[Hash] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// The root of the tree (RFC 9162, 2.1.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let peaks = self.levels.iter().flat_map(|hashes| peaks_of(hashes));
        peaks
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }

    /// The bytes: the size as 8 bytes, the highest first, then the hashes of each level from level 0 up. How many hashes
    /// a level has is what the size says.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for hashes in &self.levels {
            bytes.extend(Hash::write_all(hashes));
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`InvalidFrontier`] if there are more or fewer hashes than the size says.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidFrontier> {
        let (size, hashes) = bytes
            .split_first_chunk()
            .ok_or(InvalidFrontier("its size is cut off"))?;
        let size = u64::from_be_bytes(*size);
        let mut hashes = Hash::read_all(hashes).ok_or(InvalidFrontier("a hash is cut off"))?;
        let mut levels = Vec::new();
        for width in widths(size) {
            if hashes.len() < width {
                return Err(InvalidFrontier("it has fewer hashes than its size says"));
            }
            let rest = hashes.split_off(width);
            levels.push(std::mem::replace(&mut hashes, rest));
        }
        if !hashes.is_empty() {
            return Err(InvalidFrontier("it has more hashes than its size says"));
        }
        Ok(Self { size, levels })
    }
}

/// How many hashes stand at the edge of each level, from level 0 up: the digits of the size to base 256.
fn widths(size: u64) -> impl Iterator<Item = usize> {
    let level_count = (u64::BITS - size.leading_zeros()).div_ceil(8) as usize;
    size.to_le_bytes().into_iter().take(level_count).map(usize::from)
}

/// The roots of the largest full subtrees over `hashes`, from the right, which is from the smallest.
fn peaks_of(hashes: &[Hash]) -> impl Iterator<Item = Hash> {
    let mut end = hashes.len();
    std::iter::from_fn(move || {
        let width = end & end.wrapping_neg();
        end -= width;
        (width > 0).then(|| subtree_root(&hashes[end..end + width]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::proof::tests::{leaf, naive_root};

    #[test]
    fn the_root_is_what_the_definition_says_at_every_size() {
        let leaves: Vec<Hash> = (0..700).map(leaf).collect();
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), empty_root());
        for (size, leaf) in (1..).zip(&leaves) {
            frontier.push(*leaf);
            assert_eq!(frontier.root(), naive_root(&leaves[..size]), "at {size}");
        }
    }

    #[test]
    fn an_edge_reads_back_and_goes_on_as_if_it_had_never_been_written() {
        let mut straight = Frontier::new();
        let mut restarted = Frontier::new();
        for index in 0..70_000 {
            straight.push(leaf(index));
            restarted.push(leaf(index));
            if index % 997 == 0 || index == 65_535 {
                restarted = Frontier::decode(&restarted.encode()).expect("what was written");
            }
        }
        assert_eq!(restarted, straight);
        assert_eq!(restarted.root(), straight.root());
    }

    #[test]
    fn an_edge_of_the_wrong_length_is_refused() {
        let mut frontier = Frontier::new();
        (0..300).for_each(|index| frontier.push(leaf(index)));
        let bytes = frontier.encode();
        assert_eq!(Frontier::decode(&bytes), Ok(frontier));
        for len in 0..bytes.len() {
            assert!(Frontier::decode(&bytes[..len]).is_err(), "{len}");
        }
        let longer = [&bytes[..], &[0; 32]].concat();
        assert!(Frontier::decode(&longer).is_err());
        let larger = [&u64::MAX.to_be_bytes(), &bytes[8..]].concat();
        assert!(Frontier::decode(&larger).is_err());
    }

    #[test]
    fn a_tile_is_handed_over_when_it_is_full() {
        let mut frontier = Frontier::new();
        let mut tiles = Vec::new();
        for index in 0..65_536 {
            frontier.push_with(leaf(index), |tile| tiles.push(tile));
        }
        let ids: Vec<TileId> = tiles.iter().map(|tile| tile.id).collect();
        let expected = (0..256).map(|n| TileId { level: 0, n });
        assert!(
            ids.iter()
                .copied()
                .eq(expected.chain([TileId { level: 1, n: 0 }]))
        );
        assert!(tiles.iter().all(|tile| tile.hashes.len() == TILE_WIDTH));
        assert_eq!(tiles[3].hashes[5], leaf(3 * 256 + 5));
        assert_eq!(tiles[256].hashes[3], subtree_root(&tiles[3].hashes));
        assert_eq!(frontier.root(), subtree_root(&tiles[256].hashes));
    }
}
