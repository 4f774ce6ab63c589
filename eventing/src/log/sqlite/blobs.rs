//! Large immutable things, named by their SHA-256 and kept in compressed chunks.
//!
//! The row in `blobs` is written last, so a blob is there as a whole or not at all.

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::{LogError, SqliteLog, from_sql, to_sql};
use crate::append::StorageFault;

/// How much of a blob goes into one chunk: a transaction of this size does not hold up appends for long.
const CHUNK_LEN: usize = 1 << 20;
/// Fast, and small enough: a catalogue comes to about a third.
const COMPRESSION_LEVEL: i32 = 3;

pub(super) async fn put(log: &SqliteLog, bytes: Bytes) -> Result<[u8; 32], LogError> {
    let (bytes, digest) = off_thread(move || Ok((bytes.clone(), sha256(&bytes)))).await?;
    if log
        .read(move |connection| length(connection, &digest))
        .await?
        .is_some()
    {
        return Ok(digest);
    }
    for (chunk, start) in (0_i64..).zip((0..bytes.len()).step_by(CHUNK_LEN)) {
        let part = bytes.slice(start..bytes.len().min(start + CHUNK_LEN));
        let compressed = off_thread(move || zstd::bulk::compress(&part, COMPRESSION_LEVEL)).await?;
        log.write(move |connection| put_chunk(connection, &digest, chunk, &compressed))
            .await?;
    }
    let len = to_sql(bytes.len() as u64);
    log.write(move |connection| finish(connection, &digest, len))
        .await?;
    Ok(digest)
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, LogError> {
    let unavailable = |cause: String| LogError::Unavailable(StorageFault::new(cause));
    let done = tokio::task::spawn_blocking(work)
        .await
        .map_err(|died| unavailable(died.to_string()))?;
    done.map_err(|error| unavailable(error.to_string()))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn put_chunk(connection: &Connection, digest: &[u8; 32], chunk: i64, data: &[u8]) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO blob_chunks VALUES (?1, ?2, ?3)")?
        .execute((&digest[..], chunk, data))?;
    Ok(())
}

fn finish(connection: &Connection, digest: &[u8; 32], len: i64) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO blobs VALUES (?1, ?2)")?
        .execute((&digest[..], len))?;
    Ok(())
}

fn length(connection: &Connection, digest: &[u8; 32]) -> Result<Option<usize>, LogError> {
    let len = connection
        .prepare_cached("SELECT length FROM blobs WHERE digest = ?1")?
        .query_row([&digest[..]], |row| row.get(0))
        .optional()?;
    let to_usize = |len| from_sql(len).map(|len| usize::try_from(len).unwrap_or(usize::MAX));
    len.map(to_usize).transpose()
}

pub(in crate::log) fn read(connection: &Connection, digest: &[u8; 32]) -> Result<Option<Bytes>, LogError> {
    let Some(len) = length(connection, digest)? else {
        return Ok(None);
    };
    let bytes = read_chunks(connection, digest, len)?;
    if sha256(&bytes) != *digest {
        return Err(LogError::Corrupt(format!(
            "blob {} does not match its digest",
            hex::encode(digest)
        )));
    }
    Ok(Some(bytes))
}

fn read_chunks(connection: &Connection, digest: &[u8; 32], len: usize) -> Result<Bytes, LogError> {
    let mut statement =
        connection.prepare_cached("SELECT data FROM blob_chunks WHERE digest = ?1 ORDER BY chunk")?;
    let mut rows = statement.query([&digest[..]])?;
    let mut bytes = BytesMut::new();
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(0)?;
        let part =
            zstd::bulk::decompress(&data, CHUNK_LEN).map_err(|error| LogError::Corrupt(error.to_string()))?;
        bytes.extend_from_slice(&part);
    }
    bytes.truncate(len);
    Ok(bytes.freeze())
}
