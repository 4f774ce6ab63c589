//! Proofs against the definition, against an independent implementation, and against whoever tampers with them.

use std::cell::RefCell;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;
use crate::merkle::{Frontier, VerifyError, verify_consistency, verify_inclusion};
use crate::record::leaf_hash;

/// Every pair of sizes up to this one is tried.
const SMALL: u64 = 70;

/// The hash of the `index`th leaf of all trees here.
pub(in crate::merkle) fn leaf(index: u64) -> Hash {
    leaf_hash(&index.to_be_bytes()).into()
}

/// The root by its definition (RFC 9162, 2.1.1), a range at a time.
pub(in crate::merkle) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            node_hash(&naive_root(&leaves[..middle]), &naive_root(&leaves[middle..]))
        }
    }
}

/// The tiles of a tree, as a frontier hands them over, and which of them were read.
struct Tiles {
    full: HashMap<TileId, Vec<Hash>>,
    edge: Frontier,
    read: RefCell<Vec<TileId>>,
}

impl Tiles {
    fn of(size: u64) -> Self {
        let (mut full, mut edge) = (HashMap::new(), Frontier::new());
        for index in 0..size {
            edge.push_with(leaf(index), |tile| {
                full.extend([tile.into_entry()]);
            });
        }
        let read = RefCell::default();
        Self { full, edge, read }
    }
}

impl TileSource for Tiles {
    type Error = Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<Hash>, Infallible> {
        self.read.borrow_mut().push(id);
        let edge = || self.edge.partial(id.level).to_vec();
        Ok(self.full.get(&id).cloned().unwrap_or_else(edge))
    }
}

fn ct_tree(size: u64) -> MemoryBackedTree<Sha256, [u8; 8]> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|index| tree.push(index.to_be_bytes()));
    tree
}

fn ct_root(root: &Hash, size: u64) -> RootHash<Sha256> {
    RootHash::new(root.0.into(), size)
}

fn root(size: u64, tiles: &Tiles) -> Hash {
    root_of(size, tiles).expect("a root")
}

fn inclusion(index: u64, size: u64, tiles: &Tiles) -> Vec<Hash> {
    inclusion_proof(index, size, tiles).expect("a proof")
}

fn consistency(from: u64, to: u64, tiles: &Tiles) -> Vec<Hash> {
    consistency_proof(from, to, tiles).expect("a proof")
}

/// Holds a tree of `size` leaves, and its proof for `index`, against ct-merkle, in both directions.
#[track_caller]
fn check_inclusion(index: u64, size: u64, tiles: &Tiles, tree: &MemoryBackedTree<Sha256, [u8; 8]>) {
    let (root, proof) = (root(size, tiles), inclusion(index, size, tiles));
    assert_eq!(root.0, **tree.root().as_bytes(), "the root at {size}");
    let theirs = tree.prove_inclusion(index as usize);
    assert_eq!(Hash::write_all(&proof), theirs.as_bytes(), "{index} of {size}");
    let ours = InclusionProof::try_from_bytes(Hash::write_all(&proof)).expect("whole hashes");
    ct_root(&root, size)
        .verify_inclusion(&index.to_be_bytes(), index, &ours)
        .expect("ct-merkle believes it");
    assert_eq!(verify_inclusion(&leaf(index), index, size, &proof, &root), Ok(()));
}

#[track_caller]
fn check_consistency(from: u64, to: u64, tiles: &Tiles, tree: &MemoryBackedTree<Sha256, [u8; 8]>) {
    let (old, new, proof) = (root(from, tiles), root(to, tiles), consistency(from, to, tiles));
    let theirs = tree.prove_consistency((to - from) as usize);
    assert_eq!(Hash::write_all(&proof), theirs.as_bytes(), "{from} to {to}");
    let ours = ConsistencyProof::try_from_bytes(Hash::write_all(&proof)).expect("whole hashes");
    ct_root(&new, to)
        .verify_consistency(&ct_root(&old, from), &ours)
        .expect("ct-merkle believes it");
    assert_eq!(verify_consistency(from, to, &old, &new, &proof), Ok(()));
}

#[test]
fn every_inclusion_proof_of_a_small_tree_is_the_one_of_ct_merkle() {
    let tiles = Tiles::of(SMALL);
    for size in 1..=SMALL {
        let tree = ct_tree(size);
        (0..size).for_each(|index| check_inclusion(index, size, &tiles, &tree));
    }
}

#[test]
fn every_consistency_proof_of_a_small_tree_is_the_one_of_ct_merkle() {
    let tiles = Tiles::of(SMALL);
    for to in 2..=SMALL {
        let tree = ct_tree(to);
        (1..to).for_each(|from| check_consistency(from, to, &tiles, &tree));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn proofs_of_larger_trees_are_those_of_ct_merkle(size in 2_u64..3_000, at in any::<prop::sample::Index>(), beyond in 0_u64..300) {
        let tiles = Tiles::of(size + beyond);
        let tree = ct_tree(size);
        check_inclusion(at.index(size as usize) as u64, size, &tiles, &tree);
        check_consistency(1 + at.index(size as usize - 1) as u64, size, &tiles, &tree);
    }

    #[test]
    fn whatever_is_claimed_verification_ends_in_an_answer(
        (index, size, to) in (any::<u64>(), any::<u64>(), any::<u64>()),
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        let root = Hash([3; 32]);
        prop_assert!(verify_inclusion(&leaf(1), index, size, &proof, &root).is_err());
        let is_nothing = size == to && proof.is_empty();
        prop_assert_eq!(verify_consistency(size, to, &root, &root, &proof).is_ok(), is_nothing);
    }

    #[test]
    fn no_size_is_too_large_to_plan_for(a in any::<u64>(), b in any::<u64>()) {
        let (low, high) = (a.min(b), a.max(b));
        for plan in [ProofPlan::inclusion(low, high).ok(), ProofPlan::consistency(low, high).ok(), Some(ProofPlan::root(high))] {
            let Some(plan) = plan else { continue };
            prop_assert!(plan.ranges.len() <= 65);
            prop_assert!(plan.tiles().len() <= 3 * 8);
            prop_assert!(plan.tiles().iter().all(|tile| tile.width_at(high) > 0));
        }
    }
}

/// The same over some million leaves without hashing them: the width of what is read is what counts.
#[test]
fn a_proof_reads_at_most_three_tiles_of_a_level() {
    let size = 1_000_000;
    for index in [
        0, 1, 255, 256, 65_535, 65_536, 500_000, 983_040, 999_935, 999_936, 999_999,
    ] {
        let plans = [
            ProofPlan::inclusion(index, size),
            ProofPlan::consistency(index, size),
        ];
        for plan in plans.into_iter().flatten() {
            for level in 0..3 {
                let of_level = plan.tiles().iter().filter(|tile| tile.level == level).count();
                assert!(of_level <= 3, "{of_level} of level {level} for {index}");
            }
        }
    }
}

#[test]
fn nothing_is_read_twice_and_nothing_beside_the_plan() {
    let tiles = Tiles::of(70_000);
    inclusion(66_000, 70_000, &tiles);
    let read = tiles.read.take();
    let planned = ProofPlan::inclusion(66_000, 70_000).expect("a plan").tiles();
    assert_eq!(read, Vec::from_iter(planned));
}

#[test]
fn what_is_not_in_the_tree_has_no_proof() {
    assert_eq!(
        ProofPlan::inclusion(7, 7),
        Err(OutOfTree::Leaf { index: 7, size: 7 })
    );
    assert_eq!(
        ProofPlan::consistency(8, 7),
        Err(OutOfTree::Beginning { from: 8, to: 7 })
    );
    let tiles = Tiles::of(300);
    let missing = inclusion_proof(3, 400, &tiles).expect_err("only 300 are there");
    assert!(matches!(missing, ProofError::MissingTile(_)));
}

#[test]
fn a_flipped_bit_of_an_inclusion_proof_is_noticed() {
    let tiles = Tiles::of(SMALL);
    for (index, size) in [(0, 1), (0, 2), (3, 7), (6, 7), (31, 32), (64, 65), (40, SMALL)] {
        let (root, leaf, proof) = (root(size, &tiles), leaf(index), inclusion(index, size, &tiles));
        let verify =
            |leaf: &Hash, proof: &[Hash], root: &Hash| verify_inclusion(leaf, index, size, proof, root);
        for bit in 0..256 {
            assert_eq!(
                verify(&flipped(&leaf, bit), &proof, &root),
                Err(VerifyError::OtherRoot)
            );
            assert_eq!(
                verify(&leaf, &proof, &flipped(&root, bit)),
                Err(VerifyError::OtherRoot)
            );
            for at in 0..proof.len() {
                let mut proof = proof.clone();
                proof[at] = flipped(&proof[at], bit);
                assert_eq!(verify(&leaf, &proof, &root), Err(VerifyError::OtherRoot));
            }
        }
    }
}

#[test]
fn a_flipped_bit_of_a_consistency_proof_is_noticed() {
    let tiles = Tiles::of(SMALL);
    for (from, to) in [
        (1, 2),
        (3, 7),
        (4, 7),
        (6, 8),
        (32, 33),
        (33, 64),
        (64, SMALL),
        (69, SMALL),
    ] {
        let (old, new, proof) = (
            root(from, &tiles),
            root(to, &tiles),
            consistency(from, to, &tiles),
        );
        for bit in 0..256 {
            assert!(verify_consistency(from, to, &flipped(&old, bit), &new, &proof).is_err());
            assert!(verify_consistency(from, to, &old, &flipped(&new, bit), &proof).is_err());
            for at in 0..proof.len() {
                let mut proof = proof.clone();
                proof[at] = flipped(&proof[at], bit);
                assert!(
                    verify_consistency(from, to, &old, &new, &proof).is_err(),
                    "{from} {to} {at}"
                );
            }
        }
    }
}

#[test]
fn an_inclusion_proof_holds_for_its_index_and_size_only() {
    let tiles = Tiles::of(SMALL);
    for (index, size) in [(0, 1), (2, 3), (3, 7), (31, 33), (64, 65), (5, SMALL)] {
        let (root, proof) = (root(size, &tiles), inclusion(index, size, &tiles));
        for other in 0..SMALL + 10 {
            let verified = verify_inclusion(&leaf(index), other, size, &proof, &root);
            assert_eq!(verified.is_ok(), other == index, "{other} for {index} of {size}");
            let verified = verify_inclusion(&leaf(other), index, size, &proof, &root);
            assert_eq!(verified.is_ok(), other == index);
        }
    }
}

#[test]
fn a_proof_that_is_too_long_or_too_short_is_refused() {
    let tiles = Tiles::of(SMALL);
    for size in 1..=SMALL {
        let (new, other) = (root(size, &tiles), Hash([9; 32]));
        for index in 0..size {
            let proof = inclusion(index, size, &tiles);
            let verify = |proof: &[Hash]| verify_inclusion(&leaf(index), index, size, proof, &new);
            let longer = [&proof[..], &[other]].concat();
            assert_eq!(verify(&longer), Err(VerifyError::TooLong));
            for len in 0..proof.len() {
                assert_eq!(
                    verify(&proof[..len]),
                    Err(VerifyError::TooShort),
                    "{index} of {size}, {len}"
                );
            }
        }
        for from in 0..=size {
            let (old, proof) = (root(from, &tiles), consistency(from, size, &tiles));
            let verify = |proof: &[Hash]| verify_consistency(from, size, &old, &new, proof);
            assert_eq!(
                verify(&[&proof[..], &[other]].concat()),
                Err(VerifyError::TooLong)
            );
            for len in 0..proof.len() {
                assert_eq!(
                    verify(&proof[..len]),
                    Err(VerifyError::TooShort),
                    "{from} to {size}, {len}"
                );
            }
        }
    }
}

#[test]
fn everything_begins_with_the_empty_tree_and_with_itself() {
    let tiles = Tiles::of(9);
    let new = root(9, &tiles);
    assert!(consistency(0, 9, &tiles).is_empty() && consistency(9, 9, &tiles).is_empty());
    assert_eq!(verify_consistency(0, 9, &empty_root(), &new, &[]), Ok(()));
    assert_eq!(verify_consistency(9, 9, &new, &new, &[]), Ok(()));
    let other = Hash([1; 32]);
    assert_eq!(
        verify_consistency(0, 9, &other, &new, &[]),
        Err(VerifyError::OtherOldRoot)
    );
    assert_eq!(
        verify_consistency(9, 9, &other, &new, &[]),
        Err(VerifyError::OtherRoot)
    );
    assert_eq!(
        verify_consistency(9, 8, &new, &new, &[]),
        Err(VerifyError::NotABeginning { from: 9, to: 8 })
    );
}

#[track_caller]
fn flipped(hash: &Hash, bit: usize) -> Hash {
    let mut flipped = *hash;
    flipped.0[bit / 8] ^= 1 << (bit % 8);
    flipped
}
