//! Times of records: microseconds, written as `2026-01-31T23:59:59.123456Z`.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

/// The length of a time, as it stands in a record.
pub(super) const TIME_LEN: usize = 27;

/// The clock, in microseconds since 1970.
pub(crate) fn now_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// A stored time; one that cannot be is the earliest.
pub(crate) fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// Writes a time. Years beyond 9999 do not occur.
pub(crate) fn write_time(out: &mut Vec<u8>, at: DateTime<Utc>) {
    write_digits(out, at.year().unsigned_abs(), 4);
    for (mark, number) in [
        (b'-', at.month()),
        (b'-', at.day()),
        (b'T', at.hour()),
        (b':', at.minute()),
        (b':', at.second()),
    ] {
        out.push(mark);
        write_digits(out, number, 2);
    }
    out.push(b'.');
    write_digits(out, at.timestamp_subsec_micros(), 6);
    out.push(b'Z');
}

fn write_digits(out: &mut Vec<u8>, mut number: u32, width: usize) {
    let end = out.len() + width;
    out.resize(end, b'0');
    for place in (end - width..end).rev() {
        out[place] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Reads a time, in exactly the form it is written in.
pub(super) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (26, b'Z'),
    ];
    if bytes.len() != TIME_LEN || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| read_digits(&bytes[range]);
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)?;
    date.and_hms_micro_opt(number(11..13)?, number(14..16)?, number(17..19)?, number(20..26)?)
        .map(|at| at.and_utc())
}

fn read_digits(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_to_the_microsecond() {
        for micros in [0, 1, 999_999, 1_700_000_000_123_456, 4_102_444_799_000_001] {
            let at = DateTime::from_timestamp_micros(micros).expect("a time");
            let mut text = Vec::new();
            write_time(&mut text, at);
            let text = String::from_utf8(text).expect("ASCII");
            assert_eq!(parse_time(&text), Some(at), "{text}");
            assert_eq!(text, at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn a_time_in_another_form_is_refused() {
        for text in [
            "",
            "2026-01-31T23:59:59.123Z",
            "2026-13-31T23:59:59.123456Z",
            "2026-01-31 23:59:59.123456Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
