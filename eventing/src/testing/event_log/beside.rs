//! What is kept beside the records: blobs, checkpoints, dead letters.

use chrono::DateTime;

use super::{LogUnderTest, new_stream};
use crate::{DeadLetterKey, DeadLetterRow, DeadLetterState, Position, StreamId, Version};

/// See the name.
pub async fn a_blob_reads_back_and_an_unknown_one_is_none(test: LogUnderTest) {
    let large: Vec<u8> = (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    for bytes in [Vec::new(), b"small".to_vec(), vec![7; 1 << 20], large] {
        let digest = test.log.put_blob(bytes.clone()).await.expect("a blob");
        assert_eq!(test.log.put_blob(bytes.clone()).await.expect("the same"), digest);
        assert_eq!(
            test.log.blob(&digest).await.expect("a read").as_deref(),
            Some(&bytes[..])
        );
    }
    assert_eq!(test.log.blob(&[0; 32]).await.expect("a read"), None);
}

/// See the name.
pub async fn a_checkpoint_stays_where_it_was_put(test: LogUnderTest) {
    assert_eq!(test.log.checkpoint("relay").await.expect("a read"), None);
    for position in [Position(5), Position(9)] {
        test.log.set_checkpoint("relay", position).await.expect("a write");
        assert_eq!(
            test.open_again().await.checkpoint("relay").await.expect("a read"),
            Some(position)
        );
    }
    assert_eq!(test.log.checkpoint("other").await.expect("a read"), None);
}

/// See the name.
pub async fn a_checkpoint_that_is_raised_never_goes_back(test: LogUnderTest) {
    for (raised, stored) in [(5, 5), (9, 9), (7, 9)] {
        let (raised, stored) = (Position(raised), Position(stored));
        test.log.raise_checkpoint("relay", raised).await.expect("a write");
        assert_eq!(test.log.checkpoint("relay").await.expect("a read"), Some(stored));
    }
}

pub(super) fn a_dead_letter(consumer: &str, stream: &StreamId, version: u64) -> DeadLetterRow {
    let key = DeadLetterKey {
        consumer: consumer.to_owned(),
        stream: stream.clone(),
        version: Version(version),
    };
    DeadLetterRow {
        key,
        position: Position(7),
        reason: "undecodable".to_owned(),
        attempts: 5,
        last_error: "no such field".to_owned(),
        first_at: DateTime::from_timestamp_micros(1_700_000_000_000_001).expect("a time"),
        state: DeadLetterState::Parked,
    }
}

/// See the name.
pub async fn dead_letters_are_kept_listed_and_deleted(test: LogUnderTest) {
    let stream = new_stream();
    let rows = [
        a_dead_letter("a", &stream, 1),
        a_dead_letter("a", &stream, 2),
        a_dead_letter("b", &stream, 1),
    ];
    for row in rows.iter().rev() {
        test.log.put_dead_letter(row.clone()).await.expect("a write");
    }
    assert_eq!(test.log.dead_letters(None, 10).await.expect("a list"), rows);
    assert_eq!(
        test.log.dead_letters(Some("a"), 10).await.expect("a list"),
        rows[..2]
    );
    assert_eq!(test.log.dead_letters(None, 1).await.expect("a list"), rows[..1]);
    let changed = DeadLetterRow {
        state: DeadLetterState::Retrying,
        attempts: 6,
        ..rows[0].clone()
    };
    test.log.put_dead_letter(changed.clone()).await.expect("a write");
    assert_eq!(
        test.log.dead_letter(&changed.key).await.expect("a read"),
        Some(changed.clone())
    );
    assert!(test.log.delete_dead_letter(&changed.key).await.expect("a write"));
    assert!(!test.log.delete_dead_letter(&changed.key).await.expect("a write"));
    assert_eq!(test.log.dead_letter(&changed.key).await.expect("a read"), None);
}

/// See the name. A replica that does not know of a person's decision yet must not undo it.
pub async fn a_dead_letter_that_is_skipped_stays_so(test: LogUnderTest) {
    let parked = a_dead_letter("a", &new_stream(), 1);
    let skipped = DeadLetterRow {
        state: DeadLetterState::Skipped,
        ..parked.clone()
    };
    for row in [&parked, &skipped, &parked] {
        test.log.put_dead_letter(row.clone()).await.expect("a write");
    }
    assert!(!test.log.delete_dead_letter(&skipped.key).await.expect("a write"));
    assert_eq!(
        test.log.dead_letter(&skipped.key).await.expect("a read"),
        Some(skipped)
    );
}
