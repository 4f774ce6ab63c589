//! The index of chains of causes: one row for records of one chain that follow each other, as those of one append do.

use super::Leaf;
use crate::ids::{CorrelationId, Position};
use crate::log::LogError;

/// Records of one chain of causes, without a gap from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) correlation: CorrelationId,
    pub(crate) first: Position,
    pub(crate) last: Position,
}

impl Run {
    /// The runs of `leaves`, which follow each other.
    pub(in crate::log) fn all_of(leaves: &[Leaf]) -> Vec<Self> {
        let chunks = leaves.chunk_by(|one, next| one.correlation == next.correlation);
        chunks
            .filter_map(|chunk| {
                let (first, last) = chunk.first().zip(chunk.last())?;
                Some(Self {
                    correlation: first.correlation,
                    first: first.position,
                    last: last.position,
                })
            })
            .collect()
    }

    /// What a row says, unless it cannot be.
    pub(in crate::log) fn from_row(
        correlation: CorrelationId,
        first: u64,
        last: u64,
    ) -> Result<Self, LogError> {
        if first == 0 || first > last {
            return Err(LogError::Corrupt("a run of a chain that is none".to_owned()));
        }
        Ok(Self {
            correlation,
            first: Position(first),
            last: Position(last),
        })
    }

    /// As its row keeps it: nothing where it is the last as well.
    pub(in crate::log) fn kept_first(&self) -> Option<Position> {
        (self.first < self.last).then_some(self.first)
    }

    /// Its positions above `after`, in order.
    pub(crate) fn above(self, after: Position) -> impl Iterator<Item = Position> {
        let first = self.first.max(after.next());
        (first.0..=self.last.0).map(Position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Hash;

    fn leaf(position: u64, correlation: u128) -> Leaf {
        Leaf {
            position: Position(position),
            hash: Hash([0; 32]),
            correlation: CorrelationId(uuid::Uuid::from_u128(correlation)),
        }
    }

    #[test]
    fn records_that_follow_each_other_in_one_chain_are_one_run() {
        let leaves = [
            leaf(5, 1),
            leaf(6, 1),
            leaf(7, 2),
            leaf(8, 1),
            leaf(9, 1),
            leaf(10, 1),
        ];
        let runs: Vec<_> = Run::all_of(&leaves)
            .into_iter()
            .map(|run| {
                let first = run.kept_first().map(|first| first.0);
                (run.correlation.0.as_u128(), first, run.last.0)
            })
            .collect();
        assert_eq!(runs, [(1, Some(5), 6), (2, None, 7), (1, Some(8), 10)]);
        assert!(Run::all_of(&[]).is_empty());
    }

    #[test]
    fn a_run_is_read_from_any_place() {
        let [run] = Run::all_of(&[leaf(5, 1), leaf(6, 1), leaf(7, 1)])[..] else {
            panic!("one run");
        };
        let above = |after| run.above(Position(after)).map(|at| at.0).collect::<Vec<_>>();
        assert_eq!((above(0), above(4)), (vec![5, 6, 7], vec![5, 6, 7]));
        assert_eq!((above(5), above(7)), (vec![6, 7], vec![]));
    }
}
