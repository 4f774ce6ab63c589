//! The hash of a node of the tree.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A SHA-256 of the tree: of a leaf, of a node, or of the whole. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// A text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 lower-case hexadecimal digits")]
pub struct InvalidHash;

impl Hash {
    /// How many bytes a hash has.
    pub const LEN: usize = 32;

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads hashes that stand one after the other; `None` if the last one is cut off.
    #[must_use]
    pub fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        rest.is_empty()
            .then(|| hashes.iter().map(|hash| Self(*hash)).collect())
    }

    /// Writes hashes one after the other.
    #[must_use]
    pub fn write_all(hashes: &[Self]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidHash);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidHash)?;
        Ok(Self(bytes))
    }
}

/// The hash of the node over two subtrees (RFC 9162, 2.1.1): `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0x01; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(bytes).into())
}

/// The root of a tree without leaves: the SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_one_of_the_rfc() {
        assert_eq!(
            empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_hash_reads_back_from_its_text_and_from_no_other() {
        let text = empty_root().to_string();
        assert_eq!(text.parse(), Ok(empty_root()));
        let others = [&text.to_uppercase(), &text[1..], "", &format!("{text}00")];
        assert!(
            others
                .iter()
                .all(|other| other.parse::<Hash>() == Err(InvalidHash))
        );
    }

    #[test]
    fn hashes_read_back_from_their_bytes_and_a_cut_is_noticed() {
        let hashes = vec![empty_root(), Hash([7; 32])];
        let bytes = Hash::write_all(&hashes);
        assert_eq!(Hash::read_all(&bytes), Some(hashes));
        assert_eq!(Hash::read_all(&bytes[..63]), None);
        assert_eq!(Hash::read_all(&[]), Some(Vec::new()));
    }
}
