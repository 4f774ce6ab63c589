//! The contract of the stored Merkle tree, for every backend.
//!
//! [`tree_contract!`](crate::tree_contract) makes a test of each function here.

use chrono::DateTime;
use tokio::task::JoinSet;

use super::LogUnderTest;
use super::event_log::{an_append, new_stream, some_events};
use crate::merkle::{
    Frontier, Hash, OutOfTree, TILE_WIDTH, TileId, empty_root, verify_consistency, verify_inclusion,
};
use crate::notes::{Checkpoint, SignedCheckpoint, SigningKey};
use crate::record::leaf_hash;
use crate::{
    Append, CorrelationId, EventLog, ExpectedVersion, LogError, Metadata, Position, StoreCheckpointError,
    StoredCheckpoint, Tree, TreeError,
};

/// Makes a module `$name` with a test for every sentence of the tree's contract. `$factory` is an async function
/// that gives a fresh [`LogUnderTest`](crate::testing::LogUnderTest).
#[macro_export]
macro_rules! tree_contract {
    ($name:ident, $factory:expr) => {
        $crate::tree_contract! { @each $name, $factory,
            the_tree_is_the_one_over_the_records_whatever_the_steps,
            a_tree_without_leaves_has_the_empty_root,
            another_handle_goes_on_where_the_first_one_stopped,
            two_handles_grow_one_tree_at_once,
            every_record_is_proved_at_every_size,
            every_tree_is_the_beginning_of_every_later_one,
            a_tile_is_told_whole_or_as_far_as_it_goes,
            what_the_tree_does_not_have_is_refused,
            the_records_of_one_chain_are_found,
            a_checkpoint_is_kept_as_it_was_signed,
            a_checkpoint_that_does_not_fit_is_refused,
            a_checkpoint_gives_way_to_the_same_one_that_another_key_signed,
            a_stored_checkpoint_that_was_changed_gives_way_to_none,
            a_history_that_was_rewritten_is_not_signed_again,
            a_tree_that_was_changed_is_not_signed_again,
            a_record_that_was_changed_is_not_sealed,
            a_record_that_was_changed_later_is_not_proved,
            a_log_that_ends_before_its_tree_is_damaged,
        }
    };
    (@each $name:ident, $factory:expr, $($test:ident),+ $(,)?) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::testing::tree::$test($factory().await).await;
                }
            )+
        }
    };
}

/// More than a tile of level 1 needs in tiles of level 0 would take too long here; this fills two of level 0.
const SOME: usize = 600;

async fn append(log: &EventLog, count: usize) {
    let append = an_append(&new_stream(), ExpectedVersion::NoStream, count);
    log.append(append).await.expect("an append");
}

/// A log of [`SOME`] records, and their hashes.
async fn some_records(test: &LogUnderTest) -> Vec<Hash> {
    for _ in 0..SOME / 50 {
        append(&test.log, 50).await;
    }
    leaves(&test.log).await
}

async fn leaves(log: &EventLog) -> Vec<Hash> {
    let events = log.read_after(Position::START, usize::MAX).await;
    let events = events.expect("the log reads");
    events.iter().map(|event| event.leaf_hash.into()).collect()
}

/// The root over `leaves`, without any storage.
fn root_over(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

async fn grown(log: &EventLog) -> Tree {
    let tree = log.tree();
    let head = log.head().await.expect("the head");
    assert_eq!(tree.extend_to(head.0).await.expect("it grows"), head.0);
    tree
}

async fn root(tree: &Tree, size: usize) -> Hash {
    tree.root(size as u64).await.expect("a root")
}

fn a_key() -> SigningKey {
    SigningKey::generate("test-log").expect("a key")
}

fn signed(key: &SigningKey, size: u64, root: Hash) -> SignedCheckpoint {
    let checkpoint = Checkpoint::new(key.name(), size, root.0).expect("a checkpoint");
    checkpoint.sign(key).expect("signed")
}

async fn signed_at(tree: &Tree, key: &SigningKey, size: u64) -> SignedCheckpoint {
    signed(key, size, tree.root(size).await.expect("a root"))
}

async fn store(tree: &Tree, checkpoint: &SignedCheckpoint) -> Result<(), StoreCheckpointError> {
    let now = DateTime::from_timestamp_micros(1_700_000_000_000_000).expect("a time");
    tree.store_checkpoint(checkpoint, now).await
}

/// Changes the record at `position` in the database, with a hash that fits it.
async fn rewrite(test: &LogUnderTest, position: u64) {
    let event = test.log.read_after(Position(position - 1), 1).await;
    let event = event.expect("a read").pop().expect("a record");
    let text = String::from_utf8(event.record.to_vec()).expect("JSON");
    let record = text.replace("something", "somethinG").into_bytes();
    let hash = leaf_hash(&record);
    let sql = format!("UPDATE events SET record = $1, leaf_hash = $2 WHERE position = {position}");
    test.tamper(&sql, &[&record, &hash]).await;
}

/// Takes the stored tree away, so that it is made again from the log.
async fn forget_the_tree(test: &LogUnderTest) {
    test.tamper("DELETE FROM merkle_tiles", &[]).await;
    test.tamper("DELETE FROM correlations", &[]).await;
    let edge = Frontier::new().encode();
    test.tamper("UPDATE merkle_frontier SET size = 0, edge = $1", &[&edge])
        .await;
}

/// See the name.
pub async fn the_tree_is_the_one_over_the_records_whatever_the_steps(test: LogUnderTest) {
    let leaves = some_records(&test).await;
    let tree = test.log.tree();
    let mut size = 0;
    for limit in [1, 2, 7, 250, 1, 300, usize::MAX, 1] {
        let expected = (size + limit.min(SOME)).min(SOME);
        let grown = tree.extend(limit).await.expect("it grows");
        size = expected;
        assert_eq!(grown, size as u64);
        assert_eq!(tree.size().await.expect("a size"), grown);
        assert_eq!(root(&tree, size).await, root_over(&leaves[..size]), "at {size}");
    }
    for size in [1, 255, 256, 257, 511, 512, 513, SOME] {
        assert_eq!(root(&tree, size).await, root_over(&leaves[..size]), "at {size}");
    }
    assert_eq!(tree.edge().await.expect("the edge").root(), root_over(&leaves));
}

/// See the name.
pub async fn a_tree_without_leaves_has_the_empty_root(test: LogUnderTest) {
    let tree = test.log.tree();
    assert_eq!(tree.extend(10).await.expect("nothing to add"), 0);
    assert_eq!(root(&tree, 0).await, empty_root());
}

/// See the name.
pub async fn another_handle_goes_on_where_the_first_one_stopped(test: LogUnderTest) {
    for round in 0..12 {
        append(&test.log, 30).await;
        // A handle that has just been opened has nothing in memory, and reads the log itself.
        let log = test.open_again().await;
        let limit = 1 + (round * 17) % 40;
        log.tree().extend(limit).await.expect("it grows");
    }
    let log = test.open_again().await;
    let (tree, leaves) = (grown(&log).await, leaves(&log).await);
    assert_eq!(root(&tree, leaves.len()).await, root_over(&leaves));
}

/// See the name.
pub async fn two_handles_grow_one_tree_at_once(test: LogUnderTest) {
    let mut tasks = JoinSet::new();
    for limit in [3, 64, 301] {
        let log = test.open_again().await;
        tasks.spawn(async move {
            while log.tree().extend(limit).await.expect("it grows") < SOME as u64 {
                tokio::task::yield_now().await;
            }
        });
    }
    let leaves = some_records(&test).await;
    tasks.join_all().await;
    let tree = test.open_again().await.tree();
    for size in [1, 256, 300, 512, SOME] {
        assert_eq!(root(&tree, size).await, root_over(&leaves[..size]), "at {size}");
    }
}

/// See the name.
pub async fn every_record_is_proved_at_every_size(test: LogUnderTest) {
    let leaves = some_records(&test).await;
    let tree = grown(&test.log).await;
    for size in [1, 2, 256, 257, 511, SOME] {
        let root = root_over(&leaves[..size]);
        for position in (1..=size).filter(|position| position % 41 == 1 || *position == size) {
            let proof = tree.inclusion(Position(position as u64), size as u64).await;
            let proof = proof.expect("a proof");
            assert_eq!((proof.index, proof.size), (position as u64 - 1, size as u64));
            assert_eq!((proof.leaf, proof.root), (leaves[position - 1], root));
            let verified = verify_inclusion(&proof.leaf, proof.index, proof.size, &proof.hashes, &root);
            assert_eq!(verified, Ok(()), "{position} of {size}");
        }
    }
}

/// See the name.
pub async fn every_tree_is_the_beginning_of_every_later_one(test: LogUnderTest) {
    let leaves = some_records(&test).await;
    let tree = grown(&test.log).await;
    let sizes = [0, 1, 2, 255, 256, 300, 512, SOME];
    for (nth, from) in sizes.into_iter().enumerate() {
        for to in sizes.into_iter().skip(nth) {
            let proof = tree.consistency(from as u64, to as u64).await.expect("a proof");
            let (old, new) = (root_over(&leaves[..from]), root_over(&leaves[..to]));
            assert_eq!((proof.from_root, proof.to_root), (old, new));
            let verified = verify_consistency(proof.from, proof.to, &old, &new, &proof.hashes);
            assert_eq!(verified, Ok(()), "{from} to {to}");
        }
    }
}

/// See the name.
pub async fn a_tile_is_told_whole_or_as_far_as_it_goes(test: LogUnderTest) {
    let leaves = some_records(&test).await;
    let tree = grown(&test.log).await;
    let tile = async |level, n| tree.tile(TileId { level, n }).await.expect("a tile");
    assert_eq!(tile(0, 0).await, leaves[..TILE_WIDTH]);
    assert_eq!(tile(0, 1).await, leaves[TILE_WIDTH..2 * TILE_WIDTH]);
    assert_eq!(tile(0, 2).await, leaves[2 * TILE_WIDTH..]);
    let above = [root_over(&leaves[..256]), root_over(&leaves[256..512])];
    assert_eq!(tile(1, 0).await, above);
    let beyond = [
        tile(0, 3).await,
        tile(1, 1).await,
        tile(2, 0).await,
        tile(0, u64::MAX).await,
    ];
    assert!(beyond.iter().all(Vec::is_empty));
}

/// See the name.
pub async fn what_the_tree_does_not_have_is_refused(test: LogUnderTest) {
    append(&test.log, 10).await;
    let tree = test.log.tree();
    tree.extend(7).await.expect("it grows");
    for position in [0, 8, u64::MAX] {
        let refused = tree.inclusion(Position(position), 7).await;
        let refused = refused.expect_err("there is no such record among 7");
        assert!(
            matches!(refused, TreeError::OutOfTree(OutOfTree::Leaf { .. })),
            "{refused}"
        );
    }
    let beyond = |error| matches!(error, TreeError::Beyond { asked: 8, size: 7 });
    assert!(beyond(
        tree.inclusion(Position(1), 8).await.expect_err("7 leaves")
    ));
    assert!(beyond(tree.consistency(3, 8).await.expect_err("7 leaves")));
    assert!(beyond(tree.root(8).await.expect_err("7 leaves")));
    let refused = tree.consistency(5, 3).await.expect_err("5 is not before 3");
    assert!(matches!(
        refused,
        TreeError::OutOfTree(OutOfTree::Beginning { from: 5, to: 3 })
    ));
    let refused = tree.extend_to(11).await.expect_err("10 records");
    assert!(matches!(refused, TreeError::Beyond { asked: 11, size: 10 }));
}

/// See the name.
pub async fn the_records_of_one_chain_are_found(test: LogUnderTest) {
    let chain = CorrelationId::new();
    let correlated = Metadata::correlated(chain);
    for (metadata, count) in [(correlated.clone(), 2), (Metadata::new(), 3), (correlated, 1)] {
        let append = Append::new(
            new_stream(),
            ExpectedVersion::NoStream,
            some_events(count),
            metadata,
        );
        test.log.append(append).await.expect("an append");
    }
    let tree = test.log.tree();
    let found = async |after, limit| {
        let found = tree
            .correlated(chain, Position(after), limit)
            .await
            .expect("a read");
        found.iter().map(|position| position.0).collect::<Vec<_>>()
    };
    assert!(found(0, 10).await.is_empty(), "the tree has not grown");
    tree.extend(5).await.expect("it grows");
    assert_eq!(found(0, 10).await, [1, 2], "as far as the tree goes");
    tree.extend(1).await.expect("it grows");
    assert_eq!((found(0, 10).await, found(1, 1).await), (vec![1, 2, 6], vec![2]));
    let append = Append::new(
        new_stream(),
        ExpectedVersion::NoStream,
        some_events(6),
        Metadata::correlated(chain),
    );
    test.log.append(append).await.expect("an append");
    for limit in [2, 4] {
        tree.extend(limit).await.expect("it grows");
    }
    assert_eq!(found(0, 20).await, [1, 2, 6, 7, 8, 9, 10, 11, 12], "in steps");
    assert_eq!(
        (found(1, 3).await, found(9, 2).await),
        (vec![2, 6, 7], vec![10, 11])
    );
    assert!(found(12, 10).await.is_empty());
    let nobody = tree.correlated(CorrelationId::new(), Position::START, 10).await;
    assert!(nobody.expect("a read").is_empty());
}

/// See the name.
pub async fn a_checkpoint_is_kept_as_it_was_signed(test: LogUnderTest) {
    append(&test.log, 300).await;
    let (tree, key) = (grown(&test.log).await, a_key());
    assert_eq!(tree.latest_checkpoint().await.expect("none"), None);
    let mut notes = Vec::new();
    for size in [1, 7, 300] {
        let checkpoint = signed_at(&tree, &key, size).await;
        store(&tree, &checkpoint).await.expect("it fits");
        store(&tree, &checkpoint).await.expect("it is the same again");
        notes.push((size, checkpoint.to_string()));
    }
    let tree = test.open_again().await.tree();
    let stored = tree.checkpoints_after(0, 10).await.expect("all of them");
    let read: Vec<_> = stored
        .iter()
        .map(|stored| (stored.size, stored.note.clone()))
        .collect();
    assert_eq!(read, notes);
    assert_eq!(stored[1].root, root(&tree, 7).await);
    assert_eq!(stored[1].signed_at.timestamp(), 1_700_000_000);
    assert_eq!(
        tree.checkpoints_after(1, 1).await.expect("the next one"),
        stored[1..2]
    );
    assert_eq!(
        tree.latest_checkpoint().await.expect("the last one").as_ref(),
        stored.last()
    );
}

/// See the name.
pub async fn a_checkpoint_that_does_not_fit_is_refused(test: LogUnderTest) {
    append(&test.log, 10).await;
    let (tree, key) = (grown(&test.log).await, a_key());
    let stored = signed_at(&tree, &key, 8).await;
    store(&tree, &stored).await.expect("it fits");
    let refused = async |checkpoint| store(&tree, &checkpoint).await.expect_err("it is refused");
    let smaller = refused(signed_at(&tree, &key, 7).await).await;
    assert!(
        matches!(smaller, StoreCheckpointError::Older { size: 7, latest: 8 }),
        "{smaller}"
    );
    let another = refused(signed(&a_key(), 8, Hash([9; 32]))).await;
    assert!(
        matches!(another, StoreCheckpointError::OtherRoot { size: 8 }),
        "{another}"
    );
    let smaller = refused(signed_at(&tree, &a_key(), 7).await).await;
    assert!(
        matches!(smaller, StoreCheckpointError::Older { size: 7, latest: 8 }),
        "{smaller}"
    );
    let wrong = refused(signed(&key, 9, Hash([9; 32]))).await;
    assert!(
        matches!(wrong, StoreCheckpointError::OtherRoot { size: 9 }),
        "{wrong}"
    );
    let beyond = refused(signed(&key, 11, Hash([9; 32]))).await;
    assert!(
        matches!(beyond, StoreCheckpointError::Beyond { asked: 11, size: 10 }),
        "{beyond}"
    );
    let kept = tree.checkpoints_after(0, 10).await.expect("a read");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].note, stored.to_string());
}

/// See the name.
pub async fn a_checkpoint_gives_way_to_the_same_one_that_another_key_signed(test: LogUnderTest) {
    append(&test.log, 300).await;
    let tree = grown(&test.log).await;
    let (before, now) = (a_key(), a_key());
    for size in [290, 300] {
        let checkpoint = signed_at(&tree, &before, size).await;
        store(&tree, &checkpoint).await.expect("it fits");
    }
    let kept = tree.checkpoints_after(0, 10).await.expect("both");
    let again = signed_at(&tree, &now, 300).await;
    let later = DateTime::from_timestamp_micros(1_800_000_000_000_001).expect("a time");
    for signed_at in [later, DateTime::UNIX_EPOCH] {
        let stored = tree.store_checkpoint(&again, signed_at).await;
        stored.expect("it takes the place, and then it is the same again");
        let found = tree.checkpoints_after(0, 10).await.expect("both");
        let expected = StoredCheckpoint {
            note: again.to_string(),
            signed_at: later,
            ..kept[1].clone()
        };
        assert_eq!(found, [kept[0].clone(), expected]);
    }
    let earlier = signed_at(&tree, &now, 290).await;
    let refused = store(&tree, &earlier).await.expect_err("only the latest one");
    assert!(
        matches!(
            refused,
            StoreCheckpointError::Older {
                size: 290,
                latest: 300
            }
        ),
        "{refused}"
    );
}

/// See the name.
pub async fn a_stored_checkpoint_that_was_changed_gives_way_to_none(test: LogUnderTest) {
    append(&test.log, 10).await;
    let (tree, key) = (grown(&test.log).await, a_key());
    let checkpoint = signed_at(&tree, &key, 8).await;
    store(&tree, &checkpoint).await.expect("it fits");
    let note = checkpoint.to_string();
    let put = async |note: &str| {
        let sql = format!("UPDATE signed_checkpoints SET note = '{note}'");
        test.tamper(&sql, &[]).await;
    };
    let refused = async |key: &SigningKey| {
        let checkpoint = signed_at(&tree, key, 8).await;
        store(&tree, &checkpoint).await.expect_err("it is damaged")
    };
    let is_corrupt = |error| matches!(error, StoreCheckpointError::Log(LogError::Corrupt(_)));

    // The same key would have signed the same bytes.
    let (before, last) = note.split_at(note.len() - 10);
    let digit = if last.starts_with('A') { 'B' } else { 'A' };
    put(&format!("{before}{digit}{}", &last[1..])).await;
    let same_key = refused(&key).await;
    assert!(
        matches!(same_key, StoreCheckpointError::Exists { size: 8 }),
        "{same_key}"
    );
    // It says something else than what stands beside it, or nothing.
    let of_more = signed(&key, 9, Hash(checkpoint.checkpoint().root())).to_string();
    let of_another = signed(&key, 8, Hash([9; 32])).to_string();
    for changed in [of_more.as_str(), of_another.as_str(), "a picture of a cat"] {
        put(changed).await;
        assert!(is_corrupt(refused(&key).await), "{changed}");
        assert!(is_corrupt(refused(&a_key()).await), "{changed}");
        let kept = tree.latest_checkpoint().await.expect("a read").expect("it stays");
        assert_eq!(kept.note, changed);
    }
}

/// Whoever can write to the database can make records and tree fit each other again, and is found out by what was signed.
pub async fn a_history_that_was_rewritten_is_not_signed_again(test: LogUnderTest) {
    append(&test.log, 300).await;
    let (tree, key) = (grown(&test.log).await, a_key());
    let checkpoint = signed_at(&tree, &key, 290).await;
    store(&tree, &checkpoint).await.expect("it fits");
    rewrite(&test, 5).await;
    forget_the_tree(&test).await;
    let log = test.open_again().await;
    let tree = grown(&log).await;
    assert_eq!(
        root(&tree, 300).await,
        root_over(&leaves(&log).await),
        "it fits again"
    );
    let refused = store(&tree, &signed_at(&tree, &key, 300).await).await;
    let refused = refused.expect_err("the history was changed");
    assert!(
        matches!(refused, StoreCheckpointError::Inconsistent { size: 290 }),
        "{refused}"
    );
    let refused = store(&tree, &signed_at(&tree, &a_key(), 290).await).await;
    let refused = refused.expect_err("another key changes nothing about that");
    assert!(
        matches!(refused, StoreCheckpointError::Inconsistent { size: 290 }),
        "{refused}"
    );
}

/// See the name.
pub async fn a_tree_that_was_changed_is_not_signed_again(test: LogUnderTest) {
    append(&test.log, 300).await;
    let (tree, key) = (grown(&test.log).await, a_key());
    let checkpoint = signed_at(&tree, &key, 200).await;
    store(&tree, &checkpoint).await.expect("it fits");
    let next = signed_at(&tree, &key, 300).await;
    let tile = Hash::write_all(&[Hash([7; 32]); TILE_WIDTH]);
    test.tamper("UPDATE merkle_tiles SET hashes = $1", &[&tile]).await;
    let refused = store(&tree, &next).await.expect_err("a tile was changed");
    assert!(
        matches!(refused, StoreCheckpointError::Inconsistent { size: 200 }),
        "{refused}"
    );
    let damaged = |error: TreeError| matches!(error, TreeError::Log(LogError::Corrupt(_)));
    let false_proof = tree.inclusion(Position(5), 300).await;
    assert!(damaged(false_proof.expect_err("it would prove nothing")));
    test.tamper("DELETE FROM merkle_tiles", &[]).await;
    assert!(damaged(tree.root(200).await.expect_err("a tile is lost")));
}

/// See the name.
pub async fn a_record_that_was_changed_is_not_sealed(test: LogUnderTest) {
    append(&test.log, 10).await;
    let sql =
        "UPDATE events SET leaf_hash = (SELECT leaf_hash FROM events WHERE position = 4) WHERE position = 5";
    test.tamper(sql, &[]).await;
    let tree = test.open_again().await.tree();
    let refused = tree
        .extend(10)
        .await
        .expect_err("a record does not match its hash");
    assert!(matches!(refused, LogError::Corrupt(_)), "{refused}");
    assert_eq!(tree.size().await.expect("a size"), 0);
}

/// See the name.
pub async fn a_record_that_was_changed_later_is_not_proved(test: LogUnderTest) {
    append(&test.log, 10).await;
    let tree = grown(&test.log).await;
    rewrite(&test, 5).await;
    let refused = tree
        .inclusion(Position(5), 10)
        .await
        .expect_err("it is another record");
    assert!(
        matches!(refused, TreeError::Log(LogError::Corrupt(_))),
        "{refused}"
    );
    tree.inclusion(Position(6), 10)
        .await
        .expect("the others are whole");
}

/// See the name.
pub async fn a_log_that_ends_before_its_tree_is_damaged(test: LogUnderTest) {
    append(&test.log, 10).await;
    grown(&test.log).await;
    test.tamper("DELETE FROM events WHERE position > 8", &[]).await;
    test.tamper("UPDATE log_head SET position = 8", &[]).await;
    let tree = test.open_again().await.tree();
    let refused = tree.extend(10).await.expect_err("two records are lost");
    assert!(matches!(refused, LogError::Corrupt(_)), "{refused}");
}
