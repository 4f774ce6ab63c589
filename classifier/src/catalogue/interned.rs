//! Texts that many tracks share.

use std::collections::HashMap;

use crate::strings::Strings;

/// Stands for "no text".
pub(super) const NONE: u32 = u32::MAX;

/// A text or none per track, each distinct one kept once, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Interned {
    table: Strings,
    of: Vec<u32>,
}

impl Interned {
    /// `None` when the table is not in order or a number is beyond it.
    pub(super) fn from_parts(table: Strings, of: Vec<u32>) -> Option<Self> {
        let fits = of
            .iter()
            .all(|&number| number == NONE || (number as usize) < table.len());
        (fits && table.is_strictly_sorted()).then_some(Self { table, of })
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let number = self.of[index];
        (number != NONE).then(|| self.table.get(number as usize))
    }

    pub(super) fn table(&self) -> &Strings {
        &self.table
    }

    pub(super) fn of(&self) -> &[u32] {
        &self.of
    }
}

/// One or more texts per track, in order, each distinct one kept once.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    table: Strings,
    ends: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// `None` when the parts do not fit together.
    pub(super) fn from_parts(table: Strings, ends: Vec<u32>, members: Vec<u32>) -> Option<Self> {
        let rising = ends.windows(2).all(|pair| pair[0] < pair[1]) && ends.first() != Some(&0);
        let whole = ends.last().map_or(0, |&end| end as usize) == members.len();
        let known = members.iter().all(|&number| (number as usize) < table.len());
        (rising && whole && known && table.is_strictly_sorted()).then_some(Self { table, ends, members })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn members(&self, index: usize) -> &[u32] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        &self.members[start..self.ends[index] as usize]
    }

    pub(super) fn texts(&self, index: usize) -> impl Iterator<Item = &str> {
        self.members(index)
            .iter()
            .map(|&number| self.table.get(number as usize))
    }

    pub(super) fn table(&self) -> &Strings {
        &self.table
    }

    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    pub(super) fn all_members(&self) -> &[u32] {
        &self.members
    }
}

/// Numbers texts in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: HashMap<Box<str>, u32>,
}

impl Interner {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(text.into(), number);
        number
    }

    /// The texts in order, and for each number as given the place in that order.
    pub(super) fn finish(self) -> (Strings, Vec<u32>) {
        let mut texts: Vec<(Box<str>, u32)> = self.numbers.into_iter().collect();
        texts.sort_unstable();
        let mut table = Strings::with_capacity(texts.len(), 0);
        let mut places = vec![0; texts.len()];
        for (place, (text, number)) in texts.iter().enumerate() {
            table.push(text);
            places[*number as usize] = place as u32;
        }
        (table, places)
    }
}
