//! What this process has appended itself: it is known here before any message can tell of it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{EventLog, Position, RecordedEvent};

/// A consumer's ear for its own process's appends. What it misses comes by the bus, or is found in the log.
pub(super) struct Own {
    log: EventLog,
    last: watch::Receiver<Position>,
    heard: Position,
}

impl Own {
    pub(super) fn new(log: EventLog) -> Self {
        Self {
            last: log.subscribe_own(),
            log,
            heard: Position::START,
        }
    }

    /// Waits for an own record above `read_to` that was not taken yet. Cancel-safe.
    pub(super) async fn wait(&self, read_to: Position) {
        let known = self.heard.max(read_to);
        let mut last = self.last.clone();
        if last.wait_for(|last| *last > known).await.is_err() {
            // The log is closed, and tells of nothing more.
            std::future::pending().await
        }
    }

    /// Takes the own records above `read_to` that were not taken yet, at most `max`, in order.
    pub(super) fn take(&mut self, read_to: Position, max: usize) -> Vec<Arc<RecordedEvent>> {
        let (known, last) = (self.heard.max(read_to), *self.last.borrow());
        if last <= known {
            return Vec::new();
        }
        let events = self.log.own_above(known, max);
        // Nothing is left in memory of a record that is larger than that.
        self.heard = events.last().map_or(last, |event| event.position);
        events.into_iter().map(Arc::new).collect()
    }
}
