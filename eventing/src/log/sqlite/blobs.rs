//! Large immutable things, named by their SHA-256 and kept in compressed chunks.
//!
//! The row in `blobs` is written last, so a blob is there as a whole or not at all.

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OptionalExtension};

use super::{LogError, SqliteLog, from_sql, to_sql};
use crate::log::chunks::{self, CHUNK_LEN};

pub(super) async fn put(log: &SqliteLog, bytes: Bytes) -> Result<[u8; 32], LogError> {
    let digest = chunks::digest(bytes.clone()).await?;
    if log
        .read(move |connection| length(connection, &digest))
        .await?
        .is_some()
    {
        return Ok(digest);
    }
    for (chunk, start) in (0_i64..).zip((0..bytes.len()).step_by(CHUNK_LEN)) {
        let part = bytes.slice(start..bytes.len().min(start + CHUNK_LEN));
        let compressed = chunks::compress(part).await?;
        log.write(move |connection| put_chunk(connection, &digest, chunk, &compressed))
            .await?;
    }
    let len = to_sql(bytes.len() as u64);
    log.write(move |connection| finish(connection, &digest, len))
        .await?;
    Ok(digest)
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
    chunks::verified_blocking(bytes, digest).map(Some)
}

fn read_chunks(connection: &Connection, digest: &[u8; 32], len: usize) -> Result<Bytes, LogError> {
    let mut statement =
        connection.prepare_cached("SELECT data FROM blob_chunks WHERE digest = ?1 ORDER BY chunk")?;
    let mut rows = statement.query([&digest[..]])?;
    let mut bytes = BytesMut::new();
    while let Some(row) = rows.next()? {
        let data: Vec<u8> = row.get(0)?;
        bytes.extend_from_slice(&chunks::decompress_blocking(&data)?);
    }
    bytes.truncate(len);
    Ok(bytes.freeze())
}
