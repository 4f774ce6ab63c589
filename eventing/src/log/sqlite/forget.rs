//! Deleting the rows about people. `secure_delete` overwrites what they held.

use rusqlite::Connection;

use super::{LogError, from_sql};
use crate::ids::{StreamId, SubjectId};
use crate::log::forget::{Deleted, Forgotten};

const SPEND_FIRST: &str = "UPDATE receipts SET fingerprint = zeroblob(32), answer = x'', subject = NULL, position = 0, recorded_at = 0
 WHERE key = (SELECT key FROM receipts WHERE subject = ?1 ORDER BY recorded_at, position LIMIT 1)";

pub(in crate::log) fn forget(
    connection: &Connection,
    people: &[Forgotten],
    set_aside: &[StreamId],
) -> Result<Deleted, LogError> {
    let mut deleted = Deleted::default();
    for person in people {
        deleted.receipts += receipts(connection, person.subject)?;
        deleted.claims += connection
            .prepare_cached("DELETE FROM claims WHERE stream = ?1")?
            .execute([person.stream.as_str()])? as u64;
    }
    for stream in set_aside {
        deleted.dead_letters += connection
            .prepare_cached("DELETE FROM dead_letters WHERE stream = ?1")?
            .execute([stream.as_str()])? as u64;
    }
    Ok(deleted)
}

pub(in crate::log) fn receipts_about(connection: &Connection, subject: SubjectId) -> Result<u64, LogError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM receipts WHERE subject = ?1")?
        .query_row([&subject.0.as_bytes()[..]], |row| row.get(0))?;
    from_sql(count)
}

fn receipts(connection: &Connection, subject: SubjectId) -> Result<u64, LogError> {
    let subject = &subject.0.as_bytes()[..];
    let spent = connection.prepare_cached(SPEND_FIRST)?.execute([subject])?;
    let deleted = connection
        .prepare_cached("DELETE FROM receipts WHERE subject = ?1")?
        .execute([subject])?;
    Ok((spent + deleted) as u64)
}
