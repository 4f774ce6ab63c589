//! What is appended ([`NewEvent`]) and what was ([`RecordedEvent`]).
//!
//! The **record** is the one truth: a JSON object on one line with its fields in a fixed order. Its bytes
//! are hashed (`leaf_hash = SHA-256(0x00 || record)`), kept and handed on as they are; every field of
//! [`RecordedEvent`] is read from them. See [`line`](mod@line) for the shape.

pub mod line;
mod time;

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::ids::{
    CausationId, CorrelationId, EventId, Position, SchemaVersion, StreamId, SubjectId, Version,
};

pub use line::InvalidRecord;
pub(crate) use line::{write_number, write_uuid};
pub(crate) use time::{from_micros, now_micros, write_time};

/// Where an event comes from; the same for all events of one append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The chain of causes this belongs to.
    pub correlation_id: CorrelationId,
    /// The direct cause, if there is one in the log.
    pub causation_id: Option<CausationId>,
    /// The W3C `traceparent` of what led to it, if that is traced: visible ASCII without quotes, at most
    /// [`TRACEPARENT_LEN_MAX`] bytes. The [executor](crate::Executor) puts its append's own in its place while
    /// [spans are told](crate::traces).
    pub traceparent: Option<String>,
    /// The person this is about.
    pub subject: Option<SubjectId>,
}

impl Metadata {
    /// The start of a new chain, with nothing else known.
    #[must_use]
    pub fn new() -> Self {
        Self::correlated(CorrelationId::new())
    }

    /// A further link of the chain `correlation_id`.
    #[must_use]
    pub fn correlated(correlation_id: CorrelationId) -> Self {
        Self {
            correlation_id,
            causation_id: None,
            traceparent: None,
            subject: None,
        }
    }

    /// What an effect of `event` carries: the same chain and trace, and the event as the direct cause.
    #[must_use]
    pub fn caused_by(event: &RecordedEvent) -> Self {
        Self {
            correlation_id: event.correlation_id,
            causation_id: Some(event.id.into()),
            traceparent: event.traceparent.clone(),
            subject: None,
        }
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self::new()
    }
}

/// The longest accepted `traceparent`, in bytes; version 00 has 55.
pub const TRACEPARENT_LEN_MAX: usize = 128;

/// The content of an event: readable by anyone who has the log, or sealed under the subject's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The payload itself: one JSON object on one line.
    Open(Bytes),
    /// The payload, sealed.
    Sealed(SealedPayload),
}

/// A payload sealed with XChaCha20-Poly1305 under a subject's key.
///
/// The additional data is the text `event id|stream|version|type`, so a sealed payload is worth nothing
/// in any other place of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPayload {
    /// Which key: the first half of the SHA-256 of the data key.
    pub key: [u8; 16],
    /// The nonce, random for each payload.
    pub nonce: [u8; 24],
    /// Ciphertext and tag.
    pub data: Bytes,
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id; the same id again means the same event again.
    pub id: EventId,
    /// Its type: lower-case letters, digits, `_` and `.`, at most 64 bytes.
    pub event_type: Cow<'static, str>,
    /// The shape of the payload.
    pub schema_version: SchemaVersion,
    /// The payload. [`Executor`](crate::Executor) seals it where it is about a person.
    pub body: Body,
}

impl NewEvent {
    /// An event with a new id and an open payload, which must be one JSON object on one line.
    #[must_use]
    pub fn new(
        event_type: impl Into<Cow<'static, str>>,
        schema_version: SchemaVersion,
        payload: impl Into<Bytes>,
    ) -> Self {
        Self {
            id: EventId::new(),
            event_type: event_type.into(),
            schema_version,
            body: Body::Open(payload.into()),
        }
    }
}

/// What a codec makes of an event: everything a [`NewEvent`] needs but the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEvent {
    /// The type, as it is stored.
    pub event_type: &'static str,
    /// The shape of the payload.
    pub schema_version: SchemaVersion,
    /// The payload: one JSON object on one line.
    pub payload: Bytes,
    /// Whether the payload is about a person and must be sealed.
    pub personal: bool,
}

/// An event in the log, with its place and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the whole log.
    pub position: Position,
    /// Its id.
    pub id: EventId,
    /// Its stream.
    pub stream: StreamId,
    /// Its number in the stream.
    pub version: Version,
    /// Its type.
    pub event_type: String,
    /// The shape of its payload.
    pub schema_version: SchemaVersion,
    /// When it was recorded, in microseconds; never earlier than the record before it.
    pub recorded_at: DateTime<Utc>,
    /// The person it is about.
    pub subject: Option<SubjectId>,
    /// The chain of causes it belongs to.
    pub correlation_id: CorrelationId,
    /// Its direct cause.
    pub causation_id: Option<CausationId>,
    /// The trace it was recorded in, and the span of it that recorded it or led to it.
    pub traceparent: Option<String>,
    /// Its content.
    pub body: Body,
    /// The exact bytes that were hashed, without a line end.
    pub record: Bytes,
    /// `SHA-256(0x00 || record)`: the leaf of the log's Merkle tree at `position - 1`.
    pub leaf_hash: [u8; 32],
}

impl RecordedEvent {
    /// Reads an event from its record, and hashes it. An open payload is found by its braces and not looked into: whether
    /// it is the one that was recorded is for the hash to say.
    ///
    /// # Errors
    /// [`InvalidRecord`] if the bytes are not a record, to the letter.
    pub fn from_record(record: Bytes) -> Result<Self, InvalidRecord> {
        let leaf_hash = leaf_hash(&record);
        line::parse(record, leaf_hash)
    }

    /// The same for bytes that nothing vouches for yet: an open payload is looked into as well, and must be one JSON object.
    ///
    /// # Errors
    /// [`InvalidRecord`] if the bytes are not a record, to the letter.
    pub fn from_whole_record(record: Bytes) -> Result<Self, InvalidRecord> {
        let event = Self::from_record(record)?;
        line::check_payload(&event.body)?;
        Ok(event)
    }

    /// The additional data that the payload of this event is sealed with.
    #[must_use]
    pub fn seal_context(&self) -> String {
        seal_context(self.id, &self.stream, self.version, &self.event_type)
    }
}

/// The additional data of a sealed payload: `event id|stream|version|type`.
#[must_use]
pub fn seal_context(id: EventId, stream: &StreamId, version: Version, event_type: &str) -> String {
    format!("{id}|{stream}|{version}|{event_type}")
}

/// The hash of a record as a leaf of the log's Merkle tree (RFC 6962): `SHA-256(0x00 || record)`.
#[must_use]
pub fn leaf_hash(record: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([0_u8]);
    hasher.update(record);
    hasher.finalize().into()
}
