//! Which records to read.

use crate::ids::{CorrelationId, Position, StreamId, SubjectId};
use crate::record::RecordedEvent;

/// The records to read: after a position, at most a number, and only those that every given field fits.
///
/// Subject and correlation stand in the records alone, and no index leads to a category or to types by their beginning, so asking
/// for them looks through records one by one: [`EventLog::search`](super::EventLog::search) does that in bounded steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Only later ones.
    pub after: Position,
    /// Only this one and earlier ones.
    pub until: Option<Position>,
    /// At most so many.
    pub limit: usize,
    /// Only this stream's.
    pub stream: Option<StreamId>,
    /// None of this stream's.
    pub except_stream: Option<StreamId>,
    /// Only this type; with a `.` at the end, every type that starts so (`account.`).
    pub event_type: Option<String>,
    /// Only streams of this category.
    pub category: Option<String>,
    /// Only what is about this person.
    pub subject: Option<SubjectId>,
    /// Only this chain of causes.
    pub correlation: Option<CorrelationId>,
}

impl EventFilter {
    /// Every record after `after`, at most `limit`.
    #[must_use]
    pub fn after(after: Position, limit: usize) -> Self {
        Self {
            after,
            until: None,
            limit,
            stream: None,
            except_stream: None,
            event_type: None,
            category: None,
            subject: None,
            correlation: None,
        }
    }

    /// Whether `event` is one of these, however many are asked for.
    #[must_use]
    pub fn fits(&self, event: &RecordedEvent) -> bool {
        event.position > self.after
            && self.until.is_none_or(|until| event.position <= until)
            && self.stream.as_ref().is_none_or(|stream| event.stream == *stream)
            && self.except_stream.as_ref() != Some(&event.stream)
            && self.event_type.as_ref().is_none_or(|name| is_of(event, name))
            && self
                .category
                .as_ref()
                .is_none_or(|category| event.stream.category() == category)
            && self.subject.is_none_or(|subject| event.subject == Some(subject))
            && self
                .correlation
                .is_none_or(|correlation| event.correlation_id == correlation)
    }

    /// Whether no index leads to what is asked for, so that records are looked through one by one.
    pub(super) fn looks_through_records(&self) -> bool {
        let is_prefix = |name: &String| name.ends_with('.');
        let is_indexed = self.stream.is_some();
        let of_many_types = self.event_type.as_ref().is_some_and(is_prefix) || self.category.is_some();
        self.subject.is_some() || self.correlation.is_some() || (of_many_types && !is_indexed)
    }

    /// Texts that every record has that fits; others may have them too, in their payload.
    pub(super) fn traits(&self) -> impl Iterator<Item = Vec<u8>> {
        let subject = self
            .subject
            .map(|subject| format!(",\"subject\":\"{}\"", subject.0));
        let correlation = self
            .correlation
            .map(|correlation| format!(",\"correlation_id\":\"{}\"", correlation.0));
        subject.into_iter().chain(correlation).map(String::into_bytes)
    }
}

fn is_of(event: &RecordedEvent, name: &str) -> bool {
    match name.ends_with('.') {
        true => event.event_type.starts_with(name),
        false => event.event_type == name,
    }
}
