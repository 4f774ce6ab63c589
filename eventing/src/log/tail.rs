//! The end of the log, as this process has noticed it: the head, and the records that it appended last.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::tree::Leaf;
use crate::ids::Position;
use crate::record::RecordedEvent;

/// Bytes of records kept: what a reader may be behind and still need not ask the database. Some thousands of records.
const RECENT_BYTES_MAX: usize = 4 << 20;
/// What a record takes in memory besides its bytes, roughly.
const RECORD_BYTES: usize = 400;

/// The head with its subscribers, and the last records of this process's own.
#[derive(Debug)]
pub(super) struct Tail {
    head: watch::Sender<Position>,
    /// The last record of this process's own.
    own: watch::Sender<Position>,
    /// When the database last told of its head.
    heard_at: Mutex<Instant>,
    recent: Mutex<Recent>,
}

/// Records in order, with gaps where other processes appended in between; only ever those that are committed.
#[derive(Debug, Default)]
struct Recent {
    records: VecDeque<RecordedEvent>,
    bytes: usize,
}

impl Tail {
    /// The end of a log that stands at `head`.
    pub(super) fn new(head: Position) -> Self {
        Self {
            head: watch::Sender::new(head),
            own: watch::Sender::new(Position::START),
            heard_at: Mutex::new(Instant::now()),
            recent: Mutex::default(),
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    pub(super) fn subscribe_own(&self) -> watch::Receiver<Position> {
        self.own.subscribe()
    }

    /// Tells the subscribers of a new head. Commits and polls may overtake each other: it never goes back.
    pub(super) fn advance(&self, position: Position) {
        *self.heard_at.lock() = Instant::now();
        self.head.send_if_modified(|known| {
            let is_new = position > *known;
            *known = position.max(*known);
            is_new
        });
    }

    /// Whether the database has told of its head within `limit`.
    pub(super) fn is_heard_within(&self, limit: Duration) -> bool {
        self.heard_at.lock().elapsed() <= limit
    }

    /// Takes what this process has committed, in order, and tells the subscribers of the new head. Records that were
    /// committed earlier, for an append that came again, are passed over.
    pub(super) fn committed<'a>(&self, events: impl IntoIterator<Item = &'a RecordedEvent>, head: Position) {
        let own = {
            let mut recent = self.recent.lock();
            recent.extend(events);
            recent
                .records
                .back()
                .map_or(Position::START, |last| last.position)
        };
        self.advance(head);
        self.own
            .send_if_modified(|known| std::mem::replace(known, own) != own);
    }

    /// The next records after `after` that are still in memory, at most `limit` and without a gap. Empty says nothing about
    /// the log.
    pub(super) fn after(&self, after: Position, limit: usize) -> Vec<RecordedEvent> {
        self.recent.lock().gapless(after, limit).cloned().collect()
    }

    /// The same, as leaves of the tree.
    pub(super) fn leaves_after(&self, after: Position, limit: usize) -> Vec<Leaf> {
        self.recent.lock().gapless(after, limit).map(Leaf::from).collect()
    }

    /// The first records above `after` that this process has committed and that are still in memory, at most `limit`.
    pub(super) fn own_above(&self, after: Position, limit: usize) -> Vec<RecordedEvent> {
        self.recent.lock().above(after).take(limit).cloned().collect()
    }
}

impl Recent {
    fn extend<'a>(&mut self, events: impl IntoIterator<Item = &'a RecordedEvent>) {
        for event in events {
            let last = self.records.back().map(|last| last.position);
            if last.is_some_and(|last| event.position <= last) {
                continue;
            }
            self.bytes += size_of(event);
            self.records.push_back(event.clone());
        }
        while self.bytes > RECENT_BYTES_MAX
            && let Some(oldest) = self.records.pop_front()
        {
            self.bytes -= size_of(&oldest);
        }
    }

    fn gapless(&self, after: Position, limit: usize) -> impl Iterator<Item = &RecordedEvent> {
        let next = (after.next().0..).zip(self.above(after));
        let gapless = next.take_while(|(position, event)| event.position.0 == *position);
        gapless.take(limit).map(|(_, event)| event)
    }

    fn above(&self, after: Position) -> impl Iterator<Item = &RecordedEvent> {
        let first = self.records.partition_point(|event| event.position <= after);
        self.records.range(first..)
    }
}

fn size_of(event: &RecordedEvent) -> usize {
    RECORD_BYTES + event.record.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bus::recorded;

    fn positions(tail: &Tail, after: u64, limit: usize) -> Vec<u64> {
        let events = tail.after(Position(after), limit);
        events.iter().map(|event| event.position.0).collect()
    }

    fn commit(tail: &Tail, positions: impl IntoIterator<Item = u64>) {
        let events: Vec<_> = positions.into_iter().map(|at| recorded(at, "account")).collect();
        let head = events.last().map_or(Position::START, |last| last.position);
        tail.committed(events.iter().map(|event| &**event), head);
    }

    #[test]
    fn what_was_committed_is_read_in_order_and_once() {
        let tail = Tail::new(Position(2));
        commit(&tail, [3, 4]);
        commit(&tail, [3, 5]);
        assert_eq!(*tail.subscribe().borrow(), Position(5));
        assert_eq!(positions(&tail, 2, 9), [3, 4, 5]);
        assert_eq!(positions(&tail, 3, 1), [4]);
        assert_eq!(positions(&tail, 5, 9), [] as [u64; 0]);
        assert_eq!(positions(&tail, 1, 9), [] as [u64; 0], "2 is not in memory");
    }

    #[test]
    fn nothing_is_read_across_what_another_process_appended() {
        let tail = Tail::new(Position::START);
        commit(&tail, [1, 2]);
        commit(&tail, [5, 6]);
        assert_eq!(positions(&tail, 0, 9), [1, 2]);
        assert_eq!(positions(&tail, 2, 9), [] as [u64; 0]);
        assert_eq!(positions(&tail, 4, 9), [5, 6]);
    }

    #[test]
    fn own_records_are_told_of_and_read_across_those_of_others() {
        let tail = Tail::new(Position::START);
        let mut own = tail.subscribe_own();
        tail.advance(Position(3));
        assert!(
            !own.has_changed().expect("the tail is there"),
            "another process's"
        );
        commit(&tail, [4, 5]);
        commit(&tail, [8]);
        assert_eq!(*own.borrow_and_update(), Position(8));
        let own = |after, limit| {
            let events = tail.own_above(Position(after), limit);
            events.iter().map(|event| event.position.0).collect::<Vec<_>>()
        };
        assert_eq!(own(0, 9), [4, 5, 8]);
        assert_eq!(own(4, 1), [5]);
        assert_eq!(own(8, 9), [] as [u64; 0]);
    }

    #[test]
    fn the_oldest_make_room() {
        let tail = Tail::new(Position::START);
        let many = (RECENT_BYTES_MAX / RECORD_BYTES) as u64 + 10;
        commit(&tail, 1..=many);
        assert_eq!(positions(&tail, 9, 9), [] as [u64; 0]);
        assert_eq!(positions(&tail, many - 1, 9), [many]);
        assert!(tail.recent.lock().bytes <= RECENT_BYTES_MAX);
    }
}
