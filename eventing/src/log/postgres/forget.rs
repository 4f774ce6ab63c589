//! Deleting the rows about people.
//!
//! PostgreSQL leaves what was deleted in its pages until it comes round to them. Of receipts that is sealed under a key that
//! is destroyed; claims and dead letters hold nothing that could be read by itself.

use tokio_postgres::Client;
use uuid::Uuid;

use super::LogError;
use crate::ids::StreamId;
use crate::log::forget::{Deleted, Forgotten};

const SPEND_FIRST: &str = "UPDATE segue.receipts SET fingerprint = decode(repeat('00', 32), 'hex'), answer = '', subject = NULL,
 position = 0, recorded_at = 0
 WHERE key IN (SELECT DISTINCT ON (subject) key FROM segue.receipts WHERE subject = ANY($1) ORDER BY subject, recorded_at, position)";

pub(super) async fn forget(
    client: &mut Client,
    people: &[Forgotten],
    set_aside: &[StreamId],
) -> Result<Deleted, LogError> {
    let subjects: Vec<Uuid> = people.iter().map(|person| person.subject.0).collect();
    let streams: Vec<&str> = people.iter().map(|person| person.stream.as_str()).collect();
    let transaction = client.transaction().await?;
    let spent = transaction.execute(SPEND_FIRST, &[&subjects]).await?;
    let sql = "DELETE FROM segue.receipts WHERE subject = ANY($1)";
    let receipts = spent + transaction.execute(sql, &[&subjects]).await?;
    let sql = "DELETE FROM segue.claims WHERE stream = ANY($1)";
    let claims = transaction.execute(sql, &[&streams]).await?;
    let set_aside: Vec<&str> = set_aside.iter().map(StreamId::as_str).collect();
    let sql = "DELETE FROM segue.dead_letters WHERE stream = ANY($1)";
    let dead_letters = transaction.execute(sql, &[&set_aside]).await?;
    transaction.commit().await?;
    Ok(Deleted {
        receipts,
        claims,
        dead_letters,
    })
}
