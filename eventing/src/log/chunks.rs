//! Blobs in compressed chunks, whichever database keeps them. Hashing and compressing happen off the async threads.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::LogError;
use crate::append::StorageFault;

/// How much of a blob goes into one chunk: a transaction of this size does not hold up appends for long.
pub(super) const CHUNK_LEN: usize = 1 << 20;
/// Fast, and small enough: a catalogue comes to about a third.
const COMPRESSION_LEVEL: i32 = 3;

/// The name of a blob.
pub(super) async fn digest(bytes: Bytes) -> Result<[u8; 32], LogError> {
    off_thread(move || Ok(sha256(&bytes))).await
}

/// A chunk as it is stored.
pub(super) async fn compress(part: Bytes) -> Result<Vec<u8>, LogError> {
    off_thread(move || {
        zstd::bulk::compress(&part, COMPRESSION_LEVEL)
            .map_err(|error| LogError::Unavailable(StorageFault::new(error)))
    })
    .await
}

/// What was stored as a chunk.
pub(super) async fn decompress(data: Vec<u8>) -> Result<Vec<u8>, LogError> {
    off_thread(move || decompress_blocking(&data)).await
}

/// The same, where waiting is allowed.
pub(super) fn decompress_blocking(data: &[u8]) -> Result<Vec<u8>, LogError> {
    zstd::bulk::decompress(data, CHUNK_LEN).map_err(|error| LogError::Corrupt(error.to_string()))
}

/// `bytes`, if they are what `digest` names.
pub(super) async fn verified(bytes: Bytes, digest: &[u8; 32]) -> Result<Bytes, LogError> {
    let digest = *digest;
    off_thread(move || verified_blocking(bytes, &digest)).await
}

/// The same, where waiting is allowed.
pub(super) fn verified_blocking(bytes: Bytes, digest: &[u8; 32]) -> Result<Bytes, LogError> {
    if sha256(&bytes) == *digest {
        return Ok(bytes);
    }
    Err(LogError::Corrupt(format!(
        "blob {} does not match its digest",
        hex::encode(digest)
    )))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|died| Err(LogError::Unavailable(StorageFault::new(died))))
}
