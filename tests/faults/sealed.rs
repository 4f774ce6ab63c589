//! The stored Merkle tree and what was signed over it, compared with the records.

use anyhow::{Result, ensure};
use eventing::merkle::{Frontier, Hash};
use eventing::{EventLog, Position};

/// Records a page.
const PAGE: usize = 1_000;

/// Checks that the tree, grown in however many steps, is the one over the records, and that every checkpoint that was signed
/// has its root.
///
/// # Errors
/// At the first difference.
pub(crate) async fn check(log: &EventLog) -> Result<()> {
    let tree = log.tree();
    let size = tree.extend_to(log.head().await?.0).await?;
    let leaves = leaves(log, size).await?;
    ensure!(
        tree.root(size).await? == root(&leaves),
        "the tree is not the one over the records"
    );
    for signed in tree.checkpoints_after(0, usize::MAX).await? {
        ensure!(
            signed.size <= size,
            "a checkpoint of {} records is signed, and there are {size}",
            signed.size
        );
        let expected = root(&leaves[..signed.size as usize]);
        ensure!(
            signed.root == expected,
            "the checkpoint of {} records is of another history",
            signed.size
        );
    }
    Ok(())
}

async fn leaves(log: &EventLog, size: u64) -> Result<Vec<Hash>> {
    let mut leaves: Vec<Hash> = Vec::new();
    while (leaves.len() as u64) < size {
        let page = log.read_after(Position(leaves.len() as u64), PAGE).await?;
        ensure!(!page.is_empty(), "the log ends before its tree");
        leaves.extend(page.iter().map(|event| Hash(event.leaf_hash)));
    }
    leaves.truncate(size as usize);
    Ok(leaves)
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}
