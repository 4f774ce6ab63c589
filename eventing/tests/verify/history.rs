//! A small history with open and sealed records, as lines of an export.

use bytes::Bytes;
use eventing::merkle::{Frontier, Hash};
use eventing::notes::{Checkpoint, SignedCheckpoint, SigningKey};
use eventing::record::leaf_hash;
use eventing::testing::TempDir;
use eventing::verify::export::{Demands, Header, VerifyError, Writer, verify};
use eventing::verify::{Fault, Verified};
use eventing::{
    Append, Body, CorrelationId, EventId, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, Position,
    RecordedEvent, SchemaVersion, SealedPayload, StreamId, SubjectId, Version,
};

/// A name that ends in a plus sign in base64 when it is a key's, as names may not.
pub(crate) const ORIGIN: &str = "segue-test";

/// The numbers of events that belong to one chain of causes, and are one row of its index: positions 21 to 30.
const ONE_CHAIN: std::ops::Range<u64> = 20..30;

/// Records `count` events and reads them back.
pub(crate) async fn records(count: u64) -> Vec<RecordedEvent> {
    let dir = TempDir::new();
    let log = EventLog::open(LogConfig::new(dir.path())).await.expect("a log");
    append_all(&log, 0..count).await;
    log.read_after(Position::START, usize::try_from(count).expect("a few"))
        .await
        .expect("the records")
}

/// Appends the events with these numbers to three streams, every third of them sealed.
pub(crate) async fn append_all(log: &EventLog, numbers: std::ops::Range<u64>) {
    let ids = [1, 2, 3].map(uuid::Uuid::from_u128);
    let streams = [("account", ids[0]), ("listener", ids[1]), ("playlist", ids[2])];
    let streams = streams.map(|(category, id)| StreamId::new(category, id));
    for n in numbers {
        let append = append(n, &streams[(n % 3) as usize], Version(n / 3));
        log.append(append).await.expect("appended");
    }
}

fn append(n: u64, stream: &StreamId, version: Version) -> Append {
    let event = NewEvent::new(
        "test.happened",
        SchemaVersion(1),
        format!("{{\"n\":{n},\"of\":{{\"a\":[1]}}}}"),
    );
    let sealed = SealedPayload {
        key: [7; 16],
        nonce: [9; 24],
        data: Bytes::from(format!("some sealed bytes of some length {n}")),
    };
    let (body, subject) = if n.is_multiple_of(3) {
        (Body::Sealed(sealed), Some(SubjectId(EventId::new().0)))
    } else {
        (event.body.clone(), None)
    };
    let chain = if ONE_CHAIN.contains(&n) {
        Metadata::correlated(CorrelationId(uuid::Uuid::from_u128(4)))
    } else {
        Metadata::new()
    };
    let metadata = Metadata { subject, ..chain };
    let expected = ExpectedVersion::Exactly(version);
    Append::new(
        stream.clone(),
        expected,
        vec![NewEvent { body, ..event }],
        metadata,
    )
}

/// The log's key.
pub(crate) fn log_key() -> SigningKey {
    SigningKey::generate(ORIGIN).expect("a key")
}

/// The checkpoint of `records`.
pub(crate) fn checkpoint(records: &[RecordedEvent], key: &SigningKey) -> SignedCheckpoint {
    let mut frontier = Frontier::new();
    for record in records {
        frontier.push(Hash(leaf_hash(&record.record)));
    }
    Checkpoint::new(key.name(), frontier.size(), frontier.root().0)
        .and_then(|checkpoint| checkpoint.sign(key))
        .expect("signed")
}

/// The export of `records`.
pub(crate) fn export(records: &[RecordedEvent], key: &SigningKey) -> Vec<u8> {
    let checkpoint = checkpoint(records, key);
    let header = Header::new(&checkpoint, &key.verifier());
    let root = checkpoint.checkpoint().root();
    let mut writer = Writer::start(Vec::new(), &header, root).expect("the header");
    for record in records {
        writer.record(record).expect("a record");
    }
    writer.finish().expect("the end")
}

/// The lines of an export, each with its line feed.
pub(crate) fn lines(export: &[u8]) -> Vec<Vec<u8>> {
    export
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

/// What verifying says.
pub(crate) fn verified(export: &[u8], demands: &Demands) -> Result<Verified, Fault> {
    verify(export, demands, |_| {}).map_err(|error| match error {
        VerifyError::Fault(fault) => fault,
        VerifyError::Read(error) => panic!("reading memory failed: {error}"),
    })
}

/// With the log's own key, as an auditor who keeps it has it.
pub(crate) fn by_key(key: &SigningKey) -> Demands {
    Demands {
        key: Some(key.verifier()),
        older_keys: Vec::new(),
        old_checkpoint: None,
    }
}
