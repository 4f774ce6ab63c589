//! Histories that are sound in themselves and not the one that was signed.

use bytes::Bytes;
use eventing::notes::{Checkpoint, NotSigned, SigningKey, Untrusted, VerifierKey};
use eventing::verify::export::{Demands, Header};
use eventing::verify::{Fault, FaultKind, Trust};
use eventing::{Position, RecordedEvent};

use crate::history::{ORIGIN, by_key, checkpoint, export, lines, log_key, records, verified};

/// The same history with another payload in the record at `position`.
fn rewritten(records: &[RecordedEvent], position: u64) -> Vec<RecordedEvent> {
    let mut records = records.to_vec();
    let record = &mut records[position as usize - 1];
    let text = String::from_utf8(record.record.to_vec()).expect("UTF-8");
    let changed = text.replacen("{\"a\":[1]}", "{\"a\":[2]}", 1);
    assert_ne!(changed, text, "an open record is needed");
    *record = RecordedEvent::from_record(Bytes::from(changed)).expect("a record");
    records
}

fn with_old(key: &SigningKey, old: eventing::notes::SignedCheckpoint) -> Demands {
    Demands {
        key: Some(key.verifier()),
        older_keys: Vec::new(),
        old_checkpoint: Some(old),
    }
}

#[tokio::test]
async fn a_rewritten_history_has_another_root() {
    let key = log_key();
    let records = records(12).await;
    let header = &lines(&export(&records, &key))[0];
    let mut forged = lines(&export(&rewritten(&records, 5), &key));
    forged[0].clone_from(header);
    assert_eq!(
        verified(&forged.concat(), &by_key(&key)),
        Err(Fault::Root { size: 12 })
    );
}

#[tokio::test]
async fn a_history_signed_by_another_key_is_unsigned() {
    let key = log_key();
    let other = SigningKey::generate(ORIGIN).expect("a key");
    let forged = export(&rewritten(&records(12).await, 5), &other);
    let fault = verified(&forged, &by_key(&key)).expect_err("another key");
    let cause = Untrusted::NotSigned(NotSigned::Missing(ORIGIN.to_owned()));
    assert_eq!(fault, Fault::Unsigned { size: 12, cause });

    // Without a key of the auditor's own it is whole, and no more than that.
    let found = verified(&forged, &Demands::default()).expect("it is whole");
    assert_eq!(found.trust, Trust::Brought);
    assert_eq!(found.key, other.verifier());
}

#[tokio::test]
async fn a_history_rewritten_with_the_true_key_contradicts_the_old_checkpoint() {
    let key = log_key();
    let records = records(20).await;
    let old = checkpoint(&records[..12], &key);
    for position in 1..=20 {
        if position % 3 == 1 {
            continue; // sealed
        }
        let forged = export(&rewritten(&records, position), &key);
        assert!(verified(&forged, &by_key(&key)).is_ok(), "nothing else can tell");
        let found = verified(&forged, &with_old(&key, old.clone()));
        if position <= 12 {
            assert_eq!(found, Err(Fault::OldRoot { size: 12 }), "at {position}");
        } else {
            assert_eq!(found.expect("after it").old_checkpoint, Some(12), "at {position}");
        }
    }
}

#[tokio::test]
async fn every_earlier_checkpoint_is_one_of_the_same_history() {
    let key = log_key();
    let records = records(600).await;
    let export = export(&records, &key);
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 599, 600] {
        let old = checkpoint(&records[..size], &key);
        let found = verified(&export, &with_old(&key, old)).expect("the same history");
        assert_eq!(found.old_checkpoint, Some(size as u64));
    }
}

#[tokio::test]
async fn an_old_checkpoint_that_cannot_be_this_logs_is_told_why() {
    let key = log_key();
    let records = records(12).await;
    let export_of = |size: usize| export(&records[..size], &key);
    let found = |size, old| verified(&export_of(size), &with_old(&key, old)).expect_err("a fault");

    let longer = checkpoint(&records, &key);
    let shorter = Fault::Shorter {
        size: 11,
        checkpoint: 12,
    };
    assert_eq!(found(11, longer), shorter);
    assert_eq!(shorter.kind(), FaultKind::Inconsistent);

    let other_log = SigningKey::generate("segue-other").expect("a key");
    let of_other_log = checkpoint(&records, &other_log);
    assert!(matches!(
        found(12, of_other_log),
        Fault::OtherLog { size: 12, .. }
    ));

    let forger = SigningKey::generate(ORIGIN).expect("a key");
    let forged = checkpoint(&records, &forger);
    let fault = found(12, forged);
    assert_eq!(fault.kind(), FaultKind::Unsigned);
    assert!(matches!(fault, Fault::OldUnsigned { .. }));

    let empty = Checkpoint::new(ORIGIN, 0, [0; 32])
        .and_then(|checkpoint| checkpoint.sign(&key))
        .expect("signed");
    assert_eq!(found(12, empty), Fault::OldRoot { size: 0 });
}

#[tokio::test]
async fn an_old_checkpoint_may_be_signed_with_a_key_from_before_and_the_exports_own_may_not() {
    let (before, key) = (SigningKey::generate("segue-before").expect("a key"), log_key());
    let records = records(20).await;
    let old = checkpoint(&records[..12], &before);
    let demands = |older_keys: &[&SigningKey]| Demands {
        older_keys: older_keys.iter().map(|key| key.verifier()).collect(),
        ..with_old(&key, old.clone())
    };
    let now = export(&records, &key);
    let other = SigningKey::generate("segue-before").expect("a key");
    for unknown in [&[][..], &[&other]] {
        let fault = verified(&now, &demands(unknown)).expect_err("a key that nobody named");
        assert!(matches!(fault, Fault::OtherLog { size: 12, .. }), "{fault}");
    }
    let found = verified(&now, &demands(&[&other, &before])).expect("it signed before");
    assert_eq!((found.old_checkpoint, found.key), (Some(12), key.verifier()));
    // The history must begin with it all the same.
    let forged = export(&rewritten(&records, 5), &key);
    assert_eq!(
        verified(&forged, &demands(&[&before])),
        Err(Fault::OldRoot { size: 12 })
    );
    // What the key of before exported is verified with that key as the log's.
    let earlier = export(&records[..12], &before);
    let fault = verified(&earlier, &demands(&[&before])).expect_err("the present key signed none of it");
    assert!(matches!(fault, Fault::OtherLog { size: 12, .. }), "{fault}");
    let found = verified(&earlier, &with_old(&before, old.clone())).expect("its own key");
    assert_eq!(found.key, before.verifier());
}

#[tokio::test]
async fn a_header_that_says_something_else_than_its_checkpoint_is_refused() {
    let key = log_key();
    let records = records(12).await;
    let sound = lines(&export(&records, &key));
    let signed = checkpoint(&records, &key);
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = Header::new(&signed, &key.verifier());
        change(&mut header);
        let mut changed = sound.clone();
        changed[0] = format!("{}\n", header.line()).into_bytes();
        verified(&changed.concat(), &by_key(&key)).expect_err("a fault")
    };
    assert!(matches!(with(&|header| header.size = 11), Fault::Header(_)));
    assert!(matches!(
        with(&|header| header.origin = "x".to_owned()),
        Fault::Header(_)
    ));
    let other: VerifierKey = SigningKey::generate(ORIGIN).expect("a key").verifier();
    assert_eq!(
        with(&|header| header.public_key = other.to_string()),
        Fault::OtherKey(other.to_string())
    );
    assert_eq!(
        with(&|header| header.checkpoint = checkpoint(&records[..11], &key).to_string()).kind(),
        FaultKind::Unreadable
    );
}

#[tokio::test]
async fn a_log_that_signed_what_is_out_of_order_is_corrupt() {
    let key = log_key();
    let records = records(12).await;
    let change = |position: usize, from: &str, to: &str| {
        let mut records = records.clone();
        let text = String::from_utf8(records[position - 1].record.to_vec()).expect("UTF-8");
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        records[position - 1] = RecordedEvent::from_record(Bytes::from(changed)).expect("a record");
        verified(&export(&records, &key), &by_key(&key)).expect_err("a fault")
    };
    assert!(matches!(
        change(5, "\"version\":2", "\"version\":3"),
        Fault::VersionGap {
            position: Position(5),
            ..
        }
    ));
    let time = |position: usize| records[position - 1].recorded_at.format("%Y").to_string();
    assert_eq!(
        change(5, &format!("_at\":\"{}", time(5)), "_at\":\"1999"),
        Fault::TimeWentBack {
            position: Position(5)
        }
    );
}
