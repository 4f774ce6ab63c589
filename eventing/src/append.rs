//! An append: what goes in, what comes out, and what can go wrong.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::ids::{ExpectedVersion, Position, StreamId, SubjectId, Version};
use crate::record::{Metadata, NewEvent, RecordedEvent};

/// The most events one append may hold; far above what one command records.
pub const APPEND_EVENTS_MAX: usize = 4_096;

/// Some events for one stream, with what must be stored together with them: all or nothing.
///
/// No events at all is legal, to store a receipt or change claims.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream.
    pub stream: StreamId,
    /// Where it must stand.
    pub expected: ExpectedVersion,
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// Where they come from.
    pub metadata: Metadata,
    /// Names to take or give up.
    pub claims: Vec<ClaimChange>,
    /// The answer to keep for a caller who asks the same again.
    pub receipt: Option<NewReceipt>,
}

impl Append {
    /// An append of `events`, without claims and receipt.
    #[must_use]
    pub fn new(
        stream: StreamId,
        expected: ExpectedVersion,
        events: Vec<NewEvent>,
        metadata: Metadata,
    ) -> Self {
        Self {
            stream,
            expected,
            events,
            metadata,
            claims: Vec::new(),
            receipt: None,
        }
    }
}

/// What was appended.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The last event's position; without events, the stream's (0 if it has no records).
    pub position: Position,
    /// The stream's version now.
    pub version: Version,
    /// The events, as they stand in the log.
    pub events: Vec<RecordedEvent>,
}

/// Why an append failed, and what holds then.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream stands elsewhere. Nothing is written: reload, decide again.
    #[error("stream {stream} is at version {actual}; expected was {expected}")]
    VersionConflict {
        /// The stream.
        stream: StreamId,
        /// What was expected.
        expected: ExpectedVersion,
        /// Where it stands.
        actual: Version,
    },
    /// Another stream holds this name. Nothing is written.
    #[error("the {kind} is taken")]
    ClaimTaken {
        /// What kind of name.
        kind: Cow<'static, str>,
    },
    /// The same request was answered before. Nothing is written: give the first answer.
    #[error("this request was answered before")]
    ReceiptExists(Box<Receipt>),
    /// The caller asked for something that can never be stored. Nothing is written.
    #[error("not an append: {0}")]
    Invalid(&'static str),
    /// The disk is full. Nothing is written: try later.
    #[error("the event log's storage is full")]
    StorageFull,
    /// The log could not be written. Nothing is written: try later.
    #[error("the event log is not available")]
    Unavailable(#[source] StorageFault),
    /// The write may have happened. Append again with the same event ids: it will not happen twice.
    #[error("the event log did not answer; the append may have happened")]
    OutcomeUnknown(#[source] StorageFault),
    /// The log contradicts itself. Stop, and call a person.
    #[error("the event log is damaged: {0}")]
    Corrupt(String),
    /// The log is closed. Nothing is written.
    #[error("the event log is closed")]
    Stopped,
}

/// What the storage under the log said.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StorageFault {
    message: String,
}

impl StorageFault {
    pub(crate) fn new(cause: impl fmt::Display) -> Self {
        Self {
            message: cause.to_string(),
        }
    }
}

/// A name that only one stream can hold at a time: a kind, and a keyed hash of the name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// What kind of name, for example `username`.
    pub kind: Cow<'static, str>,
    /// A keyed hash of the name ([`Keys::hmac`](crate::Keys::hmac)): the log never holds the name itself.
    pub digest: [u8; 32],
}

impl Claim {
    /// Names a claim.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>, digest: [u8; 32]) -> Self {
        Self {
            kind: kind.into(),
            digest,
        }
    }
}

/// What an append does to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimChange {
    /// Takes it for the append's stream. Holding it already is fine.
    Take(Claim),
    /// Gives it up, if the append's stream holds it; otherwise changes nothing.
    Release(Claim),
}

/// The caller's name for a wish: a keyed hash of who asks and their idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceiptKey(pub [u8; 32]);

/// A first answer, to be stored with the append it answers.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// The caller's name for the wish.
    pub key: ReceiptKey,
    /// A keyed hash of the whole request: the same key with another request is a mistake of the caller.
    pub fingerprint: [u8; 32],
    /// The answer. Opaque to the log; the executor seals it when it names a subject.
    pub answer: Bytes,
    /// The person under whose key the answer is sealed.
    pub subject: Option<SubjectId>,
}

/// A first answer, as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The fingerprint of the first request.
    pub fingerprint: [u8; 32],
    /// The answer. Straight from the log it is sealed if there is a subject; from the executor it is open,
    /// and `None` once the person was erased.
    pub answer: Option<Bytes>,
    /// The person under whose key the answer is sealed in the log.
    pub subject: Option<SubjectId>,
    /// [`Appended::position`] of the append it was stored with.
    pub position: Position,
    /// When it was stored.
    pub recorded_at: DateTime<Utc>,
}
