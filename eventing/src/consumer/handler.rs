//! What a consumer asks of the code that applies events.

use std::{future::Future, sync::Arc, time::Duration};

use crate::{Position, RecordedEvent, StreamId, Version};

/// Contiguous events of one stream, in version order.
///
/// The first event's version is one above what [`Handler::applied`] said, unless another replica has moved the
/// stream on in the meantime. A run is never empty.
#[derive(Debug, Clone)]
pub struct Run {
    /// The stream that all `events` belong to.
    pub stream: StreamId,
    /// The events, each version one above the one before it.
    pub events: Vec<Arc<RecordedEvent>>,
}

impl Run {
    /// The first event's version and position.
    ///
    /// # Panics
    /// When the run is empty, which the consumer never hands out.
    #[must_use]
    pub fn first(&self) -> (Version, Position) {
        let event = self.events.first().expect("a run holds at least one event");
        (event.version, event.position)
    }

    /// The last event's version and position.
    ///
    /// # Panics
    /// When the run is empty, which the consumer never hands out.
    #[must_use]
    pub fn last(&self) -> (Version, Position) {
        let event = self.events.last().expect("a run holds at least one event");
        (event.version, event.position)
    }
}

/// Applies events and stores their effect: a projector, or a worker's intake.
///
/// The store behind a handler may be shared by several replicas. Two things keep that safe: an effect is stored
/// together with the version it brings its stream to, in one atomic compare-and-set; and a checkpoint only grows.
pub trait Handler: Send + Sync + 'static {
    /// The consumer's name. It is stored state: dead letters are kept under it, and a rename is a migration.
    fn name(&self) -> &'static str;

    /// Whether this handler wants the events of `stream`. The answer for a stream never changes.
    fn wants(&self, stream: &StreamId) -> bool;

    /// The version up to which each of `streams` has been applied, `Version(0)` for a stream never seen; as many
    /// answers as streams, in their order.
    ///
    /// # Errors
    /// The store did not answer. Nothing is changed; the consumer asks again later.
    fn applied(
        &self,
        streams: &[StreamId],
    ) -> impl Future<Output = Result<Vec<Version>, HandlerError>> + Send;

    /// The highest position that was stored with [`Handler::store_checkpoint`]; `Position(0)` at first.
    ///
    /// # Errors
    /// The store did not answer. Nothing is changed; the consumer asks again later.
    fn checkpoint(&self) -> impl Future<Output = Result<Position, HandlerError>> + Send;

    /// Raises the stored checkpoint to `position`, unless it is higher: everything wanted at or below is stored, parked
    /// as a dead letter, or skipped. Answers with what is stored afterwards; that may be less, when the store knows
    /// that it lacks something.
    ///
    /// # Errors
    /// The store did not answer, and it is unknown which of both is stored. The consumer asks again later.
    fn store_checkpoint(
        &self,
        position: Position,
    ) -> impl Future<Output = Result<Position, HandlerError>> + Send;

    /// Applies `runs` and answers with a verdict for each, in their order. At most one run of a stream is in a call.
    ///
    /// Effects are durable as far as this handler promises before the answer is given.
    ///
    /// A run may begin above or below what is applied by now, since replicas compete: answer `AlreadySeen` when all
    /// of it was applied, otherwise `RetryAfter(Duration::ZERO)`, and the consumer asks `applied` again.
    ///
    /// Must be safe to call again with the same runs after a crash at any point. A panic counts as a failed attempt.
    fn handle(&self, runs: Vec<Run>) -> impl Future<Output = Vec<Verdict>> + Send;

    /// Takes `version` of `stream` as applied without any effect: a person has skipped this event. `position` is the
    /// event's. Does nothing when the stream is not exactly one version below.
    ///
    /// # Errors
    /// The store did not answer, and the event may or may not be passed over. The consumer asks again later.
    fn pass_over(
        &self,
        stream: &StreamId,
        version: Version,
        position: Position,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
}

/// A handler's store did not answer, or not in a way that can be understood.
#[derive(Debug, thiserror::Error)]
#[error("the handler's store did not answer")]
pub struct HandlerError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl HandlerError {
    /// Wraps what went wrong.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Applied, and stored.
    Done,
    /// Another replica, or this one before a crash, has stored all of it.
    AlreadySeen,
    /// Not applied; it may go well later, not before this time. `RetryAfter(ZERO)` says that another replica moved
    /// the stream: it is tried again at once and does not count as a failure the first few times.
    RetryAfter(Duration),
    /// Cannot be applied, now or later: the stream is parked at this run's first event until a person decides. A
    /// handler that got through some of the run stores those first, so that `applied` names the event at fault.
    DeadLetter(DeadLetterReason),
    /// Going on would do harm. The consumer stops and says so.
    Halt(HaltReason),
}

/// Why an event was set aside. Holds no personal data: it is shown to operators and written to logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeadLetterReason(pub String);

/// Why a consumer must not go on. Holds no personal data: it is shown in readiness and written to logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HaltReason(pub String);
