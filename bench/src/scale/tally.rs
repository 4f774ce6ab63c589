//! What a load has seen, by what happened to the stack meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::asks::Kind;
use super::told::Acknowledged;
use crate::numbers::Latencies;

/// Latencies and acknowledged writes, counted by many tasks. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<Mutex<Counted>>);

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// In their order.
    pub(super) phases: Vec<Phase>,
    /// Every write that was said to be in the log.
    pub(super) acknowledged: Vec<Acknowledged>,
}

/// A time in which one thing happened to the stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase {
    /// What happened.
    pub(super) name: String,
    /// How long requests took that were due in it, from when they were due.
    pub(super) took: BTreeMap<Kind, Latencies>,
    /// From when a wish was due until its playlist was seen to be ready.
    pub(super) ready: Latencies,
}

impl Tally {
    /// Requests that are due from now on belong to a new phase.
    pub(super) fn begin(&self, name: impl Into<String>) {
        let phase = Phase {
            name: name.into(),
            ..Phase::default()
        };
        self.0.lock().phases.push(phase);
    }

    /// The phase that is now.
    pub(super) fn now(&self) -> usize {
        self.0.lock().phases.len().saturating_sub(1)
    }

    /// A request of the phase `phase` was answered.
    pub(super) fn answered(&self, phase: usize, kind: Kind, took: Duration) {
        self.on(phase, |phase| phase.took.entry(kind).or_default().push(took));
    }

    /// A playlist that was asked for in the phase `phase` is ready.
    pub(super) fn ready(&self, phase: usize, took: Duration) {
        self.on(phase, |phase| phase.ready.push(took));
    }

    /// A write is said to be in the log.
    pub(super) fn acknowledged(&self, write: Acknowledged) {
        self.0.lock().acknowledged.push(write);
    }

    /// All that was counted; nothing is left.
    pub(super) fn take(&self) -> Counted {
        std::mem::take(&mut self.0.lock())
    }

    fn on(&self, phase: usize, count: impl FnOnce(&mut Phase)) {
        if let Some(phase) = self.0.lock().phases.get_mut(phase) {
            count(phase);
        }
    }
}

impl Phase {
    /// How many requests were answered.
    pub(super) fn requests(&self) -> usize {
        self.took.values().map(Latencies::count).sum()
    }

    /// How long requests of these kinds took.
    pub(super) fn of(&self, kinds: &[Kind]) -> Latencies {
        let mut all = Latencies::default();
        for kind in kinds {
            all.extend(self.took.get(kind).cloned().unwrap_or_default());
        }
        all
    }
}
