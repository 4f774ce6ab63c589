//! The lines after the first.

use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::merkle::{Hash, TILE_WIDTH};

/// The longest line that is read, in bytes. The longest record, a playlist of 500 tracks with its reasons, has far less; the
/// bound keeps a file without line feeds from filling the memory.
pub const LINE_LEN_MAX: usize = 4 << 20;

/// The line is not one of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidHashLine(pub &'static str);

/// The line of the hashes of tile `n`, without its line feed.
#[must_use]
pub fn hash_line(n: u64, hashes: &[Hash]) -> String {
    format!(
        "{{\"tile\":{n},\"hashes\":\"{}\"}}",
        BASE64.encode(Hash::write_all(hashes))
    )
}

/// Reads the line of the hashes of tile `n`, which has `count` of them.
///
/// # Errors
/// [`InvalidHashLine`] if it is something else, to the letter.
pub fn parse_hash_line(line: &[u8], n: u64, count: usize) -> Result<Vec<Hash>, InvalidHashLine> {
    let encoded = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.strip_prefix(&*format!("{{\"tile\":{n},\"hashes\":\"")))
        .and_then(|line| line.strip_suffix("\"}"))
        .ok_or(InvalidHashLine("it is not written as one"))?;
    let bytes = BASE64
        .decode(encoded)
        .map_err(|_| InvalidHashLine("its hashes are not base64"))?;
    match Hash::read_all(&bytes) {
        Some(hashes) if hashes.len() == count => Ok(hashes),
        _ => Err(InvalidHashLine("it has more or fewer hashes than records")),
    }
}

/// How many records the tile `n` of an export of `size` records has.
pub(super) fn tile_len(n: u64, size: u64) -> usize {
    let before = n.saturating_mul(TILE_WIDTH as u64);
    size.saturating_sub(before).min(TILE_WIDTH as u64) as usize
}

/// A line that was read, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole line; its bytes, without the line feed, were put at the end of the buffer.
    Whole,
    /// The input ends within a line.
    Cut,
    /// The input ends.
    End,
    /// A line longer than any that is written.
    TooLong,
}

/// Reads the next line to the end of `buffer`.
pub(super) fn read_line(input: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    let before = buffer.len();
    input
        .by_ref()
        .take(LINE_LEN_MAX as u64 + 1)
        .read_until(b'\n', buffer)?;
    match buffer.len() - before {
        0 => Ok(Line::End),
        _ if buffer.ends_with(b"\n") => {
            buffer.pop();
            Ok(Line::Whole)
        }
        read if read > LINE_LEN_MAX => Ok(Line::TooLong),
        _ => Ok(Line::Cut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_hashes_reads_back_and_has_one_form() {
        let hashes = [Hash([1; 32]), Hash([2; 32])];
        let line = hash_line(7, &hashes);
        assert_eq!(parse_hash_line(line.as_bytes(), 7, 2), Ok(hashes.to_vec()));
        assert!(parse_hash_line(line.as_bytes(), 8, 2).is_err());
        assert!(parse_hash_line(line.as_bytes(), 7, 1).is_err());
        for end in 0..line.len() {
            assert!(parse_hash_line(&line.as_bytes()[..end], 7, 2).is_err(), "{end}");
        }
    }

    #[test]
    fn a_line_that_is_cut_is_told_apart_from_the_end() {
        let mut input = &b"one\n\ntw"[..];
        let mut buffer = Vec::new();
        let mut next = |buffer: &mut Vec<u8>| read_line(&mut input, buffer).expect("bytes");
        assert_eq!(next(&mut buffer), Line::Whole);
        assert_eq!(buffer, b"one");
        assert_eq!(next(&mut buffer), Line::Whole);
        assert_eq!(next(&mut buffer), Line::Cut);
        assert_eq!(buffer, b"onetw");
        assert_eq!(next(&mut buffer), Line::End);
    }

    #[test]
    fn tiles_divide_the_records() {
        assert_eq!([0, 1, 2].map(|n| tile_len(n, 300)), [256, 44, 0]);
        assert_eq!([0, 1].map(|n| tile_len(n, 256)), [256, 0]);
        assert_eq!(tile_len(u64::MAX, 300), 0);
    }
}
