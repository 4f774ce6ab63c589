//! Opening and decoding records, once per batch, over all cores.

use std::{num::NonZero, sync::Arc, thread};

use chrono::{DateTime, Utc};
use domain::Event;
use eventing::{Body, Keys, Payload, Position, RecordedEvent, StreamId, SubjectId, Version};

/// Below this many events another thread costs more than it saves.
const EVENTS_PER_THREAD_MIN: usize = 128;

/// The type of the event that says that its person is forgotten.
const ERASURE: &str = "account.erased";

/// A record of which the payload was opened and decoded.
#[derive(Debug)]
pub struct Opened {
    /// The stream.
    pub stream: StreamId,
    /// Its version with this event.
    pub version: Version,
    /// Where it stands in the log.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Whom it is about.
    pub subject: Option<SubjectId>,
    /// Whether it says that its person is forgotten, which its type alone tells.
    pub is_erasure: bool,
    /// What it says.
    pub content: Result<Content, Fault>,
}

/// What a record says.
#[derive(Debug)]
pub enum Content {
    /// What the record says; none or several events when an upcaster made them.
    Events(Vec<Event>),
    /// The person's key was destroyed.
    Erased,
}

/// Why a record could not be read. Holds no personal data.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Never can be.
    Poison(String),
    /// Not now.
    Unavailable(String),
}

/// Opens `events`, which keep their order, on all cores. Blocks while keys are read.
pub fn open_all(keys: &Keys, events: &[Arc<RecordedEvent>]) -> Vec<Opened> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let part = events.len().div_ceil(threads).max(EVENTS_PER_THREAD_MIN);
    if events.len() <= part {
        return events.iter().map(|event| open(keys, event)).collect();
    }
    thread::scope(|scope| {
        let open_part =
            |part: &[Arc<RecordedEvent>]| part.iter().map(|event| open(keys, event)).collect::<Vec<_>>();
        let parts: Vec<_> = events
            .chunks(part)
            .map(|part| scope.spawn(move || open_part(part)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

pub(crate) fn open(keys: &Keys, event: &RecordedEvent) -> Opened {
    Opened {
        stream: event.stream.clone(),
        version: event.version,
        position: event.position,
        recorded_at: event.recorded_at,
        subject: event.subject,
        is_erasure: event.event_type == ERASURE,
        content: content(keys, event),
    }
}

fn content(keys: &Keys, event: &RecordedEvent) -> Result<Content, Fault> {
    if let Body::Open(payload) = &event.body {
        return decode(event, payload);
    }
    match keys.open_event_blocking(event) {
        Ok(Payload::Open(payload)) => decode(event, &payload),
        Ok(Payload::Erased) => Ok(Content::Erased),
        Err(error) if error.is_passing() => Err(Fault::Unavailable(error.to_string())),
        Err(error) => Err(Fault::Poison(error.to_string())),
    }
}

fn decode(event: &RecordedEvent, payload: &[u8]) -> Result<Content, Fault> {
    // The error's source may quote the payload, which may be personal; its own text names type and version only.
    let events = domain::decode(&event.event_type, event.schema_version.0, payload);
    events
        .map(Content::Events)
        .map_err(|error| Fault::Poison(error.to_string()))
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Poison(reason) | Self::Unavailable(reason)) = self;
        f.write_str(reason)
    }
}
