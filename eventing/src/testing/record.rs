//! What must hold for any bytes that a record is read from.

use bytes::Bytes;

use crate::record::line::{Place, record};
use crate::record::{Metadata, NewEvent, RecordedEvent, leaf_hash};

/// Bytes are refused, or are to the letter what is written for the event that is read from them. The test suite runs this
/// on damaged records, a target in `fuzz/` on whatever a fuzzer finds.
///
/// # Panics
/// When something does not hold.
pub fn any_bytes_as_record(bytes: &[u8]) {
    let Ok(read) = RecordedEvent::from_record(Bytes::copy_from_slice(bytes)) else {
        return;
    };
    assert_eq!(read.record, bytes);
    assert_eq!(read.leaf_hash, leaf_hash(bytes));
    let event = NewEvent {
        id: read.id,
        event_type: read.event_type.clone().into(),
        schema_version: read.schema_version,
        body: read.body.clone(),
    };
    let metadata = Metadata {
        correlation_id: read.correlation_id,
        causation_id: read.causation_id,
        traceparent: read.traceparent.clone(),
        subject: read.subject,
    };
    let place = Place {
        position: read.position,
        stream: &read.stream,
        version: read.version,
        recorded_at: read.recorded_at,
    };
    assert_eq!(record(&event, &metadata, place), read, "a record has one form");
}
