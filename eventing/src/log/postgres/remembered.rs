//! What the writer remembers of the database between transactions.
//!
//! It is true as long as nobody else appends, and all that was sent happens. So whoever trusts it makes each statement hold only
//! while the log's head is as this writer left it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::known::{Head, Known};
use super::plan::Plan;
use crate::append::Append;
use crate::ids::{Position, StreamId};

/// Streams remembered at most; about 20 MiB. Beyond it everything is forgotten, which costs a look-up each.
const STREAMS_MAX: usize = 100_000;
/// Who was overtaken once is overtaken again while two processes are busy: trusting would only cost a round trip more.
const DOUBT: Duration = Duration::from_millis(100);

/// Where the log and its streams stand when what this writer has sent is committed.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    position: Position,
    /// When the last record was recorded, in microseconds.
    recorded_at: i64,
    mark: Option<Uuid>,
    streams: HashMap<StreamId, Head>,
    doubted_until: Option<Instant>,
}

impl Remembered {
    /// All that `batch` touches; nothing when a part of it must be looked up, as claims and new streams always must.
    pub(super) fn of(&self, batch: &[&Append]) -> Option<Known> {
        if self.doubted_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let mut streams = HashMap::with_capacity(batch.len());
        for append in batch {
            let head = self.streams.get(&append.stream);
            let head = head.filter(|_| append.claims.is_empty())?;
            streams.insert(append.stream.clone(), *head);
        }
        Some(Known {
            position: self.position,
            recorded_at: self.recorded_at,
            mark: self.mark,
            streams,
            ..Known::default()
        })
    }

    /// Takes note of what was committed, or was sent to be.
    pub(super) fn note(&mut self, plan: &Plan) {
        // The head stays then as whoever wrote last has left it.
        if plan.is_empty() {
            return;
        }
        if plan.after() != self.position || self.streams.len() > STREAMS_MAX {
            self.streams.clear();
        }
        self.position = plan.position();
        self.recorded_at = plan.recorded_at();
        self.mark = Some(plan.mark());
        let moved = plan.moved().map(|(stream, head)| (stream.clone(), head));
        self.streams.extend(moved);
    }

    /// Somebody else has appended: nothing is trusted for a while.
    pub(super) fn overtaken(&mut self) {
        self.doubted_until = Some(Instant::now() + DOUBT);
    }

    /// Forgets everything, because a transaction came to nothing.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
