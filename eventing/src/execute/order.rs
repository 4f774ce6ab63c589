//! An order and what becomes of it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use cqrs_es::Aggregate;

use crate::append::{ClaimChange, ReceiptKey};
use crate::ids::{Position, StreamId, SubjectId, Version};
use crate::record::{Metadata, RecordedEvent};

/// A command for one aggregate, with all that is to happen together with it.
#[derive(Debug)]
pub struct Order<A: Aggregate> {
    /// The aggregate's stream.
    pub stream: StreamId,
    /// The person the stream is about; must be the same for every order of a stream.
    pub subject: Option<SubjectId>,
    /// The command.
    pub command: A::Command,
    /// The version the caller has seen, if the command depends on it (`If-Match`).
    pub expected: Option<Version>,
    /// Where the command comes from. Its `subject` is taken from the order.
    pub metadata: Metadata,
    /// Names to take or give up, if the command is accepted.
    pub claims: Vec<ClaimChange>,
    /// The answer to keep for a caller who asks the same again.
    pub receipt: Option<ReceiptDraft<A::Event>>,
    /// Whether a key is made for the subject first (registration). It stays if the command is refused, unused.
    pub creates_subject: bool,
}

impl<A: Aggregate> Order<A> {
    /// A plain order: no person, no expected version, no claims, no receipt.
    #[must_use]
    pub fn new(stream: StreamId, command: A::Command, metadata: Metadata) -> Self {
        let (subject, expected, receipt) = (None, None, None);
        Self {
            stream,
            subject,
            command,
            expected,
            metadata,
            claims: Vec::new(),
            receipt,
            creates_subject: false,
        }
    }

    /// The same about a person.
    #[must_use]
    pub fn about(mut self, subject: SubjectId) -> Self {
        self.subject = Some(subject);
        self
    }

    pub(super) fn stores_nothing_else(&self) -> bool {
        self.claims.is_empty() && self.receipt.is_none()
    }
}

type AnswerOf<E> = Arc<dyn Fn(Version, &[E]) -> Bytes + Send + Sync>;

/// An answer to be kept, which may depend on what is decided. It must hold no secret: a session token is
/// never stored. If the order is about a person, the answer is sealed under their key.
pub struct ReceiptDraft<E> {
    /// The caller's name for the wish.
    pub key: ReceiptKey,
    /// A keyed hash of the whole request.
    pub fingerprint: [u8; 32],
    pub(super) outlives_the_person: bool,
    answer: AnswerOf<E>,
}

impl<E> ReceiptDraft<E> {
    /// An answer that is known before.
    #[must_use]
    pub fn fixed(key: ReceiptKey, fingerprint: [u8; 32], answer: impl Into<Bytes>) -> Self {
        let answer = answer.into();
        Self::computed(key, fingerprint, move |_, _| answer.clone())
    }

    /// An answer made from the stream's version after the command and the events that were decided. The
    /// position is not known yet: it is stored beside the answer.
    #[must_use]
    pub fn computed(
        key: ReceiptKey,
        fingerprint: [u8; 32],
        answer: impl Fn(Version, &[E]) -> Bytes + Send + Sync + 'static,
    ) -> Self {
        Self {
            key,
            fingerprint,
            outlives_the_person: false,
            answer: Arc::new(answer),
        }
    }

    /// The same, kept unsealed and when the person is forgotten: for the answer to that very wish, which must tell nothing
    /// about them.
    #[must_use]
    pub fn outliving_the_person(self) -> Self {
        Self {
            outlives_the_person: true,
            ..self
        }
    }

    pub(super) fn answer(&self, version: Version, events: &[E]) -> Bytes {
        (self.answer)(version, events)
    }
}

impl<E> fmt::Debug for ReceiptDraft<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptDraft")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<E> Clone for ReceiptDraft<E> {
    fn clone(&self) -> Self {
        Self {
            key: self.key,
            fingerprint: self.fingerprint,
            outlives_the_person: self.outlives_the_person,
            answer: Arc::clone(&self.answer),
        }
    }
}

/// What an order came to.
#[derive(Debug, Clone)]
pub struct Executed<E> {
    /// The position of the stream's last record now; 0 if it has none.
    pub position: Position,
    /// The stream's version now.
    pub version: Version,
    /// The events that were decided; none if there was nothing to do.
    pub events: Vec<E>,
    /// The same, as they stand in the log.
    pub recorded: Vec<RecordedEvent>,
}

/// An aggregate, and as of when.
#[derive(Debug)]
pub struct Loaded<A> {
    /// The stream's version; 0 if it has no records.
    pub version: Version,
    /// The position of its last record; 0 if it has none.
    pub position: Position,
    /// The aggregate.
    pub aggregate: Arc<A>,
}

impl<A> Clone for Loaded<A> {
    fn clone(&self) -> Self {
        Self {
            version: self.version,
            position: self.position,
            aggregate: Arc::clone(&self.aggregate),
        }
    }
}
