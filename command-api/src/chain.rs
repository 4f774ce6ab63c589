//! One request and all that it caused: the records of one correlation, as trees of causes.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use eventing::{CorrelationId, EventFilter, EventId, EventLog, LogError, Position, RecordedEvent};
use serde::{Serialize, Serializer};

/// The most records of one chain that are told at a time; a request causes a handful.
pub const CHAIN_EVENTS_MAX: usize = 1_000;

/// A chain of causes, or a part of it.
#[derive(Debug, Serialize)]
pub struct Chain {
    /// Its id.
    pub correlation: String,
    /// How many records are told.
    pub events: usize,
    /// False when the chain may go on after what is told.
    pub complete: bool,
    /// The position after which it goes on; absent when it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The records that no other one that is told caused, in order, each with what it caused.
    pub roots: Vec<Link>,
}

/// A record in its chain.
#[derive(Debug, Serialize)]
pub struct Link {
    /// Where it stands in the log.
    pub position: u64,
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its stream.
    pub stream: String,
    /// Its version in the stream.
    pub version: u64,
    /// When it was recorded.
    #[serde(serialize_with = "micros")]
    pub recorded_at: DateTime<Utc>,
    /// The id of its direct cause; absent where it has none in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What it caused, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Link>,
}

fn micros<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

impl Chain {
    /// Reads a chain after a position, from the log as it is now; none if no record there carries its id. One search of bounded
    /// work: what it did not get to, or beyond [`CHAIN_EVENTS_MAX`] records, is for the next one. Safe to drop at any point.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn read(
        log: &EventLog,
        correlation: CorrelationId,
        after: Position,
    ) -> Result<Option<Self>, LogError> {
        let filter = EventFilter {
            correlation: Some(correlation),
            ..EventFilter::after(after, CHAIN_EVENTS_MAX + 1)
        };
        let mut found = log.search(filter).await?;
        let next = match found.events.get(CHAIN_EVENTS_MAX - 1) {
            Some(last) if found.events.len() > CHAIN_EVENTS_MAX => Some(last.position),
            _ if found.is_at_the_end => None,
            _ => Some(found.searched_to),
        };
        found.events.truncate(CHAIN_EVENTS_MAX);
        let is_there = !found.events.is_empty() || next.is_some();
        Ok(is_there.then(|| Self::of(correlation, &found.events, next)))
    }

    /// Puts the records of a chain, which are in order, under their causes.
    fn of(correlation: CorrelationId, events: &[RecordedEvent], next: Option<Position>) -> Self {
        let place: HashMap<EventId, usize> = events.iter().map(|event| event.id).zip(0..).collect();
        let mut links: Vec<Option<Link>> = events.iter().map(|event| Some(Link::of(event))).collect();
        let mut roots = Vec::new();
        // From the last to the first: a record comes after its cause, so its own effects are under it already.
        for (nth, event) in events.iter().enumerate().rev() {
            let Some(mut link) = links[nth].take() else {
                continue;
            };
            link.effects.reverse();
            let cause = event
                .causation_id
                .and_then(|cause| place.get(&EventId(cause.0)).copied());
            match cause.and_then(|cause| links[cause].as_mut()) {
                Some(cause) => cause.effects.push(link),
                None => roots.push(link),
            }
        }
        roots.reverse();
        Self {
            correlation: correlation.to_string(),
            events: events.len(),
            complete: next.is_none(),
            next_cursor: next.map(|next| next.to_string()),
            roots,
        }
    }

    /// Every record with how deep it stands, causes before effects.
    #[must_use]
    pub fn walk(&self) -> Vec<(usize, &Link)> {
        let mut walked = Vec::with_capacity(self.events);
        let mut open: Vec<(usize, &Link)> = self.roots.iter().rev().map(|link| (0, link)).collect();
        while let Some((depth, link)) = open.pop() {
            walked.push((depth, link));
            open.extend(link.effects.iter().rev().map(|effect| (depth + 1, effect)));
        }
        walked
    }
}

impl Link {
    fn of(event: &RecordedEvent) -> Self {
        Self {
            position: event.position.0,
            id: event.id.to_string(),
            event_type: event.event_type.clone(),
            stream: event.stream.to_string(),
            version: event.version.0,
            recorded_at: event.recorded_at,
            cause: event.causation_id.map(|cause| cause.to_string()),
            effects: Vec::new(),
        }
    }
}
