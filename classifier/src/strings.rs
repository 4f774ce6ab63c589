//! Many short texts in one allocation.

/// A list of texts: one string and the end of each. A million names cost a million times four bytes beside their
/// letters, where a `Vec<String>` costs twenty-four and an allocation each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    pub(crate) fn with_capacity(texts: usize, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(texts),
        }
    }

    /// `None` when `ends` do not cut `text` into whole characters, or leave a rest.
    pub(crate) fn from_parts(text: String, ends: Vec<u32>) -> Option<Self> {
        let mut start = 0;
        for &end in &ends {
            let end = end as usize;
            if end < start || !text.is_char_boundary(end) {
                return None;
            }
            start = end;
        }
        (start == text.len()).then_some(Self { text, ends })
    }

    /// # Panics
    /// Beyond 4 GiB of text; [`crate::catalogue::TRACKS_MAX`] and the bounds on each text stay below that.
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends
            .push(u32::try_from(self.text.len()).expect("a catalogue's texts stay below 4 GiB"));
    }

    pub(crate) fn get(&self, index: usize) -> &str {
        &self.text[self.start(index)..self.ends[index] as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Where text `index` starts.
    pub(crate) fn start(&self, index: usize) -> usize {
        if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        }
    }

    /// Which text the byte `offset` stands in.
    pub(crate) fn index_at(&self, offset: usize) -> usize {
        self.ends.partition_point(|&end| end as usize <= offset)
    }

    /// The index of `wanted` in a sorted list.
    pub(crate) fn binary_search(&self, wanted: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    pub(crate) fn is_strictly_sorted(&self) -> bool {
        (1..self.len()).all(|index| self.get(index - 1) < self.get(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_are_found() {
        let mut strings = Strings::default();
        for text in ["", "alpha", "beta", "éclair"] {
            strings.push(text);
        }
        assert_eq!(
            strings.iter().collect::<Vec<_>>(),
            ["", "alpha", "beta", "éclair"]
        );
        assert_eq!(strings.binary_search("beta"), Some(2));
        assert_eq!(strings.binary_search("gamma"), None);
        assert_eq!(strings.index_at(5), 2);
        assert!(strings.is_strictly_sorted());
    }

    #[test]
    fn ends_that_cut_a_character_or_leave_a_rest_are_refused() {
        assert!(Strings::from_parts("é".into(), vec![1]).is_none());
        assert!(Strings::from_parts("ab".into(), vec![1]).is_none());
        assert!(Strings::from_parts("ab".into(), vec![2, 1]).is_none());
        assert!(Strings::from_parts("ab".into(), vec![1, 2]).is_some());
    }
}
