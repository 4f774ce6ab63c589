//! From a heap of events, in any order and with duplicates and losses, to what must be applied.

use std::{collections::BTreeMap, sync::Arc};

use super::Run;
use crate::{RecordedEvent, StreamId, Version};

/// Events by stream and version: sorted, and each once.
#[derive(Debug, Default)]
pub(super) struct Heap(BTreeMap<StreamId, BTreeMap<Version, Arc<RecordedEvent>>>);

impl Heap {
    pub(super) fn of(events: impl IntoIterator<Item = Arc<RecordedEvent>>) -> Self {
        let mut heap = Self::default();
        for event in events {
            match heap.0.get_mut(&event.stream) {
                Some(versions) => versions.insert(event.version, event),
                None => heap
                    .0
                    .entry(event.stream.clone())
                    .or_default()
                    .insert(event.version, event),
            };
        }
        heap
    }

    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.0.keys().cloned().collect()
    }

    /// What is left to do when `applied` gives each stream's version, in the order of [`Heap::streams`].
    pub(super) fn against(self, applied: &[Version]) -> Plan {
        let mut plan = Plan::default();
        for ((stream, versions), &applied) in self.0.into_iter().zip(applied) {
            let events: Vec<_> = versions
                .into_values()
                .filter(|event| event.version > applied)
                .collect();
            if events.is_empty() {
                continue;
            }
            if follow_on(applied, &events) {
                plan.runs.push(Run { stream, events });
            } else {
                plan.gaps.push(stream);
            }
        }
        plan
    }
}

/// What to do about a heap of events.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Ready to be applied.
    pub(super) runs: Vec<Run>,
    /// Streams of which an earlier event is missing: the log has it.
    pub(super) gaps: Vec<StreamId>,
}

fn follow_on(applied: Version, events: &[Arc<RecordedEvent>]) -> bool {
    (applied.0 + 1..)
        .zip(events)
        .all(|(expected, event)| event.version.0 == expected)
}
