//! Another master key for the keys in PostgreSQL.

use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::super::rotation::Rotated;
use super::super::wrapping::{PEPPER_CONTEXT, Wrapper};
use super::super::{KeyError, MasterKey};
use crate::log::PostgresConfig;

/// Whoever makes or destroys keys waits until all are wrapped; readers do not.
const LOCK: &str = "LOCK TABLE segue_keys.deployment, segue_keys.subject_keys IN SHARE ROW EXCLUSIVE MODE";
/// What was replaced leaves its pages.
const REWRITE: &str = "VACUUM FULL segue_keys.subject_keys; VACUUM FULL segue_keys.deployment";
/// Keys rewrapped in one statement.
const PAGE: i64 = 500;

/// See [`Keys::rotate_postgres`](super::super::Keys::rotate_postgres).
pub(in crate::keys) async fn rotate(
    config: &PostgresConfig,
    present: &MasterKey,
    new: &MasterKey,
    progress: impl FnMut(u64),
) -> Result<Rotated, KeyError> {
    let (present, new) = (Wrapper::new(present), Wrapper::new(new));
    let mut client = config.connect().await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    let row = transaction
        .query_opt("SELECT pepper FROM segue_keys.deployment", &[])
        .await?
        .ok_or(KeyError::Damaged(
            "no pepper: nothing was ever started on this database",
        ))?;
    let wrapped: Vec<u8> = row.try_get(0)?;
    let Ok(pepper) = present.unwrap(PEPPER_CONTEXT, &wrapped) else {
        let opens = new.unwrap(PEPPER_CONTEXT, &wrapped);
        return opens
            .map(|_| Rotated::Before)
            .map_err(|_| KeyError::WrongMasterKey);
    };
    let pepper = new.wrap(PEPPER_CONTEXT, &pepper);
    transaction
        .execute("UPDATE segue_keys.deployment SET pepper = $1", &[&pepper])
        .await?;
    let done = rewrap(&transaction, &present, &new, progress).await?;
    crate::failpoint!("rotate.before_commit");
    transaction.commit().await?;
    crate::failpoint!("rotate.after_commit");
    drop_old(&client).await?;
    Ok(Rotated::Now(done))
}

async fn rewrap(
    transaction: &Transaction<'_>,
    present: &Wrapper,
    new: &Wrapper,
    mut progress: impl FnMut(u64),
) -> Result<u64, KeyError> {
    let (mut after, mut done) = (Uuid::nil(), 0);
    loop {
        let sql = "SELECT subject, wrapped FROM segue_keys.subject_keys WHERE subject > $1 ORDER BY subject LIMIT $2";
        let rows = transaction.query(sql, &[&after, &PAGE]).await?;
        let (mut subjects, mut wrapped) = (Vec::new(), Vec::new());
        for row in &rows {
            let subject: Uuid = row.try_get(0)?;
            let key = present.unwrap(subject.as_bytes(), row.try_get(1)?)?;
            wrapped.push(new.wrap(subject.as_bytes(), &key));
            subjects.push(subject);
        }
        let Some(last) = subjects.last() else {
            return Ok(done);
        };
        after = *last;
        let sql = "UPDATE segue_keys.subject_keys AS stored SET wrapped = given.wrapped
             FROM unnest($1::uuid[], $2::bytea[]) AS given (subject, wrapped) WHERE stored.subject = given.subject";
        transaction.execute(sql, &[&subjects, &wrapped]).await?;
        done += subjects.len() as u64;
        progress(done);
    }
}

async fn drop_old(client: &Client) -> Result<(), KeyError> {
    for statement in REWRITE.split("; ") {
        client.batch_execute(statement).await?;
    }
    Ok(())
}
