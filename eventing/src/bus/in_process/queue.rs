//! One queue: what waits, who holds what, and what it can vouch for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tokio::sync::Notify;

use super::super::{Depth, Overflow, QueueSettings, Settled};
use crate::{Position, RecordedEvent};

/// A queue's state. Every message is either waiting (`ready`) or with one consumer (`held`).
pub(super) struct Queue {
    pub(super) settings: QueueSettings,
    /// By arrival, so that a message given back takes its old place.
    ready: BTreeMap<u64, Message>,
    held: HashMap<u64, Held>,
    /// How many messages of each position are in the queue.
    outstanding: BTreeMap<Position, usize>,
    /// Every event above `after` up to `to` was placed here, if it belongs here.
    known: Option<Settled>,
    next_sequence: u64,
    changed: Arc<Notify>,
}

struct Message {
    event: Arc<RecordedEvent>,
    deliveries: u32,
}

struct Held {
    consumer: u64,
    message: Message,
}

/// What became of a message offered to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    Kept,
    /// Forgotten, and consumers are told to read the log.
    LeftToTheLog,
    Refused,
}

/// A message that leaves the queue without being acknowledged.
pub(super) struct Returned(pub(super) Arc<RecordedEvent>);

/// A message handed to a consumer.
pub(super) struct Taken {
    pub(super) sequence: u64,
    pub(super) event: Arc<RecordedEvent>,
    pub(super) attempt: u32,
}

impl Queue {
    pub(super) fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            ready: BTreeMap::new(),
            held: HashMap::new(),
            outstanding: BTreeMap::new(),
            known: None,
            next_sequence: 0,
            changed: Arc::new(Notify::new()),
        }
    }

    pub(super) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    pub(super) fn notify(&self) {
        self.changed.notify_waiters();
    }

    pub(super) fn depth(&self) -> Depth {
        Depth {
            ready: self.ready.len(),
            unacknowledged: Some(self.held.len()),
        }
    }

    pub(super) fn place(&mut self, event: Arc<RecordedEvent>) -> Placed {
        if self.ready.len() + self.held.len() >= self.settings.length_max {
            match self.settings.overflow {
                Overflow::Refuse => return Placed::Refused,
                Overflow::ReadTheLog => {
                    self.forget_ready();
                    self.leave_to_the_log(event.position);
                    return Placed::LeftToTheLog;
                }
            }
        }
        *self.outstanding.entry(event.position).or_default() += 1;
        self.ready
            .insert(self.next_sequence, Message { event, deliveries: 0 });
        self.next_sequence += 1;
        Placed::Kept
    }

    /// Drops the oldest waiting message when the queue is full.
    pub(super) fn make_room(&mut self) {
        if self.ready.len() + self.held.len() >= self.settings.length_max
            && let Some((_, message)) = self.ready.pop_first()
        {
            self.no_longer_outstanding(message.event.position);
        }
    }

    pub(super) fn take(&mut self, consumer: u64, max: usize, prefetch: usize) -> Vec<Taken> {
        let has = self
            .held
            .values()
            .filter(|held| held.consumer == consumer)
            .count();
        let mut taken = Vec::new();
        while taken.len() < max.min(prefetch.saturating_sub(has)) {
            let Some((sequence, mut message)) = self.ready.pop_first() else {
                break;
            };
            message.deliveries += 1;
            taken.push(Taken {
                sequence,
                event: Arc::clone(&message.event),
                attempt: message.deliveries,
            });
            self.held.insert(sequence, Held { consumer, message });
        }
        taken
    }

    pub(super) fn acknowledge(&mut self, consumer: u64, sequence: u64) {
        if let Some(message) = self.release(consumer, sequence) {
            self.no_longer_outstanding(message.event.position);
        }
    }

    /// Takes a delivery back. The answer is the message that is now dead, if so.
    pub(super) fn give_back(&mut self, consumer: u64, sequence: u64, requeue: bool) -> Option<Returned> {
        let message = self.release(consumer, sequence)?;
        if requeue && message.deliveries < self.settings.delivery_limit {
            self.ready.insert(sequence, message);
            return None;
        }
        self.no_longer_outstanding(message.event.position);
        self.leave_to_the_log(message.event.position);
        Some(Returned(message.event))
    }

    /// Takes back everything that `consumer` holds. The answer is the messages that are now dead.
    pub(super) fn consumer_left(&mut self, consumer: u64) -> Vec<Returned> {
        let mut sequences: Vec<u64> = self
            .held
            .iter()
            .filter(|(_, held)| held.consumer == consumer)
            .map(|(&sequence, _)| sequence)
            .collect();
        sequences.sort_unstable();
        sequences
            .into_iter()
            .filter_map(|sequence| self.give_back(consumer, sequence, true))
            .collect()
    }

    /// Takes note that nothing at or below `position` will be published from now on.
    pub(super) fn begin_after(&mut self, position: Position) {
        self.leave_to_the_log(position);
        self.notify();
    }

    /// Takes note that every event up to `position` was published, as far as the one before it was.
    pub(super) fn knows(&mut self, position: Position) {
        let before = Position(position.0.saturating_sub(1));
        let known = self.known.get_or_insert(Settled {
            after: before,
            to: before,
        });
        if before > known.to {
            known.after = before;
        }
        known.to = known.to.max(position);
    }

    /// What is acknowledged: all that is known, below the lowest message still here.
    pub(super) fn settled(&self) -> Option<Settled> {
        let known = self.known?;
        let to = match self.outstanding.first_key_value() {
            Some((lowest, _)) => known.to.min(Position(lowest.0.saturating_sub(1))),
            None => known.to,
        };
        Some(Settled {
            after: known.after,
            to: to.max(known.after),
        })
    }

    fn release(&mut self, consumer: u64, sequence: u64) -> Option<Message> {
        if self.held.get(&sequence)?.consumer != consumer {
            return None;
        }
        self.held.remove(&sequence).map(|held| held.message)
    }

    fn forget_ready(&mut self) {
        for message in std::mem::take(&mut self.ready).into_values() {
            self.no_longer_outstanding(message.event.position);
            self.leave_to_the_log(message.event.position);
        }
    }

    /// From now on the queue does not vouch for `position` nor for anything below it.
    fn leave_to_the_log(&mut self, position: Position) {
        let known = self.known.get_or_insert(Settled {
            after: position,
            to: position,
        });
        known.after = known.after.max(position);
        known.to = known.to.max(position);
    }

    fn no_longer_outstanding(&mut self, position: Position) {
        if let Some(count) = self.outstanding.get_mut(&position) {
            *count -= 1;
            if *count == 0 {
                self.outstanding.remove(&position);
            }
        }
    }
}
