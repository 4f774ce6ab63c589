//! What is written: views from one version to another, with their entries, lookups and checkpoints.

use std::borrow::Cow;

use eventing::{Position, StreamId, SubjectId, Version};

use super::Generation;

/// A view as it lies in the store. `head` is `None` when the view was removed: its person was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredView<'a> {
    pub(crate) version: Version,
    pub(crate) position: Position,
    pub(crate) head: Option<Cow<'a, [u8]>>,
    /// Whom it is about, when it was sealed for them.
    pub(crate) subject: Option<SubjectId>,
    /// The lookups that lead to it, when it was sealed.
    pub(crate) lookups: Vec<LookupKey>,
    /// There is a head, and the key it is sealed under was destroyed.
    pub(crate) is_lost: bool,
}

/// A pointer from one thing to another: `(index, partition, key)`. None of them holds a zero byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LookupKey {
    pub(crate) index: &'static str,
    pub(crate) partition: String,
    pub(crate) key: String,
}

impl LookupKey {
    pub(crate) fn new(index: &'static str, partition: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            index,
            partition: partition.into(),
            key: key.into(),
        }
    }
}

/// Brings one view from one version to another.
#[derive(Clone, Debug)]
pub(crate) struct ViewWrite {
    pub(crate) projection: &'static str,
    pub(crate) generation: Generation,
    pub(crate) stream: StreamId,
    /// Whom the view is about.
    pub(crate) subject: Option<SubjectId>,
    /// The stored version that this was folded from; `Version(0)` for a view that is not there yet.
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) position: Position,
    /// `None` removes the view with all of its entries and keeps the version.
    pub(crate) head: Option<Vec<u8>>,
    /// `None` removes the entry.
    pub(crate) entries: Vec<(String, Option<Vec<u8>>)>,
    /// `None` removes the lookup.
    pub(crate) lookups: Vec<(LookupKey, Option<Vec<u8>>)>,
    /// The lookups that lead to the view once this is written, as far as is known.
    pub(crate) kept: Vec<LookupKey>,
}

/// Raises a generation's checkpoint. It only grows: a lower one than is stored changes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raise {
    pub(crate) projection: &'static str,
    pub(crate) generation: Generation,
    pub(crate) to: Position,
    /// What the writer knows to be stored. If less is, the store was put back to an older state, and the raise is left
    /// out: what lies between was lost.
    pub(crate) known: Position,
    /// Which run of the store's server that was. Another may have lost writes that no checkpoint tells of.
    pub(crate) run: u64,
}

/// What is stored together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) writes: Vec<ViewWrite>,
    /// Left out when a write is refused for its version or generation.
    pub(crate) checkpoints: Vec<Raise>,
    /// People of whom nothing may be written from this batch on.
    pub(crate) forgotten: Vec<SubjectId>,
}

/// Why a write of a batch was left out. The other writes of the batch are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The view stands at another version than the one the write was folded from.
    OtherVersion,
    /// The view was removed, or its person forgotten, and the write holds something.
    Forgotten,
    /// The generation is neither live nor being built.
    OtherGeneration,
}

impl Refusal {
    /// Whether what was refused may have to be folded again, so that a checkpoint must not pass it.
    pub(crate) fn leaves_a_gap(self) -> bool {
        self != Self::Forgotten
    }
}
