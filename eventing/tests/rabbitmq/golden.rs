//! Golden messages: what stands in a queue today must be read by every later program.
//!
//! A file is a whole message. It is never changed; a new shape gets a new file.

use bytes::Bytes;
use eventing::{Body, RecordedEvent, bus::envelope};
use serde_json::Value;

const OPEN: &str = include_str!("../messages/open.json");
const SEALED: &str = include_str!("../messages/sealed.json");
const FULL: &str = include_str!("../messages/full.json");

fn read(message: &str) -> RecordedEvent {
    envelope::read(&Bytes::from(message.trim_end().to_owned())).expect("a golden message reads")
}

fn attributes(message: &str) -> serde_json::Map<String, Value> {
    serde_json::from_str(message).expect("a JSON object")
}

#[test]
fn a_golden_message_is_written_as_it_reads_byte_for_byte() {
    for message in [OPEN, SEALED, FULL] {
        let event = read(message);
        let written = String::from_utf8(envelope::write(&event)).expect("UTF-8");
        assert_eq!(written, message.trim_end());
        let record = RecordedEvent::from_record(event.record.clone()).expect("a record");
        assert_eq!(record, event, "the record's bytes are all there is to it");
        assert!(message.contains(&hex::encode(record.leaf_hash)));
    }
}

#[test]
fn a_golden_message_is_a_cloud_event() {
    for message in [OPEN, SEALED, FULL] {
        let attributes = attributes(message);
        for required in ["specversion", "id", "source", "type"] {
            assert!(
                attributes[required].as_str().is_some_and(|text| !text.is_empty()),
                "{required}"
            );
        }
        assert_eq!(attributes["specversion"], "1.0");
        assert!(
            attributes
                .keys()
                .all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())),
            "names of attributes are lower-case letters and digits"
        );
    }
}

#[test]
fn the_golden_messages_hold_every_form_of_a_record() {
    let [open, sealed, full] = [OPEN, SEALED, FULL].map(read);
    assert!(matches!(open.body, Body::Open(_)) && open.subject.is_none());
    assert!(matches!(sealed.body, Body::Sealed(_)) && sealed.subject.is_some());
    assert!(full.causation_id.is_some() && full.traceparent.is_some() && full.subject.is_some());
    assert!(open.causation_id.is_none() && open.traceparent.is_none());
}

#[test]
fn a_sealed_record_travels_sealed() {
    let sealed = attributes(SEALED);
    assert!(sealed["data"].get("payload").is_none() && sealed["data"].get("sealed").is_some());
}
