//! Streams that failed and will be tried again, each at its time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{Position, StreamId, bus::Delivery};

/// The streams that wait. A stream that waits holds back the checkpoint, and all its later events wait behind it.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<StreamId, Wait>);

#[derive(Debug)]
struct Wait {
    due: Instant,
    /// The position of an event at or below the first one not applied.
    floor: Position,
    /// One delivery of the stream, unacknowledged, so that another replica gets it should this one disappear.
    held: Option<Delivery>,
    /// How often another replica was faster, in a row.
    races: u32,
    /// Whether its next attempt is counted before it is made.
    suspect: bool,
    /// Since when it waits.
    since: Instant,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, stream: &StreamId) -> bool {
        self.0.contains_key(stream)
    }

    /// Lets `stream` wait until `due`. `floor` is a position at or below the first event not applied.
    pub(super) fn put(&mut self, stream: StreamId, due: Instant, floor: Position) {
        let wait = self.0.entry(stream).or_insert_with(|| Wait {
            due,
            floor,
            held: None,
            races: 0,
            suspect: false,
            since: Instant::now(),
        });
        wait.due = due;
        wait.floor = wait.floor.min(floor);
    }

    /// Lets `stream`, if it waits, wait until `due` at least.
    pub(super) fn postpone(&mut self, stream: &StreamId, due: Instant) {
        if let Some(wait) = self.0.get_mut(stream) {
            wait.due = wait.due.max(due);
        }
    }

    /// Lets `stream` wait for no time, since another replica was faster; how often that happened in a row.
    pub(super) fn put_after_race(&mut self, stream: StreamId, now: Instant, floor: Position) -> u32 {
        self.put(stream.clone(), now, floor);
        let races = self.0.get_mut(&stream).map(|wait| {
            wait.races += 1;
            wait.races
        });
        races.unwrap_or_default()
    }

    /// Has the next attempt at `stream` counted before it is made: it may not end.
    pub(super) fn suspect(&mut self, stream: &StreamId) {
        if let Some(wait) = self.0.get_mut(stream) {
            wait.suspect = true;
        }
    }

    pub(super) fn is_suspect(&self, stream: &StreamId) -> bool {
        self.0.get(stream).is_some_and(|wait| wait.suspect)
    }

    /// Since when `stream` waits.
    pub(super) fn since(&self, stream: &StreamId) -> Option<Instant> {
        self.0.get(stream).map(|wait| wait.since)
    }

    /// Keeps `delivery` back while `stream` waits; gives it back when one is kept already, or when nothing waits.
    pub(super) fn hold(&mut self, stream: &StreamId, delivery: Delivery) -> Option<Delivery> {
        match self.0.get_mut(stream) {
            Some(wait) if wait.held.is_none() => {
                wait.held = Some(delivery);
                None
            }
            _ => Some(delivery),
        }
    }

    /// Ends the wait; the answer is the delivery kept back, to be acknowledged.
    pub(super) fn end(&mut self, stream: &StreamId) -> Option<Delivery> {
        self.0.remove(stream).and_then(|wait| wait.held)
    }

    /// The streams that wait.
    pub(super) fn streams(&self) -> impl Iterator<Item = &StreamId> {
        self.0.keys()
    }

    /// The streams whose time has come.
    pub(super) fn due(&self, now: Instant) -> Vec<StreamId> {
        self.0
            .iter()
            .filter(|(_, wait)| wait.due <= now)
            .map(|(stream, _)| stream.clone())
            .collect()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().map(|wait| wait.due).min()
    }

    /// The highest position that the checkpoint may have: nothing at or below it waits.
    pub(super) fn ceiling(&self) -> Option<Position> {
        self.0
            .values()
            .map(|wait| Position(wait.floor.0.saturating_sub(1)))
            .min()
    }
}

/// How long to wait after the `failures`-th failure in a row: at least what was `asked`, doubling from `min` to `max`.
pub(super) fn backoff(failures: u32, asked: Duration, min: Duration, max: Duration) -> Duration {
    let doubled = min.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(20)));
    doubled.min(max).max(asked)
}
