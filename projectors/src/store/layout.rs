//! How views are laid out in every store, and keys in the embedded one.
//!
//! Every key begins with its generation, so a whole generation is one range of keys: it can be compared in key order
//! and dropped without knowing what it holds. Stream names, index names and partitions never contain a zero byte.

use std::borrow::Cow;

use eventing::{Position, StreamId, Version};

use super::{Generation, LookupKey, StoredView, ViewError};

/// LMDB's own limit for a key, in bytes.
const KEY_BYTES_MAX: usize = 511;
const VIEW_HEADER_BYTES: usize = 17;
const HELD: u8 = 0;
const REMOVED: u8 = 1;

pub(super) fn view_key(generation: Generation, stream: &StreamId) -> Vec<u8> {
    let mut key = prefix(generation);
    key.extend_from_slice(stream.as_str().as_bytes());
    key
}

pub(super) fn entries_prefix(generation: Generation, stream: &StreamId) -> Vec<u8> {
    let mut key = view_key(generation, stream);
    key.push(0);
    key
}

pub(super) fn entry_key(
    generation: Generation,
    stream: &StreamId,
    entry: &str,
) -> Result<Vec<u8>, ViewError> {
    let mut key = entries_prefix(generation, stream);
    key.extend_from_slice(entry.as_bytes());
    within_limit(key)
}

pub(super) fn partition_prefix(generation: Generation, index: &str, partition: &str) -> Vec<u8> {
    let mut key = prefix(generation);
    key.extend_from_slice(index.as_bytes());
    key.push(0);
    key.extend_from_slice(partition.as_bytes());
    key.push(0);
    key
}

pub(super) fn lookup_key(generation: Generation, lookup: &LookupKey) -> Result<Vec<u8>, ViewError> {
    let mut key = partition_prefix(generation, lookup.index, &lookup.partition);
    key.extend_from_slice(lookup.key.as_bytes());
    within_limit(key)
}

pub(super) fn prefix(generation: Generation) -> Vec<u8> {
    generation.0.to_be_bytes().to_vec()
}

/// The bytes of a key behind its generation.
pub(super) fn behind_prefix(key: &[u8]) -> &[u8] {
    key.get(size_of::<u32>()..).unwrap_or_default()
}

/// The first key that is greater than every key with this prefix; `None` when there is none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

pub(super) fn encode_view(version: Version, position: Position, head: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VIEW_HEADER_BYTES + head.map_or(0, <[u8]>::len));
    bytes.extend_from_slice(&version.0.to_be_bytes());
    bytes.extend_from_slice(&position.0.to_be_bytes());
    bytes.push(if head.is_some() { HELD } else { REMOVED });
    bytes.extend_from_slice(head.unwrap_or_default());
    bytes
}

pub(crate) fn decode_view(bytes: &[u8]) -> Result<StoredView<'_>, ViewError> {
    let (header, head) = bytes
        .split_at_checked(VIEW_HEADER_BYTES)
        .ok_or_else(|| corrupt("a view is cut short"))?;
    let head = match header[VIEW_HEADER_BYTES - 1] {
        HELD => Some(Cow::Borrowed(head)),
        REMOVED if head.is_empty() => None,
        _ => return Err(corrupt("a view's header is not known")),
    };
    Ok(StoredView {
        version: Version(u64_at(header, 0)?),
        position: Position(u64_at(header, 8)?),
        head,
        subject: None,
        lookups: Vec::new(),
        is_lost: false,
    })
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Result<u64, ViewError> {
    let number = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    number
        .map(u64::from_be_bytes)
        .ok_or_else(|| corrupt("a number is cut short"))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, ViewError> {
    let number = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    number
        .map(u32::from_be_bytes)
        .ok_or_else(|| corrupt("a number is cut short"))
}

pub(super) fn corrupt(what: &str) -> ViewError {
    ViewError::Corrupt {
        what: what.to_owned(),
        source: None,
    }
}

pub(crate) fn changed_by_another() -> ViewError {
    corrupt("a generation being built was changed by another")
}

fn within_limit(key: Vec<u8>) -> Result<Vec<u8>, ViewError> {
    if key.len() > KEY_BYTES_MAX {
        Err(ViewError::KeyTooLong)
    } else {
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_reads_back_as_it_was_written() {
        let bytes = encode_view(Version(3), Position(9), Some(b"{}"));
        let view = decode_view(&bytes).unwrap();
        assert_eq!(
            (view.version, view.position, view.head.as_deref()),
            (Version(3), Position(9), Some(b"{}".as_slice()))
        );
    }

    #[test]
    fn a_removed_view_keeps_its_version() {
        let bytes = encode_view(Version(3), Position(9), None);
        let view = decode_view(&bytes).unwrap();
        assert_eq!((view.version, view.head), (Version(3), None));
    }

    #[test]
    fn a_view_that_is_cut_short_is_corrupt() {
        assert!(matches!(decode_view(&[0; 16]), Err(ViewError::Corrupt { .. })));
    }

    #[test]
    fn the_end_of_a_prefix_lies_behind_all_of_its_keys() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[1, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255]), None);
    }

    #[test]
    fn a_key_beyond_the_stores_limit_is_refused() {
        let lookup = LookupKey::new("index", "partition", "k".repeat(KEY_BYTES_MAX));
        assert!(matches!(
            lookup_key(Generation(1), &lookup),
            Err(ViewError::KeyTooLong)
        ));
    }
}
