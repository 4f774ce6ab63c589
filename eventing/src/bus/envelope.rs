//! A recorded event as a message: a CloudEvents 1.0 envelope in JSON whose `data` is the record itself.
//!
//! ```text
//! {"specversion":"1.0","id":"…","source":"/segue","type":"account.registered","subject":"account-…","time":"…",
//!  "datacontenttype":"application/json","position":7,"stream":"account-…","version":2,"schemaversion":1,
//!  "correlationid":"…","causationid":"…","traceparent":"…","subjectid":"…","leafhash":"<hex>","data":{…}}
//! ```
//! on one line and without spaces between attributes. The record stands in `data` byte for byte, sealed if it was
//! sealed, and `leafhash` is its hash: a message that somebody wrote anew on its way is noticed. `causationid`,
//! `traceparent` and `subjectid` are left out where the record has none. Attributes that are not known are passed over,
//! so that a newer program may add some.
//!
//! A message to the letter as it is written here is read without a look at its JSON: the record tells what its attributes
//! must be, and they are compared as bytes.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::Malformed;
use crate::RecordedEvent;
use crate::record::{write_number, write_time, write_uuid};

/// The content type of every message.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// The largest message that is published or read: RabbitMQ 4's own bound. An event beyond is left to the log.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The envelope's `source`, as in the HTTP interface.
const SOURCE: &str = "/segue";
/// What the envelope takes besides the record, roughly.
const ENVELOPE_LEN: usize = 720;

/// Writes `event` as a message. No attribute ever needs escaping (see [`line`](crate::record::line)).
#[must_use]
pub fn write(event: &RecordedEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENVELOPE_LEN + event.record.len());
    write_attributes(&mut out, event);
    out.extend_from_slice(DATA);
    out.extend_from_slice(&event.record);
    out.push(b'}');
    out
}

/// Between the attributes and the record.
const DATA: &[u8] = b",\"data\":";

fn write_attributes(out: &mut Vec<u8>, event: &RecordedEvent) {
    let stream = event.stream.as_str().as_bytes();
    let text = |out: &mut Vec<u8>, name: &str, value: &[u8]| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(value);
        out.push(b'"');
    };
    let number = |out: &mut Vec<u8>, name: &str, value: u64| {
        out.extend_from_slice(name.as_bytes());
        write_number(out, value);
    };
    let id = |out: &mut Vec<u8>, name: &str, value| {
        out.extend_from_slice(name.as_bytes());
        write_uuid(out, value);
        out.push(b'"');
    };
    id(out, r#"{"specversion":"1.0","id":""#, event.id.0);
    text(out, r#","source":""#, SOURCE.as_bytes());
    text(out, r#","type":""#, event.event_type.as_bytes());
    text(out, r#","subject":""#, stream);
    out.extend_from_slice(br#","time":""#);
    write_time(out, event.recorded_at);
    number(
        out,
        r#"","datacontenttype":"application/json","position":"#,
        event.position.0,
    );
    text(out, r#","stream":""#, stream);
    number(out, r#","version":"#, event.version.0);
    number(out, r#","schemaversion":"#, u64::from(event.schema_version.0));
    id(out, r#","correlationid":""#, event.correlation_id.0);
    if let Some(cause) = event.causation_id {
        id(out, r#","causationid":""#, cause.0);
    }
    if let Some(trace) = &event.traceparent {
        text(out, r#","traceparent":""#, trace.as_bytes());
    }
    if let Some(subject) = event.subject {
        id(out, r#","subjectid":""#, subject.0);
    }
    let mut hash = [0; 64];
    hex::encode_to_slice(event.leaf_hash, &mut hash).expect("the buffer fits");
    text(out, r#","leafhash":""#, &hash);
}

fn time_of(event: &RecordedEvent) -> String {
    event
        .recorded_at
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Reads a message. The event is exactly the one that was written: its bytes, and so its hash, are the same.
///
/// # Errors
/// [`Malformed`], which names the attribute that is missing, is none, or does not fit the record.
pub fn read(message: &Bytes) -> Result<RecordedEvent, Malformed> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Malformed(format!("it has {} bytes", message.len())));
    }
    match read_to_the_letter(message) {
        Some(event) => Ok(event),
        None => read_json(message),
    }
}

/// Reads a message that is exactly what [`write`] makes of its record; nothing when it is not. No attribute holds a quote, so
/// the first mark of the record is the one.
fn read_to_the_letter(message: &Bytes) -> Option<RecordedEvent> {
    let attributes = message.windows(DATA.len()).position(|text| text == DATA)?;
    let record = message.len().checked_sub(1).filter(|end| message[*end] == b'}')?;
    let record = message.slice(attributes + DATA.len()..record);
    let event = RecordedEvent::from_record(record).ok()?;
    let mut expected = Vec::with_capacity(ENVELOPE_LEN);
    write_attributes(&mut expected, &event);
    (message[..attributes] == expected).then_some(event)
}

/// Reads a message with its attributes in any order and with others among them.
fn read_json(message: &Bytes) -> Result<RecordedEvent, Malformed> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(message).map_err(|error| Malformed(explain(message, &error)))?;
    let record = message.slice_ref(envelope.data.get().as_bytes());
    let event =
        RecordedEvent::from_record(record).map_err(|error| Malformed(format!("`data` is {error}")))?;
    match envelope.differs_from(&event) {
        None => Ok(event),
        Some(attribute) => Err(Malformed(format!("`{attribute}` does not fit the record"))),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    position: u64,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    version: u64,
    schemaversion: u16,
    #[serde(borrow)]
    correlationid: Cow<'a, str>,
    #[serde(borrow, default)]
    causationid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    subjectid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    leafhash: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The attributes that every message has, and whether they are numbers.
const REQUIRED: &[(&str, bool)] = &[
    ("specversion", false),
    ("id", false),
    ("source", false),
    ("type", false),
    ("subject", false),
    ("time", false),
    ("position", true),
    ("stream", false),
    ("version", true),
    ("schemaversion", true),
    ("correlationid", false),
    ("leafhash", false),
];

impl Envelope<'_> {
    /// The first attribute that says something else than the record; the hash first, since the others follow from it.
    fn differs_from(&self, event: &RecordedEvent) -> Option<&'static str> {
        let optional = |text: &Option<Cow<'_, str>>, of: Option<String>| text.as_deref() == of.as_deref();
        [
            ("specversion", self.specversion == "1.0"),
            ("source", self.source == SOURCE),
            ("leafhash", self.leafhash == hex::encode(event.leaf_hash)),
            ("id", self.id == event.id.to_string()),
            ("type", self.event_type == event.event_type),
            ("subject", self.subject == event.stream.as_str()),
            ("time", self.time == time_of(event)),
            ("position", self.position == event.position.0),
            ("stream", self.stream == event.stream.as_str()),
            ("version", self.version == event.version.0),
            ("schemaversion", self.schemaversion == event.schema_version.0),
            (
                "correlationid",
                self.correlationid == event.correlation_id.to_string(),
            ),
            (
                "causationid",
                optional(&self.causationid, event.causation_id.map(|id| id.to_string())),
            ),
            (
                "traceparent",
                optional(&self.traceparent, event.traceparent.clone()),
            ),
            (
                "subjectid",
                optional(&self.subjectid, event.subject.map(|id| id.to_string())),
            ),
        ]
        .into_iter()
        .find_map(|(name, fits)| (!fits).then_some(name))
    }
}

/// Says what is wrong with a message that could not be read. Never a value of it, which may be anything.
fn explain(message: &[u8], error: &serde_json::Error) -> String {
    let Ok(Value::Object(attributes)) = serde_json::from_slice(message) else {
        let place = (error.line(), error.column());
        return format!("it is not a JSON object (line {}, column {})", place.0, place.1);
    };
    let is_none = |(name, is_number): &&(&str, bool)| match attributes.get(*name) {
        Some(Value::String(_)) => *is_number,
        Some(Value::Number(number)) => !*is_number || !number.is_u64(),
        _ => true,
    };
    match REQUIRED.iter().find(is_none) {
        Some((name, _)) if attributes.contains_key(*name) => format!("`{name}` is of another kind"),
        Some((name, _)) => format!("`{name}` is missing"),
        None if !attributes.contains_key("data") => "`data` is missing".to_owned(),
        None => format!("an attribute is of another kind (column {})", error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bus::recorded;

    fn changed(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Malformed {
        let mut attributes = serde_json::from_slice(&write(&recorded(7, "account"))).expect("an object");
        change(&mut attributes);
        let message = serde_json::to_vec(&attributes).expect("JSON");
        read(&message.into()).expect_err("it was changed")
    }

    #[test]
    fn a_message_reads_back_as_the_event_it_was_written_from() {
        let event = recorded(7, "account");
        assert_eq!(read(&write(&event).into()), Ok((*event).clone()));
    }

    #[test]
    fn a_message_to_the_letter_and_one_in_other_words_are_the_same_event() {
        let event = recorded(7, "account");
        let message = Bytes::from(write(&event));
        assert_eq!(read_to_the_letter(&message).as_ref(), Some(&*event));
        assert_eq!(read_json(&message).as_ref(), Ok(&*event));
        let spaced = String::from_utf8(message.to_vec()).expect("UTF-8");
        let spaced = Bytes::from(spaced.replacen(",\"id\"", ", \"id\"", 1));
        assert_eq!(read_to_the_letter(&spaced), None);
        assert_eq!(read(&spaced).as_ref(), Ok(&*event));
        for cut in 0..message.len() {
            assert_eq!(read_to_the_letter(&message.slice(..cut)), None);
        }
    }

    #[test]
    fn an_attribute_that_is_missing_or_of_another_kind_is_named() {
        for (name, _) in REQUIRED {
            assert_eq!(
                changed(|a| drop(a.remove(*name))).0,
                format!("`{name}` is missing")
            );
            assert_eq!(
                changed(|a| drop(a.insert((*name).to_owned(), Value::Bool(true)))).0,
                format!("`{name}` is of another kind")
            );
        }
        assert_eq!(changed(|a| drop(a.remove("data"))).0, "`data` is missing");
    }

    #[test]
    fn a_byte_of_the_record_that_is_changed_is_noticed() {
        let event = recorded(7, "account");
        let message = String::from_utf8(write(&event)).expect("UTF-8");
        let other = message.replace("\"payload\":{}", "\"payload\":{ }");
        assert_ne!(message, other);
        let malformed = read(&other.into()).expect_err("it was changed");
        assert_eq!(malformed.0, "`leafhash` does not fit the record");
    }

    #[test]
    fn an_attribute_that_says_something_else_than_the_record_is_named() {
        // Writing the object anew changes the order of the record's fields, so only the text is changed.
        let message = String::from_utf8(write(&recorded(7, "account"))).expect("UTF-8");
        let other = message.replacen("\"position\":7", "\"position\":8", 1);
        let malformed = read(&other.into()).expect_err("it was changed");
        assert_eq!(malformed.0, "`position` does not fit the record");
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place_and_not_by_its_content() {
        let malformed = read(&Bytes::from_static(b"secret secret")).expect_err("no JSON");
        assert!(!malformed.0.contains("secret"), "{malformed}");
        let huge = Bytes::from(vec![b' '; MESSAGE_BYTES_MAX + 1]);
        assert!(read(&huge).expect_err("too large").0.contains("bytes"));
    }

    #[test]
    fn an_attribute_of_a_newer_program_is_passed_over() {
        let message = String::from_utf8(write(&recorded(7, "account"))).expect("UTF-8");
        let newer = message.replacen("{\"spec", "{\"later\":1,\"spec", 1);
        assert!(read(&newer.into()).is_ok());
    }
}
