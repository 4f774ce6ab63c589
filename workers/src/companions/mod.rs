//! Companions: what listeners like together, folded from the log and published in it.
//!
//! A [`CompanionsTask`] reads the log by itself, page after page, and keeps what every listener likes in memory. When that
//! has changed enough it counts [`classifier::Companions`], puts their bytes into the log's blobs and records
//! `companions.published`. Playlists are made from the last publication before their request, never from what is in memory
//! here: so they can be computed again, and do not depend on how far any task is.
//!
//! Of all classifiers on a log one does this at a time, whoever holds the lock of the duty. Two of them at once would be
//! harmless: the domain refuses counts that reach no further than the current ones. A start begins again at the log's
//! first event, in the background.

mod check;
mod due;
mod fold;
mod task;

use std::time::Duration;

use eventing::Position;

pub use check::{CheckedPublications, Following, PublicationCheck, PublicationDifference};
pub use fold::FoldError;
pub use task::CompanionsTask;

/// When companions are published, and how often the task looks.
#[derive(Clone, Debug)]
pub struct CompanionsSettings {
    /// Companions are counted from so many listeners on; with fewer, the current ones are empty.
    pub listeners_min: usize,
    /// Only listeners with so many likes count for `listeners_min`.
    pub likes_each_min: usize,
    /// Growth: likes that came or went since the last publication, in percent of those that it counts.
    pub growth_percent: u64,
    /// Growth is at least so many.
    pub growth_min: u64,
    /// At most one publication in this time because of growth.
    pub growth_every: Duration,
    /// Any change is published when none has followed for so long.
    pub quiet_for: Duration,
    /// Any change is published so long after the last publication, though others keep following.
    pub stale_after: Duration,
    /// At most one publication in this time because people were erased.
    pub erasure_every: Duration,
    /// Blobs stay in the log for good: publications that neither growth nor an erasure calls for are so rare that they
    /// add no more than this.
    pub bytes_per_hour_max: u64,
    /// How often the task looks for new events.
    pub poll_every: Duration,
    /// How often it looks whether it holds the lock, or can have it.
    pub lock_every: Duration,
}

impl Default for CompanionsSettings {
    fn default() -> Self {
        Self {
            listeners_min: 20,
            likes_each_min: 5,
            growth_percent: 10,
            growth_min: 50,
            growth_every: Duration::from_secs(30),
            quiet_for: Duration::from_secs(60),
            stale_after: Duration::from_secs(3_600),
            erasure_every: Duration::from_secs(5),
            bytes_per_hour_max: 16 << 20,
            poll_every: Duration::from_millis(500),
            lock_every: Duration::from_secs(5),
        }
    }
}

/// How far a task has come, for readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompanionsStatus {
    /// Whether it counts; another process does, or it has not begun, when not.
    pub leads: bool,
    /// Everything at or below is in what it holds.
    pub folded: Position,
    /// How far the current companions reach, as far as it knows.
    pub published: Option<Position>,
    /// Why the last round failed; nothing when it went well.
    pub last_error: Option<String>,
}
