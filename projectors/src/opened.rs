//! Opening and decoding records, once per batch, over all cores.

use std::{num::NonZero, sync::Arc, thread};

use chrono::{DateTime, Utc};
use domain::Event;
use eventing::{Body, Keys, Payload, Position, RecordedEvent, StreamId, SubjectId, Version};

/// Below this many events another thread costs more than it saves.
const EVENTS_PER_THREAD_MIN: usize = 128;

/// A record of which the payload was opened and decoded.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: StreamId,
    pub(crate) version: Version,
    pub(crate) position: Position,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) subject: Option<SubjectId>,
    pub(crate) content: Result<Content, Fault>,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// What the record says; none or several events when an upcaster made them.
    Events(Vec<Event>),
    /// The person's key was destroyed.
    Erased,
}

/// Why a record could not be read. Holds no personal data.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Never can be.
    Poison(String),
    /// Not now.
    Unavailable(String),
}

/// Opens `events`, which keep their order. Blocks while keys are read.
pub(crate) fn open_all(keys: &Keys, events: &[Arc<RecordedEvent>]) -> Vec<Opened> {
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
