//! The bytes of a record: written once, read many times.
//!
//! ```text
//! {"position":7,"id":"…","stream":"account-…","version":2,"type":"account.signed_in","schema_version":1,
//!  "recorded_at":"2026-01-31T23:59:59.123456Z","subject":"…","correlation_id":"…","causation_id":"…",
//!  "traceparent":"…","payload":{…}}
//! ```
//! on one line and without the spaces between fields. `subject`, `causation_id` and `traceparent` are left
//! out where unknown. A sealed record has, in place of `payload`,
//! `"sealed":{"key":"<hex>","nonce":"<base64>","data":"<base64>"}`. No field but the payload ever needs
//! escaping, so reading compares and slices; it is strict, because the bytes are what was hashed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::time::{TIME_LEN, parse_time, write_time};
use super::{Body, Metadata, NewEvent, RecordedEvent, SealedPayload, TRACEPARENT_LEN_MAX};
use crate::ids::{
    CausationId, CorrelationId, EventId, Position, SchemaVersion, StreamId, SubjectId, Version,
};

/// The longest event type, in bytes.
pub(crate) const EVENT_TYPE_LEN_MAX: usize = 64;
/// What a record takes besides stream, type, trace and payload, roughly: the first size of its buffer.
const FIXED_LEN: usize = 420;
const UUID_LEN: usize = 36;

/// Where and when an event is recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) position: Position,
    pub(crate) stream: &'a StreamId,
    pub(crate) version: Version,
    pub(crate) recorded_at: DateTime<Utc>,
}

/// Records `event`: writes its line, hashes it, and keeps what both say. The event is [checked](check) already.
pub(crate) fn record(event: &NewEvent, metadata: &Metadata, place: Place<'_>) -> RecordedEvent {
    let mut out = Vec::with_capacity(FIXED_LEN + body_len(&event.body));
    write_head(&mut out, event, place);
    write_metadata(&mut out, metadata);
    write_body(&mut out, &event.body);
    out.push(b'}');
    let record = Bytes::from(out);
    RecordedEvent {
        position: place.position,
        id: event.id,
        stream: place.stream.clone(),
        version: place.version,
        event_type: event.event_type.clone().into_owned(),
        schema_version: event.schema_version,
        recorded_at: place.recorded_at,
        subject: metadata.subject,
        correlation_id: metadata.correlation_id,
        causation_id: metadata.causation_id,
        traceparent: metadata.traceparent.clone(),
        body: event.body.clone(),
        leaf_hash: super::leaf_hash(&record),
        record,
    }
}

fn body_len(body: &Body) -> usize {
    match body {
        Body::Open(payload) => payload.len(),
        Body::Sealed(sealed) => 120 + sealed.data.len() * 4 / 3,
    }
}

fn write_head(out: &mut Vec<u8>, event: &NewEvent, place: Place<'_>) {
    out.extend_from_slice(b"{\"position\":");
    write_number(out, place.position.0);
    out.extend_from_slice(b",\"id\":\"");
    write_uuid(out, event.id.0);
    out.extend_from_slice(b"\",\"stream\":\"");
    out.extend_from_slice(place.stream.as_str().as_bytes());
    out.extend_from_slice(b"\",\"version\":");
    write_number(out, place.version.0);
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(event.event_type.as_bytes());
    out.extend_from_slice(b"\",\"schema_version\":");
    write_number(out, u64::from(event.schema_version.0));
    out.extend_from_slice(b",\"recorded_at\":\"");
    write_time(out, place.recorded_at);
    out.push(b'"');
}

fn write_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    if let Some(subject) = metadata.subject {
        out.extend_from_slice(b",\"subject\":\"");
        write_uuid(out, subject.0);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"correlation_id\":\"");
    write_uuid(out, metadata.correlation_id.0);
    out.push(b'"');
    if let Some(cause) = metadata.causation_id {
        out.extend_from_slice(b",\"causation_id\":\"");
        write_uuid(out, cause.0);
        out.push(b'"');
    }
    if let Some(trace) = &metadata.traceparent {
        out.extend_from_slice(b",\"traceparent\":\"");
        out.extend_from_slice(trace.as_bytes());
        out.push(b'"');
    }
}

fn write_body(out: &mut Vec<u8>, body: &Body) {
    match body {
        Body::Open(payload) => {
            out.extend_from_slice(b",\"payload\":");
            out.extend_from_slice(payload);
        }
        Body::Sealed(sealed) => write_sealed(out, sealed),
    }
}

fn write_sealed(out: &mut Vec<u8>, sealed: &SealedPayload) {
    out.extend_from_slice(b",\"sealed\":{\"key\":\"");
    let mut key = [0; 32];
    hex::encode_to_slice(sealed.key, &mut key).expect("the buffer fits");
    out.extend_from_slice(&key);
    out.extend_from_slice(b"\",\"nonce\":\"");
    write_base64(out, &sealed.nonce);
    out.extend_from_slice(b"\",\"data\":\"");
    write_base64(out, &sealed.data);
    out.extend_from_slice(b"\"}");
}

fn write_base64(out: &mut Vec<u8>, data: &[u8]) {
    let start = out.len();
    out.resize(start + data.len().div_ceil(3) * 4, 0);
    BASE64
        .encode_slice(data, &mut out[start..])
        .expect("the buffer fits");
}

pub(crate) fn write_uuid(out: &mut Vec<u8>, id: Uuid) {
    let mut buffer = [0; UUID_LEN];
    out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
}

pub(crate) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Checks that an event with this origin can be written as a record.
pub(crate) fn check(event: &NewEvent, metadata: &Metadata) -> Result<(), &'static str> {
    if !is_event_type(&event.event_type) {
        return Err("an event type is lower-case letters, digits, '_' and '.', at most 64 bytes");
    }
    if !metadata.traceparent.as_deref().is_none_or(is_traceparent) {
        return Err("a traceparent is visible ASCII without quotes, at most 128 bytes");
    }
    match &event.body {
        Body::Open(payload) if !is_object_on_one_line(payload) => {
            Err("a payload is one JSON object on one line")
        }
        _ => Ok(()),
    }
}

fn is_event_type(text: &str) -> bool {
    (1..=EVENT_TYPE_LEN_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.')
}

fn is_traceparent(text: &str) -> bool {
    text.len() <= TRACEPARENT_LEN_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

fn is_object_on_one_line(payload: &[u8]) -> bool {
    payload.first() == Some(&b'{')
        && payload.last() == Some(&b'}')
        && !payload.contains(&b'\n')
        && !payload.contains(&b'\r')
        && serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok()
}

/// Checks that an open payload is what [`check`] lets in.
pub(super) fn check_payload(body: &Body) -> Result<(), InvalidRecord> {
    match body {
        Body::Open(payload) if !is_object_on_one_line(payload) => Err(InvalidRecord("its payload")),
        _ => Ok(()),
    }
}

/// The bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record: {0}")]
pub struct InvalidRecord(&'static str);

/// Reads a record.
pub(super) fn parse(record: Bytes, leaf_hash: [u8; 32]) -> Result<RecordedEvent, InvalidRecord> {
    let text = std::str::from_utf8(&record).map_err(|_| InvalidRecord("it is not UTF-8"))?;
    let mut cursor = Cursor { text, at: 0 };
    cursor.expect("{\"position\":", "its position")?;
    let position = Position(cursor.number("its position")?);
    cursor.expect(",\"id\":\"", "its id")?;
    let id = EventId(cursor.uuid("its id")?);
    cursor.expect("\",\"stream\":\"", "its stream")?;
    let stream = StreamId::parse(cursor.quoted("its stream")?).map_err(|_| InvalidRecord("its stream"))?;
    cursor.expect(",\"version\":", "its version")?;
    let version = Version(cursor.number("its version")?);
    cursor.expect(",\"type\":\"", "its type")?;
    let event_type = cursor.quoted("its type")?.to_owned();
    cursor.expect(",\"schema_version\":", "its schema version")?;
    let schema_version = cursor.number("its schema version")?;
    let schema_version = u16::try_from(schema_version).map_err(|_| InvalidRecord("its schema version"))?;
    cursor.expect(",\"recorded_at\":\"", "its time")?;
    let recorded_at = parse_time(cursor.take(TIME_LEN, "its time")?).ok_or(InvalidRecord("its time"))?;
    cursor.expect("\"", "its time")?;
    let subject = cursor.optional_uuid(",\"subject\":\"", "its subject")?;
    cursor.expect(",\"correlation_id\":\"", "its correlation id")?;
    let correlation_id = CorrelationId(cursor.uuid("its correlation id")?);
    cursor.expect("\"", "its correlation id")?;
    let causation_id = cursor.optional_uuid(",\"causation_id\":\"", "its cause")?;
    let traceparent = if cursor.eat(",\"traceparent\":\"") {
        Some(cursor.quoted("its trace")?.to_owned())
    } else {
        None
    };
    let body = parse_body(cursor, &record)?;
    Ok(RecordedEvent {
        position,
        id,
        stream,
        version,
        event_type,
        schema_version: SchemaVersion(schema_version),
        recorded_at,
        subject: subject.map(SubjectId),
        correlation_id,
        causation_id: causation_id.map(CausationId),
        traceparent,
        body,
        leaf_hash,
        record,
    })
}

fn parse_body(mut cursor: Cursor<'_>, record: &Bytes) -> Result<Body, InvalidRecord> {
    if cursor.eat(",\"payload\":") {
        let end = record.len() - 1;
        if !record[cursor.at..].starts_with(b"{") || !record.ends_with(b"}}") {
            return Err(InvalidRecord("its payload"));
        }
        return Ok(Body::Open(record.slice(cursor.at..end)));
    }
    cursor.expect(",\"sealed\":{\"key\":\"", "its body")?;
    let mut key = [0; 16];
    let digits = in_lower_case(cursor.quoted("its key")?, "its key")?;
    hex::decode_to_slice(digits, &mut key).map_err(|_| InvalidRecord("its key"))?;
    cursor.expect(",\"nonce\":\"", "its nonce")?;
    let mut nonce = [0; 24];
    let nonce_len = BASE64.decode_slice(cursor.quoted("its nonce")?, &mut nonce);
    if nonce_len != Ok(nonce.len()) {
        return Err(InvalidRecord("its nonce"));
    }
    cursor.expect(",\"data\":\"", "its sealed data")?;
    let data = BASE64
        .decode(cursor.quoted("its sealed data")?)
        .map_err(|_| InvalidRecord("its sealed data"))?;
    cursor.expect("}}", "its end")?;
    if cursor.at != record.len() {
        return Err(InvalidRecord("its end"));
    }
    Ok(Body::Sealed(SealedPayload {
        key,
        nonce,
        data: data.into(),
    }))
}

/// Hexadecimal digits are written in lower case only, and so are they read: a record has one form.
fn in_lower_case<'a>(digits: &'a str, what: &'static str) -> Result<&'a str, InvalidRecord> {
    if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(InvalidRecord(what));
    }
    Ok(digits)
}

/// What is left of a record.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal);
        if found {
            self.at += literal.len();
        }
        found
    }

    fn expect(&mut self, literal: &str, what: &'static str) -> Result<(), InvalidRecord> {
        if self.eat(literal) {
            Ok(())
        } else {
            Err(InvalidRecord(what))
        }
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a str, InvalidRecord> {
        let taken = self.rest().get(..len).ok_or(InvalidRecord(what))?;
        self.at += len;
        Ok(taken)
    }

    /// Up to the next quote, and past it.
    fn quoted(&mut self, what: &'static str) -> Result<&'a str, InvalidRecord> {
        let len = self.rest().find('"').ok_or(InvalidRecord(what))?;
        let quoted = self.take(len, what)?;
        self.at += 1;
        Ok(quoted)
    }

    fn number(&mut self, what: &'static str) -> Result<u64, InvalidRecord> {
        let len = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let digits = self.take(len, what)?;
        if len > 1 && digits.starts_with('0') {
            return Err(InvalidRecord(what));
        }
        digits.parse().map_err(|_| InvalidRecord(what))
    }

    fn uuid(&mut self, what: &'static str) -> Result<Uuid, InvalidRecord> {
        let text = in_lower_case(self.take(UUID_LEN, what)?, what)?;
        Uuid::try_parse(text).map_err(|_| InvalidRecord(what))
    }

    fn optional_uuid(&mut self, before: &str, what: &'static str) -> Result<Option<Uuid>, InvalidRecord> {
        if !self.eat(before) {
            return Ok(None);
        }
        let id = self.uuid(what)?;
        self.expect("\"", what)?;
        Ok(Some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{CausationId, EventId};

    fn place(stream: &StreamId) -> Place<'_> {
        let recorded_at = DateTime::from_timestamp_micros(1_769_903_999_123_456).expect("a time");
        Place {
            position: Position(7),
            stream,
            version: Version(2),
            recorded_at,
        }
    }

    fn bodies() -> [Body; 2] {
        let data = Bytes::from_static(b"some sealed bytes of some length");
        [
            Body::Open(Bytes::from_static(
                b"{\"name\":\"a \\\"quoted\\\" name\",\"nested\":{}}",
            )),
            Body::Sealed(SealedPayload {
                key: [7; 16],
                nonce: [9; 24],
                data,
            }),
        ]
    }

    fn metadatas() -> [Metadata; 2] {
        let full = Metadata {
            causation_id: Some(CausationId(EventId::new().0)),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            subject: Some(SubjectId(EventId::new().0)),
            ..Metadata::new()
        };
        [Metadata::new(), full]
    }

    fn recorded(body: Body, metadata: &Metadata) -> RecordedEvent {
        let stream = StreamId::new("account", EventId::new().0);
        let event = NewEvent {
            body,
            ..NewEvent::new("account.registered", SchemaVersion(1), "{}")
        };
        check(&event, metadata).expect("it can be recorded");
        record(&event, metadata, place(&stream))
    }

    #[test]
    fn every_form_of_a_record_reads_back_as_it_was_written() {
        for body in bodies() {
            for metadata in metadatas() {
                let event = recorded(body.clone(), &metadata);
                assert_eq!(RecordedEvent::from_record(event.record.clone()), Ok(event));
            }
        }
    }

    #[test]
    fn a_record_is_one_json_object_with_its_fields_in_order() {
        let [open, _] = bodies();
        let [_, metadata] = metadatas();
        let event = recorded(open, &metadata);
        let line = String::from_utf8(event.record.to_vec()).expect("UTF-8");
        let mut at = 0;
        for field in [
            "position",
            "id",
            "stream",
            "version",
            "type",
            "schema_version",
            "recorded_at",
            "subject",
            "correlation_id",
            "causation_id",
            "traceparent",
            "payload",
        ] {
            let found = line[at..]
                .find(&format!("\"{field}\":"))
                .unwrap_or_else(|| panic!("{field} in {line}"));
            at += found;
        }
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["recorded_at"], "2026-01-31T23:59:59.123456Z");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn no_shortened_record_and_no_changed_frame_is_read() {
        let [_, sealed] = bodies();
        let [metadata, _] = metadatas();
        let record = recorded(sealed, &metadata).record;
        for end in 0..record.len() {
            assert!(
                RecordedEvent::from_record(record.slice(..end)).is_err(),
                "cut at {end}"
            );
        }
        let with_tail = Bytes::from([&record[..], b"}"].concat());
        assert!(RecordedEvent::from_record(with_tail).is_err());
    }

    #[test]
    fn what_cannot_be_a_record_is_refused_before_it_is_written() {
        let metadata = Metadata::new();
        let refused = |event_type: &'static str, payload: &'static str| {
            check(&NewEvent::new(event_type, SchemaVersion(1), payload), &metadata).is_err()
        };
        for payload in ["", "[]", "{", "{}\n", "{\"a\":1,}", "{}{}", "null"] {
            assert!(refused("x.y", payload), "{payload:?}");
        }
        for event_type in ["", "X.y", "x\"y", "x y"] {
            assert!(refused(event_type, "{}"), "{event_type:?}");
        }
        let quoted = Metadata {
            traceparent: Some("a\"b".to_owned()),
            ..Metadata::new()
        };
        assert!(check(&NewEvent::new("x.y", SchemaVersion(1), "{}"), &quoted).is_err());
        assert!(!refused("x.y", "{}"));
    }
}
