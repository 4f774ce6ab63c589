//! Things of one kind by name, each with how many listeners like it and its companions.

use std::cmp::Ordering;
use std::ops::Range;

use crate::strings::Strings;

/// Artists or tracks, sorted by name. An index is the place in that order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub(super) names: Strings,
    pub(super) liked_by: Vec<u32>,
    /// The end of each one's companions in `companions`.
    pub(super) ends: Vec<u32>,
    pub(super) companions: Vec<Companion>,
}

/// What listeners of one thing also like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Companion {
    /// Its index in the same [`Table`].
    pub index: u32,
    /// How many listeners like both; at least 1.
    pub both: u32,
}

impl Table {
    /// How many artists or tracks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many companions all of them have together. A pair is counted once or twice, as one or both of the two keep the
    /// other.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.companions.len()
    }

    /// The index of `name`; `None` when nothing is known of it.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.names.binary_search(name).map(|index| index as u32)
    }

    /// The name of `index`.
    ///
    /// # Panics
    /// When there is no such index.
    #[must_use]
    pub fn name(&self, index: u32) -> &str {
        self.names.get(index as usize)
    }

    /// How many listeners like `index`; at least 1.
    ///
    /// # Panics
    /// When there is no such index.
    #[must_use]
    pub fn liked_by(&self, index: u32) -> u32 {
        self.liked_by[index as usize]
    }

    /// The companions of `index`, the strongest first.
    ///
    /// # Panics
    /// When there is no such index.
    #[must_use]
    pub fn companions(&self, index: u32) -> &[Companion] {
        &self.companions[self.range(index as usize)]
    }

    /// The order of one thing's companions: by cosine from the strongest on, equals by name. The thing's own count is the
    /// same for all of its companions, so `both^2 / liked_by` gives the order of the cosines.
    pub(super) fn by_strength(liked_by: &[u32], a: Companion, b: Companion) -> Ordering {
        let squared = |one: Companion| u128::from(one.both).pow(2);
        let count = |one: Companion| u128::from(liked_by[one.index as usize]);
        let (of_a, of_b) = (squared(a) * count(b), squared(b) * count(a));
        of_b.cmp(&of_a).then_with(|| a.index.cmp(&b.index))
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[index] as usize
    }
}
