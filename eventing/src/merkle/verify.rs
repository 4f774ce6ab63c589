//! The two checks of RFC 9162, to the letter. Whatever they are given, they end in an answer.

use super::hash::{Hash, empty_root, node_hash};

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no such leaf in a tree of that size.
    #[error("a tree of {size} leaves has no leaf {index}")]
    NoSuchLeaf {
        /// The leaf, from 0.
        index: u64,
        /// How many leaves there are.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {from} leaves is not the beginning of one of {to}")]
    NotABeginning {
        /// The size of the older tree.
        from: u64,
        /// The size of the newer tree.
        to: u64,
    },
    /// The proof has fewer hashes than the sizes ask for.
    #[error("the proof is too short")]
    TooShort,
    /// The proof has more hashes than the sizes ask for.
    #[error("the proof is too long")]
    TooLong,
    /// The hashes do not lead to the older root.
    #[error("the proof leads to another root of the older tree")]
    OtherOldRoot,
    /// The hashes do not lead to the root.
    #[error("the proof leads to another root")]
    OtherRoot,
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with the root `root` (RFC 9162, 2.1.3.2).
///
/// # Errors
/// [`VerifyError`] if the proof does not show it.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    if index >= size {
        return Err(VerifyError::NoSuchLeaf { index, size });
    }
    let (mut at, mut last) = (index, size - 1);
    let mut found = *leaf;
    for hash in proof {
        if last == 0 {
            return Err(VerifyError::TooLong);
        }
        if at & 1 == 1 || at == last {
            found = node_hash(hash, &found);
            (at, last) = up_to_a_right_child(at, last);
        } else {
            found = node_hash(&found, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(VerifyError::TooShort);
    }
    if found != *root {
        return Err(VerifyError::OtherRoot);
    }
    Ok(())
}

/// Checks that the tree of `from` leaves with the root `from_root` is the beginning of the tree of `to` leaves with the root
/// `to_root` (RFC 9162, 2.1.4.2). Where the sizes are equal the roots must be, and everything begins with the empty tree; in
/// both cases the proof must be empty.
///
/// # Errors
/// [`VerifyError`] if the proof does not show it.
pub fn verify_consistency(
    from: u64,
    to: u64,
    from_root: &Hash,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if from > to {
        return Err(VerifyError::NotABeginning { from, to });
    }
    if from == 0 || from == to {
        return verify_without_proof(from, to, from_root, to_root, proof);
    }
    let (first, rest) = match proof.split_first() {
        // The older tree is a full subtree of the newer one: its root is where the proof begins.
        Some(_) if from.is_power_of_two() => (from_root, proof),
        Some(split) => split,
        None => return Err(VerifyError::TooShort),
    };
    let (mut at, mut last) = (from - 1, to - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut found_from, mut found_to) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return Err(VerifyError::TooLong);
        }
        if at & 1 == 1 || at == last {
            found_from = node_hash(hash, &found_from);
            found_to = node_hash(hash, &found_to);
            (at, last) = up_to_a_right_child(at, last);
        } else {
            found_to = node_hash(&found_to, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if last != 0 {
        return Err(VerifyError::TooShort);
    }
    if found_from != *from_root {
        return Err(VerifyError::OtherOldRoot);
    }
    if found_to != *to_root {
        return Err(VerifyError::OtherRoot);
    }
    Ok(())
}

fn verify_without_proof(
    from: u64,
    to: u64,
    from_root: &Hash,
    to_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if !proof.is_empty() {
        return Err(VerifyError::TooLong);
    }
    if from == 0 && *from_root != empty_root() {
        return Err(VerifyError::OtherOldRoot);
    }
    if from == to && from_root != to_root {
        return Err(VerifyError::OtherRoot);
    }
    Ok(())
}

/// A node at the right edge whose parent has no other child stands for its parent: goes up until it is a right child, or
/// the root.
fn up_to_a_right_child(mut at: u64, mut last: u64) -> (u64, u64) {
    while at & 1 == 0 && at != 0 {
        (at, last) = (at >> 1, last >> 1);
    }
    (at, last)
}
