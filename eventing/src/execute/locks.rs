//! Turns: orders for one stream go one after the other.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use crate::ids::StreamId;

/// Locks shared by all streams; so many that two busy streams seldom share one.
const LOCKS: usize = 4_096;

#[derive(Debug)]
pub(super) struct StreamLocks {
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl StreamLocks {
    pub(super) fn new() -> Self {
        Self {
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for this stream's turn, which lasts until the guard is dropped. First come, first served.
    pub(super) async fn turn(&self, stream: &StreamId) -> MutexGuard<'_, ()> {
        let hash = usize::try_from(self.hasher.hash_one(stream) % LOCKS as u64).unwrap_or(0);
        self.locks[hash].lock().await
    }
}
