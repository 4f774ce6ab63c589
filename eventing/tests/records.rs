//! A record has one form: whatever else bytes say, they are refused or are a record themselves.

use std::path::PathBuf;

use eventing::RecordedEvent;
use eventing::testing::any_bytes_as_record;

/// An open record with no optional field, and a sealed one with all of them.
fn records() -> [Vec<u8>; 2] {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    ["open.json", "sealed.json"].map(|name| std::fs::read(folder.join(name)).expect(name))
}

fn is_refused(record: &[u8]) -> bool {
    RecordedEvent::from_record(record.to_vec().into()).is_err()
}

#[test]
fn a_record_reads_back_as_itself() {
    for record in records() {
        any_bytes_as_record(&record);
        assert!(!is_refused(&record), "{}", String::from_utf8_lossy(&record));
    }
}

#[test]
fn every_cut_is_refused() {
    for record in records() {
        for cut in 0..record.len() {
            assert!(is_refused(&record[..cut]), "cut at {cut}");
        }
    }
}

#[test]
fn every_changed_byte_is_refused_or_a_record_of_one_form() {
    for record in records() {
        for at in 0..record.len() {
            for to in (0..=u8::MAX).filter(|to| *to != record[at]) {
                let mut changed = record.clone();
                changed[at] = to;
                any_bytes_as_record(&changed);
            }
        }
    }
}

#[test]
fn digits_in_upper_case_are_refused() {
    let [open, sealed] = records();
    for (record, digits) in [(&open, "0198abcd"), (&sealed, "0198abcd"), (&sealed, "0a1b2c3d")] {
        let text = String::from_utf8(record.clone()).expect("UTF-8");
        let changed = text.replacen(digits, &digits.to_uppercase(), 1);
        assert_ne!(changed, text, "the case changes something");
        assert!(is_refused(changed.as_bytes()), "{changed}");
    }
}

#[test]
fn bytes_put_in_or_left_out_are_refused_or_a_record_of_one_form() {
    for record in records() {
        for at in 0..record.len() {
            let mut shorter = record.clone();
            shorter.remove(at);
            any_bytes_as_record(&shorter);
            for put in [b'0', b'a', b'"', b'{', b'}', b',', b' ', b'\n', b'=', 0xc3] {
                let mut longer = record.clone();
                longer.insert(at, put);
                any_bytes_as_record(&longer);
            }
        }
    }
}
