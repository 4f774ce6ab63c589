//! Large immutable things, named by their SHA-256 and kept in compressed chunks.
//!
//! The row in `blobs` is written last, so a blob is there as a whole or not at all.

use bytes::{Bytes, BytesMut};
use deadpool_postgres::Client;

use super::{from_sql, to_sql};
use crate::log::LogError;
use crate::log::chunks::{self, CHUNK_LEN};

pub(super) async fn put(client: &Client, bytes: Bytes) -> Result<[u8; 32], LogError> {
    let digest = chunks::digest(bytes.clone()).await?;
    if length(client, &digest).await?.is_some() {
        return Ok(digest);
    }
    let sql = client
        .prepare_cached(
            "INSERT INTO segue.blob_chunks VALUES ($1, $2, $3)
             ON CONFLICT (digest, chunk) DO UPDATE SET data = EXCLUDED.data",
        )
        .await?;
    for (chunk, start) in (0_i64..).zip((0..bytes.len()).step_by(CHUNK_LEN)) {
        let part = bytes.slice(start..bytes.len().min(start + CHUNK_LEN));
        let compressed = chunks::compress(part).await?;
        client.execute(&sql, &[&&digest[..], &chunk, &compressed]).await?;
    }
    let sql = "INSERT INTO segue.blobs VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let len = to_sql(bytes.len() as u64);
    client.execute(sql, &[&&digest[..], &len]).await?;
    Ok(digest)
}

async fn length(client: &Client, digest: &[u8; 32]) -> Result<Option<usize>, LogError> {
    let sql = "SELECT length FROM segue.blobs WHERE digest = $1";
    let found = client.query_opt(sql, &[&&digest[..]]).await?;
    let to_usize = |len| from_sql(len).map(|len| usize::try_from(len).unwrap_or(usize::MAX));
    found.map(|row| to_usize(row.try_get(0)?)).transpose()
}

pub(super) async fn read(client: &Client, digest: &[u8; 32]) -> Result<Option<Bytes>, LogError> {
    let Some(len) = length(client, digest).await? else {
        return Ok(None);
    };
    let sql = client
        .prepare_cached("SELECT data FROM segue.blob_chunks WHERE digest = $1 AND chunk = $2")
        .await?;
    let mut bytes = BytesMut::with_capacity(len);
    for chunk in 0.. {
        let found = client.query_opt(&sql, &[&&digest[..], &to_sql(chunk)]).await?;
        let Some(row) = found else { break };
        let data: Vec<u8> = row.try_get(0)?;
        bytes.extend_from_slice(&chunks::decompress(data).await?);
    }
    bytes.truncate(len);
    chunks::verified(bytes.freeze(), digest).await.map(Some)
}
