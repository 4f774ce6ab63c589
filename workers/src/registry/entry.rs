//! What a registry says of its models, and its pointer.

use std::fmt;

use chrono::{DateTime, Utc};
use classifier::BaseModel;
use domain::Digest;

/// A model in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The digest of its bytes.
    pub model: Digest,
    /// How many bytes it has.
    pub length: u64,
    /// Its family, as `neutral`; `None` when the bytes are no base model that this program can read.
    pub kind: Option<String>,
    /// The digest of the feature schema that it belongs to; `None` as for `kind`.
    pub schema: Option<Digest>,
    /// When it was kept.
    pub created_at: DateTime<Utc>,
}

/// The number of a move of the pointer. The first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// Where the pointer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// The number of the move that brought it there.
    pub generation: Generation,
    /// The model that it names.
    pub model: Digest,
}

impl Entry {
    /// What is to be said of `model`, whose digest is known to be `digest`.
    pub(super) fn describe(digest: Digest, model: &[u8], created_at: DateTime<Utc>) -> Self {
        let read = BaseModel::from_bytes(model).ok();
        Self {
            model: digest,
            length: model.len() as u64,
            schema: read.as_ref().map(|model| model.schema),
            kind: read.map(|model| model.kind),
            created_at,
        }
    }
}

impl Generation {
    pub(super) const FIRST: Self = Self(1);
    const PREFIX: &str = "current-";

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The name of its record. Names sort as numbers do.
    pub(super) fn record_name(self) -> String {
        format!("{}{:020}", Self::PREFIX, self.0)
    }

    /// The generation whose record has this name.
    pub(super) fn of_record(name: &str) -> Option<Self> {
        let generation = Self(name.strip_prefix(Self::PREFIX)?.parse().ok()?);
        (generation.record_name() == name).then_some(generation)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_sort_as_their_generations_and_are_read_back() {
        let names = [1, 9, 10, u64::MAX].map(|n| Generation(n).record_name());
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(Generation::of_record(&names[2]), Some(Generation(10)));
        for other in ["current-7", "current-", "0007", "draft-current-1"] {
            assert_eq!(Generation::of_record(other), None, "{other}");
        }
    }
}
