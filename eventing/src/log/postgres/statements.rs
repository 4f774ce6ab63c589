//! The writer's statements, prepared once for a connection.
//!
//! Those that store events, streams and receipts hold only while the log's head is where the batch was decided, and has the mark
//! that it had: their last two parameters. Otherwise they change nothing. The head moves last. Claims change only in a
//! transaction that has read the head under the lock.

use tokio_postgres::{Client, Error, Statement};

/// See the module.
pub(super) struct Statements {
    pub(super) head: Statement,
    pub(super) streams: Statement,
    pub(super) used_ids: Statement,
    pub(super) receipts: Statement,
    pub(super) claims: Statement,
    pub(super) insert_events: Statement,
    pub(super) move_streams: Statement,
    pub(super) delete_claims: Statement,
    pub(super) insert_claims: Statement,
    pub(super) insert_receipts: Statement,
    pub(super) move_head: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            head: client
                .prepare("SELECT position, recorded_at, mark FROM segue.log_head")
                .await?,
            streams: client
                .prepare("SELECT name, no, version, position FROM segue.streams WHERE name = ANY($1::text[])")
                .await?,
            used_ids: client
                .prepare("SELECT id FROM segue.events WHERE id = ANY($1::uuid[])")
                .await?,
            receipts: client
                .prepare(
                    "SELECT key, fingerprint, answer, subject, position, recorded_at FROM segue.receipts
                     WHERE key = ANY($1::bytea[])",
                )
                .await?,
            claims: client
                .prepare(
                    "SELECT c.kind, c.digest, c.stream FROM segue.claims c
                     JOIN UNNEST($1::text[], $2::bytea[]) AS asked (kind, digest) USING (kind, digest)",
                )
                .await?,
            insert_events: client
                .prepare(
                    "INSERT INTO segue.events (position, stream, version, type, id, leaf_hash, record)
                     SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::bytea[], $7::bytea[])
                     WHERE EXISTS (SELECT FROM segue.log_head WHERE position = $8 AND mark IS NOT DISTINCT FROM $9)",
                )
                .await?,
            move_streams: client
                .prepare(
                    "INSERT INTO segue.streams (name, no, version, position)
                     SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
                     WHERE EXISTS (SELECT FROM segue.log_head WHERE position = $5 AND mark IS NOT DISTINCT FROM $6)
                     ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, position = EXCLUDED.position",
                )
                .await?,
            delete_claims: client
                .prepare(
                    "DELETE FROM segue.claims c USING UNNEST($1::text[], $2::bytea[]) AS gone (kind, digest)
                     WHERE c.kind = gone.kind AND c.digest = gone.digest",
                )
                .await?,
            insert_claims: client
                .prepare(
                    "INSERT INTO segue.claims (kind, digest, stream) SELECT * FROM UNNEST($1::text[], $2::bytea[], $3::text[])",
                )
                .await?,
            insert_receipts: client
                .prepare(
                    "INSERT INTO segue.receipts (key, fingerprint, answer, subject, position, recorded_at)
                     SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::bytea[], $4::uuid[], $5::bigint[], $6::bigint[])
                     WHERE EXISTS (SELECT FROM segue.log_head WHERE position = $7 AND mark IS NOT DISTINCT FROM $8)",
                )
                .await?,
            move_head: client
                .prepare(
                    "UPDATE segue.log_head SET position = $1, recorded_at = $2, mark = $3
                     WHERE position = $4 AND mark IS NOT DISTINCT FROM $5",
                )
                .await?,
        })
    }
}
