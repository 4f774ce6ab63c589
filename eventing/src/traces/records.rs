//! The spans of what becomes of a record: it is appended, published, and handled by consumers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Kind, Running, TraceContext, TraceId, are_told};
use crate::append::{Append, AppendError, Appended};
use crate::bus::{Bus, Confirmation};
use crate::consumer::{Run, Verdict};
use crate::record::RecordedEvent;

/// What is older is history: a consumer that folds the log again tells nothing of it.
const FRESH_WITHIN: Duration = Duration::from_secs(15 * 60);

const POSITION: &str = "segue.position";

/// The trace that a record is part of.
#[must_use]
pub fn trace_of(event: &RecordedEvent) -> Option<TraceId> {
    let context = TraceContext::parse(event.traceparent.as_deref()?)?;
    Some(context.trace())
}

/// An append, from its decision to the log's answer.
pub(crate) struct Appending(Option<Running>);

impl Appending {
    /// Begins the span of `append`, which its records carry from now on.
    pub(crate) fn begin(append: &mut Append) -> Self {
        let Some(first) = append.events.first() else {
            return Self(None);
        };
        let metadata = &mut append.metadata;
        let name = || format!("append {}", first.event_type).into();
        let span = Running::continuing(metadata.traceparent.as_deref(), Kind::Internal, name);
        if let Some(span) = &span {
            metadata.traceparent = Some(span.context().to_string());
        }
        Self(span)
    }

    pub(crate) fn end(self, appended: &Result<Appended, AppendError>) {
        let Some(mut span) = self.0 else { return };
        match appended {
            Ok(appended) => span.say(POSITION, appended.position.0),
            Err(error) => span.fail(kind(error)),
        }
    }
}

fn kind(error: &AppendError) -> &'static str {
    match error {
        AppendError::VersionConflict { .. } => "version_conflict",
        AppendError::ClaimTaken { .. } => "claim_taken",
        AppendError::ReceiptExists(_) => "receipt_exists",
        AppendError::Invalid(_) => "invalid",
        AppendError::StorageFull => "storage_full",
        AppendError::Unavailable(_) => "unavailable",
        AppendError::OutcomeUnknown(_) => "outcome_unknown",
        AppendError::Corrupt(_) => "corrupt",
        AppendError::Stopped => "stopped",
    }
}

/// The publishing of a window of records; nothing while nobody looks.
pub(crate) struct Publishing(Option<SystemTime>);

impl Publishing {
    pub(crate) fn begin() -> Self {
        Self(are_told().then(SystemTime::now))
    }

    /// Tells of each record that was for a queue.
    pub(crate) fn end(self, bus: &Bus, events: &[Arc<RecordedEvent>], confirmations: &[Confirmation]) {
        let Some(begun) = self.0 else { return };
        let oldest = SystemTime::now() - FRESH_WITHIN;
        for (event, confirmation) in events.iter().zip(confirmations) {
            let error = match confirmation {
                Confirmation::Ok => None,
                Confirmation::Unroutable => Some("unroutable"),
                Confirmation::Refused => Some("refused"),
                Confirmation::Untagged | Confirmation::LeftToTheLog => continue,
            };
            let Some(span) = of_record(event, oldest, "publish", Kind::Producer) else {
                continue;
            };
            let mut span = span.since(begun);
            span.say("messaging.system", system(bus));
            if let Some(error) = error {
                span.fail(error);
            }
        }
    }
}

fn system(bus: &Bus) -> &'static str {
    match bus {
        Bus::InProcess(_) => "in_process",
        Bus::RabbitMq(_) => "rabbitmq",
    }
}

/// The handling of some runs by a consumer: a span for each record, with the number of its run.
pub(crate) struct Handling(Vec<(usize, Running)>);

impl Handling {
    pub(crate) fn begin(consumer: &'static str, runs: &[Run]) -> Self {
        if !are_told() {
            return Self(Vec::new());
        }
        let oldest = SystemTime::now() - FRESH_WITHIN;
        let numbered = runs.iter().enumerate();
        let events = numbered.flat_map(|(nth, run)| run.events.iter().map(move |event| (nth, event)));
        let spans = events.filter_map(|(nth, event)| {
            let mut span = of_record(event, oldest, "process", Kind::Consumer)?;
            span.say("messaging.consumer.group.name", consumer);
            Some((nth, span))
        });
        Self(spans.collect())
    }

    /// Tells what became of each run; without verdicts the handler panicked.
    pub(crate) fn end(self, verdicts: Option<&[Verdict]>) {
        for (nth, mut span) in self.0 {
            match verdicts.and_then(|verdicts| verdicts.get(nth)) {
                Some(Verdict::Done | Verdict::AlreadySeen) => {}
                Some(Verdict::RetryAfter(_)) => span.fail("retry_after"),
                Some(Verdict::DeadLetter(_)) => span.fail("dead_letter"),
                Some(Verdict::Halt(_)) => span.fail("halt"),
                None => span.fail("panic"),
            }
        }
    }
}

/// The span of something that is done to a record, unless it was recorded before `oldest`.
fn of_record(event: &RecordedEvent, oldest: SystemTime, done: &str, kind: Kind) -> Option<Running> {
    let traceparent = event.traceparent.as_deref()?;
    if SystemTime::from(event.recorded_at) < oldest {
        return None;
    }
    let name = || format!("{done} {}", event.event_type).into();
    let mut span = Running::continuing(Some(traceparent), kind, name)?;
    span.say(POSITION, event.position.0);
    Some(span)
}
