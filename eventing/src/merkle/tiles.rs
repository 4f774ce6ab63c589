//! The tree in tiles, as C2SP `tlog-tiles` has them.
//!
//! Tile `n` of level `L` holds the hashes `256 n` to `256 n + 255` of that level, and hash `i` of level `L` is the
//! root over the leaves `i 256^L` to `(i + 1) 256^L - 1`. A full tile never changes.

use std::fmt;
use std::str::FromStr;

use super::hash::{Hash, node_hash};

/// How many hashes a full tile has.
pub const TILE_WIDTH: usize = 256;
/// The highest level that a tree of 2^64 leaves could have.
const LEVEL_MAX: u8 = 7;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The level; 0 holds the hashes of leaves.
    pub level: u8,
    /// Its number within the level, from 0.
    pub n: u64,
}

impl TileId {
    /// How many hashes this tile has in a tree of `size` leaves: 0 to 256.
    #[must_use]
    pub fn width_at(self, size: u64) -> usize {
        let at_level = size.checked_shr(8 * u32::from(self.level)).unwrap_or_default();
        let before = self.n.saturating_mul(TILE_WIDTH as u64);
        at_level.saturating_sub(before).min(TILE_WIDTH as u64) as usize
    }
}

/// A tile, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which one.
    pub id: TileId,
    /// Its hashes, at most 256.
    pub hashes: Vec<Hash>,
}

/// The address of a tile below `tile/`, as `0/x001/x234/067` or, for its first 112 hashes only, `0/x001/x234/067.p/112`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// Which tile.
    pub id: TileId,
    /// How many hashes are asked for: 1 to 256, where 256 is the full tile.
    pub width: usize,
}

/// A text that is not the address of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tile is addressed as LEVEL/NUMBER, with the number in groups of three digits, all but the last led by x, and for a partial tile followed by .p/WIDTH: 0/x001/x234/067 or 0/000.p/112"
)]
pub struct InvalidTilePath;

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.id.level)?;
        let digits = format!("{:03}", self.id.n);
        let padded = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
        for at in (0..padded.len() - 3).step_by(3) {
            write!(f, "x{}/", &padded[at..at + 3])?;
        }
        write!(f, "{}", &padded[padded.len() - 3..])?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for TilePath {
    type Err = InvalidTilePath;

    /// Reads an address; only the one way to write each is accepted.
    fn from_str(text: &str) -> Result<Self, InvalidTilePath> {
        let path = read(text).ok_or(InvalidTilePath)?;
        // Leading zeros and other spellings come out as the address that they are not.
        if path.to_string() != text {
            return Err(InvalidTilePath);
        }
        Ok(path)
    }
}

fn read(text: &str) -> Option<TilePath> {
    let (level, rest) = text.split_once('/')?;
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok().filter(|width| *width < TILE_WIDTH)?),
        None => (rest, TILE_WIDTH),
    };
    let level = level.parse().ok().filter(|level| *level <= LEVEL_MAX)?;
    let mut n: u64 = 0;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 {
            return None;
        }
        n = n.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    let id = TileId { level, n };
    (width > 0).then_some(TilePath { id, width })
}

/// The root over a number of hashes that is a power of two.
pub(super) fn subtree_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two());
    let mut layer = hashes.to_vec();
    while layer.len() > 1 {
        let (pairs, _) = layer.as_chunks::<2>();
        layer = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    layer[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_one_of_the_specification_and_reads_back() {
        let address = |level, n, width| {
            let path = TilePath {
                id: TileId { level, n },
                width,
            };
            assert_eq!(path.to_string().parse(), Ok(path));
            path.to_string()
        };
        assert_eq!(address(0, 1_234_067, 256), "0/x001/x234/067");
        assert_eq!(address(1, 0, 1), "1/000.p/1");
        assert_eq!(address(0, 273, 112), "0/273.p/112");
        assert_eq!(address(2, 1_000, 256), "2/x001/000");
        assert_eq!(
            address(7, u64::MAX, 255),
            "7/x018/x446/x744/x073/x709/x551/615.p/255"
        );
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let others = [
            "",
            "0",
            "0/",
            "/000",
            "0/1",
            "0/0001",
            "00/000",
            "8/000",
            "0/x000/001",
            "0/001/002",
            "0/x001/x002",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/000.p/1/2",
            "0/+01",
            "0/-01",
            "0/x99999999999999999999/000",
            "0/ 00",
            "0/x099/x999/x999/x999/x999/x999/x999/999",
            "-0/000",
            "0/000.P/1",
            "0//000",
        ];
        for other in others {
            assert_eq!(other.parse::<TilePath>(), Err(InvalidTilePath), "{other}");
        }
    }

    #[test]
    fn a_tile_is_as_wide_as_the_size_allows() {
        let width = |level, n, size| TileId { level, n }.width_at(size);
        assert_eq!((width(0, 0, 0), width(0, 0, 1), width(0, 0, 256)), (0, 1, 256));
        assert_eq!((width(0, 1, 256), width(0, 1, 300), width(1, 0, 255)), (0, 44, 0));
        assert_eq!(
            (width(1, 0, 256), width(1, 0, 70_000), width(2, 0, 70_000)),
            (1, 256, 1)
        );
        assert_eq!((width(0, u64::MAX, u64::MAX), width(9, 0, u64::MAX)), (0, 0));
    }
}
