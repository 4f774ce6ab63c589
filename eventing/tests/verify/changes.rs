//! An export with one thing changed.

use eventing::Position;
use eventing::verify::export::Demands;
use eventing::verify::{Fault, FaultKind};

use crate::history::{by_key, export, lines, log_key, records, verified};

/// Few enough to try every byte, and each kind of line is there.
const RECORDS: u64 = 12;

fn kind_and_position(export: &[u8], demands: &Demands) -> (FaultKind, Option<u64>) {
    let fault = verified(export, demands).expect_err("a change is found");
    (fault.kind(), fault.position().map(Position::get))
}

#[tokio::test]
async fn an_export_verifies_whatever_its_size() {
    let key = log_key();
    let records = records(600).await;
    for size in [0, 1, 2, 12, 255, 256, 257, 511, 512, 513, 600] {
        let export = export(&records[..size], &key);
        let found = verified(&export, &by_key(&key)).expect("it is sound");
        assert_eq!(found.checkpoint.checkpoint().size(), size as u64);
        assert_eq!(found.streams, size.min(3) as u64);
        assert_eq!(lines(&export).len(), 1 + size + size.div_ceil(256));
    }
}

/// In which line a byte is, and that line's kind.
enum Where {
    Header,
    Record(u64),
    Hashes,
}

fn place(export: &[u8], at: usize) -> (Where, usize) {
    let before = export[..at].iter().filter(|byte| **byte == b'\n').count();
    let start = export[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |lf| lf + 1);
    let place = match before as u64 {
        0 => Where::Header,
        n if n <= RECORDS => Where::Record(n),
        _ => Where::Hashes,
    };
    (place, at - start)
}

#[tokio::test]
async fn every_changed_byte_is_found_where_it_is() {
    let key = log_key();
    let sound = export(&records(RECORDS).await, &key);
    for demands in [Demands::default(), by_key(&key)] {
        for at in 0..sound.len() {
            for mask in [1, 0x80] {
                let mut changed = sound.clone();
                changed[at] ^= mask;
                let found = kind_and_position(&changed, &demands);
                let (place, column) = place(&sound, at);
                let is_right = match place {
                    Where::Header => {
                        matches!(found, (FaultKind::Unreadable | FaultKind::Unsigned, None))
                    }
                    Where::Record(n) => found == (FaultKind::Corrupt, Some(n)),
                    Where::Hashes if at == sound.len() - 1 => {
                        found == (FaultKind::Truncated, Some(RECORDS + 1))
                    }
                    Where::Hashes => found.0 == FaultKind::Corrupt && is_of_hash(found.1, column),
                };
                assert!(is_right, "byte {at} changed by {mask}: {found:?}");
            }
        }
    }
}

/// Whether a fault in the line of hashes is at the record whose hash the character in `column` is of, or at the first one
/// where the line cannot be read any more.
fn is_of_hash(position: Option<u64>, column: usize) -> bool {
    let start = "{\"tile\":0,\"hashes\":\"".len();
    let of_byte = |byte: usize| byte as u64 / 32 + 1;
    let of_column = column.checked_sub(start).map(|at| {
        let first_bit = at * 6;
        of_byte(first_bit / 8)..=of_byte((first_bit + 5) / 8)
    });
    position.is_some_and(|position| position == 1 || of_column.is_some_and(|range| range.contains(&position)))
}

#[tokio::test]
async fn a_change_beside_a_record_is_told_apart_from_a_change_of_it() {
    let key = log_key();
    let records = records(RECORDS).await;
    let sound = lines(&export(&records, &key));
    let mut changed = sound.clone();
    let at = "{\"tile\":0,\"hashes\":\"".len() + 4 * 43;
    let last = changed.len() - 1;
    changed[last][at] = if changed[last][at] == b'A' { b'B' } else { b'A' };
    assert_eq!(
        verified(&changed.concat(), &by_key(&key)),
        Err(Fault::HashChanged {
            position: Position(5)
        })
    );

    let mut changed = sound;
    let digit = changed[6].len() - "9]}}}\n".len();
    assert_eq!(changed[6][digit], b'1');
    changed[6][digit] = b'2';
    assert_eq!(
        verified(&changed.concat(), &by_key(&key)),
        Err(Fault::RecordChanged {
            position: Position(6)
        })
    );
}

#[tokio::test]
async fn every_cut_is_found() {
    let key = log_key();
    let sound = export(&records(RECORDS).await, &key);
    for end in 0..sound.len() {
        let found = kind_and_position(&sound[..end], &by_key(&key));
        let whole = sound[..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        let expected = match (end, whole) {
            (0, _) => (FaultKind::Unreadable, None),
            (_, 0) => (FaultKind::Truncated, None),
            (_, whole) => (FaultKind::Truncated, Some(whole)),
        };
        assert_eq!(found, expected, "cut at {end}");
    }
}

#[tokio::test]
async fn every_removed_line_is_found_where_it_was() {
    let key = log_key();
    let sound = lines(&export(&records(RECORDS).await, &key));
    for at in 0..sound.len() {
        let mut changed = sound.clone();
        changed.remove(at);
        let expected = match at as u64 {
            0 => (FaultKind::Unreadable, None),
            n if n <= RECORDS => (FaultKind::Corrupt, Some(n)),
            n => (FaultKind::Truncated, Some(n)),
        };
        assert_eq!(
            kind_and_position(&changed.concat(), &by_key(&key)),
            expected,
            "line {at}"
        );
    }
}

#[tokio::test]
async fn every_doubled_line_is_found_where_the_second_one_is() {
    let key = log_key();
    let sound = lines(&export(&records(RECORDS).await, &key));
    for at in 0..sound.len() {
        let mut changed = sound.clone();
        changed.insert(at, sound[at].clone());
        let expected = (at as u64 + 1).min(RECORDS + 1);
        assert_eq!(
            kind_and_position(&changed.concat(), &by_key(&key)),
            (FaultKind::Corrupt, Some(expected)),
            "line {at}"
        );
    }
}

#[tokio::test]
async fn all_swapped_lines_are_found_at_the_first_of_them() {
    let key = log_key();
    let sound = lines(&export(&records(RECORDS).await, &key));
    for first in 0..sound.len() {
        for second in first + 1..sound.len() {
            let mut changed = sound.clone();
            changed.swap(first, second);
            let expected = match first as u64 {
                0 => (FaultKind::Unreadable, None),
                n => (FaultKind::Corrupt, Some(n)),
            };
            assert_eq!(
                kind_and_position(&changed.concat(), &by_key(&key)),
                expected,
                "lines {first} and {second}"
            );
        }
    }
}

#[tokio::test]
async fn lines_of_hashes_are_found_missing_doubled_and_moved() {
    let key = log_key();
    let sound = lines(&export(&records(600).await, &key));
    let (first, second) = (257, 514);
    assert!(sound[first].starts_with(b"{\"tile\":0,") && sound[second].starts_with(b"{\"tile\":1,"));
    let found = |changed: &[Vec<u8>]| verified(&changed.concat(), &by_key(&key)).expect_err("a fault");

    let mut changed = sound.clone();
    changed.remove(first);
    assert_eq!(
        found(&changed),
        Fault::HashLineMissing {
            position: Position(257)
        }
    );
    let mut changed = sound.clone();
    changed.insert(first, sound[first].clone());
    assert!(matches!(
        found(&changed),
        Fault::NotARecord {
            position: Position(257),
            ..
        }
    ));
    let mut changed = sound.clone();
    changed.swap(first, second);
    assert!(matches!(
        found(&changed),
        Fault::HashLine {
            position: Position(1),
            ..
        }
    ));
    let mut changed = sound.clone();
    changed.push(b"\n".to_vec());
    assert_eq!(
        found(&changed),
        Fault::Trailing {
            position: Position(601)
        }
    );
    // A record that is changed after a tile whose hashes cannot be read.
    let mut changed = sound;
    changed[first].truncate(20);
    changed[first].push(b'\n');
    changed[400].clear();
    assert!(matches!(
        found(&changed),
        Fault::HashLine {
            position: Position(1),
            ..
        }
    ));
}
