//! Which part of the history is asked for, checked: for the routes and for `segue audit history`.

use chrono::{DateTime, Utc};
use domain::access::{Asked, EventTypes, StreamName};
use domain::{AccessId, AccountId};
use eventing::{CorrelationId, EventFilter, Position, StreamId, SubjectId};
use uuid::Uuid;

/// What is asked for, as it was written.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The name of a stream.
    pub stream: Option<String>,
    /// The UUID of an account: what is about that person.
    pub subject: Option<String>,
    /// A type, or with a dot at the end the beginning of some.
    pub event_type: Option<String>,
    /// The UUID of a chain of causes.
    pub correlation: Option<String>,
    /// Only what was recorded then or later, in RFC 3339.
    pub since: Option<String>,
    /// Only what was recorded before, in RFC 3339.
    pub before: Option<String>,
}

/// What is asked for, understood.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The same for the log; bounded by no time, position or number yet.
    pub filter: EventFilter,
    /// The same for the access log.
    pub asked: Asked,
}

/// A part of what is asked for makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidSelection {
    /// Which part, by the name it has in a query.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Selection {
    /// Understands what is asked for.
    ///
    /// # Errors
    /// [`InvalidSelection`] names the first part that makes no sense.
    pub fn understand(&self) -> Result<Selected, InvalidSelection> {
        let stream = parsed("stream", self.stream.as_deref(), StreamName::parse)?;
        let event_type = parsed("type", self.event_type.as_deref(), EventTypes::parse)?;
        let subject = parsed("subject", self.subject.as_deref(), uuid)?;
        let correlation = parsed("correlation", self.correlation.as_deref(), uuid)?;
        let since = parsed("since", self.since.as_deref(), time)?;
        let before = parsed("before", self.before.as_deref(), time)?;
        let filter = EventFilter {
            stream: parsed("stream", self.stream.as_deref(), StreamId::parse)?,
            event_type: event_type.as_ref().map(ToString::to_string),
            subject: subject.map(SubjectId),
            correlation: correlation.map(CorrelationId),
            ..EventFilter::after(Position::START, 0)
        };
        let asked = Asked {
            stream,
            event_type,
            subject: subject.map(AccountId::new),
            correlation,
            since,
            before,
            ..Asked::all()
        };
        Ok(Selected { filter, asked })
    }
}

impl Selected {
    /// Whether this asks for the access log by name.
    #[must_use]
    pub fn is_of_the_access_log(&self) -> bool {
        let types = self.asked.event_type.as_ref();
        let stream = self.filter.stream.as_ref();
        types.is_some_and(EventTypes::are_of_the_access_log)
            || stream.is_some_and(|stream| stream.category() == AccessId::CATEGORY)
    }
}

fn parsed<T, E: ToString>(
    field: &'static str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, InvalidSelection> {
    let problem = |error: E| InvalidSelection {
        field,
        problem: error.to_string(),
    };
    text.map(parse).transpose().map_err(problem)
}

fn uuid(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(|_| "is not a UUID")
}

fn time(text: &str) -> Result<DateTime<Utc>, &'static str> {
    // A plus sign that was not encoded in a query has become a space.
    let text = text.replace(' ', "+");
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .map_err(|_| "is not a time in RFC 3339, as in 2027-01-31T12:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_that_makes_no_sense_is_named() {
        let wrong = "a nonsense";
        let selection = |field: &str| {
            let set = |name| (name == field).then(|| wrong.to_owned());
            Selection {
                stream: set("stream"),
                subject: set("subject"),
                event_type: set("type"),
                correlation: set("correlation"),
                since: set("since"),
                before: set("before"),
            }
        };
        for field in ["stream", "subject", "type", "correlation", "since", "before"] {
            let error = selection(field).understand().unwrap_err();
            assert_eq!(error.field, field);
            assert!(!error.to_string().contains(wrong), "{error}");
        }
        assert!(selection("none").understand().is_ok());
    }
}
