//! The index of chains of causes, boiled down to a number.

use std::hash::{BuildHasher, RandomState};

use crate::ids::{CorrelationId, Position};
use crate::log::Run;

/// A sum over pairs of a chain of causes and a position, up to a position: two are the same, as good as certainly, if they are
/// of the same pairs, in whatever order. Its key is drawn anew each time, so that nobody can prepare pairs that it
/// confuses; and it stays as small for a log of any length.
#[derive(Debug, Clone, Default)]
pub(super) struct Correlations {
    key: RandomState,
    to: Position,
    pairs: u64,
    sum: u64,
}

impl Correlations {
    /// Of no pairs yet; those beyond `to` do not count.
    pub(super) fn to(to: Position) -> Self {
        Self {
            to,
            ..Self::default()
        }
    }

    /// Of no pairs, to be compared with this one.
    pub(super) fn emptied(&self) -> Self {
        Self {
            pairs: 0,
            sum: 0,
            ..self.clone()
        }
    }

    /// Adds the pairs of a row of the index.
    pub(super) fn add_run(&mut self, run: Run) {
        for position in run.first.0..=run.last.min(self.to).0 {
            self.add(run.correlation, Position(position));
        }
    }

    /// Whether it has more pairs than `other`.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        self.pairs > other.pairs
    }

    /// Adds a pair.
    pub(super) fn add(&mut self, correlation: CorrelationId, position: Position) {
        if position <= self.to {
            self.pairs += 1;
            self.sum = self.sum.wrapping_add(self.key.hash_one((correlation, position)));
        }
    }
}

impl PartialEq for Correlations {
    fn eq(&self, other: &Self) -> bool {
        (self.pairs, self.sum) == (other.pairs, other.sum)
    }
}
