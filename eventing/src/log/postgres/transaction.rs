//! Writing a batch in one transaction under the log's lock.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::ready;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::known::{self, Known};
use super::plan::Plan;
use super::session::Session;
use super::statements::Statements;
use super::{to_sql, within};
use crate::append::{Append, AppendError, Appended};
use crate::failpoint;
use crate::log::LogError;
use crate::record::now_micros;

/// How long one step of a transaction may take; longer than the server's own limits on locks.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(10);

/// What the callers of a batch are told, in its order.
pub(super) type Answers = Vec<Result<Appended, AppendError>>;
/// What a statement is given.
type Values<'a, const N: usize> = [&'a (dyn ToSql + Sync); N];

/// Where a transaction failed, which tells what can be true after it.
pub(super) enum BatchFault {
    /// Before the commit was sent: nothing is written.
    BeforeCommit(LogError),
    /// A key that must be new is there already: nothing is written.
    Taken(LogError),
    /// In the commit: it may have happened.
    InCommit(LogError),
}

impl BatchFault {
    /// After a statement that the server refused, the commit that follows it only rolls back. After one that was not
    /// answered, the commit may have gone out and happened.
    fn of_statement(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => Self::Taken(error.into()),
            Some(_) => Self::BeforeCommit(error.into()),
            None => Self::InCommit(error.into()),
        }
    }
}

/// Decides a batch on top of what is known.
pub(super) fn decide(known: Known, batch: &[&Append]) -> Result<(Answers, Plan), LogError> {
    let mut plan = Plan::new(known, now_micros())?;
    let answers = batch.iter().map(|append| plan.append(append)).collect();
    Ok((answers, plan))
}

/// Writes a plan that was made of what is remembered, in one round trip. False when the log is not as the plan supposes: then
/// nothing was written. All is sent when this is polled first, and the time that it may take begins.
pub(super) async fn trusting(session: &Session, plan: &Plan, limit: Duration) -> Result<bool, BatchFault> {
    let begun = async { session.client.batch_execute(&known::begin()).await };
    commit(session, plan, begun, limit).await
}

/// Writes a batch in two round trips: one begins the transaction and reads what the batch touches, the other stores and commits.
pub(super) async fn asking(session: &Session, batch: &[&Append]) -> Result<(Answers, Plan), BatchFault> {
    let Session {
        client, statements, ..
    } = session;
    let asked = async { decide(Known::read(client, statements, batch).await?, batch) };
    let (answers, plan) = within(STEP_LIMIT, asked)
        .await
        .map_err(BatchFault::BeforeCommit)?;
    failpoint!("append.before_commit");
    match commit(session, &plan, ready(Ok(())), STEP_LIMIT).await? {
        true => Ok((answers, plan)),
        false => Err(BatchFault::BeforeCommit(LogError::Corrupt(
            "the log's head moved under its lock".to_owned(),
        ))),
    }
}

/// Stores the plan and commits, behind what `begun` sends, all sent before the first answer is waited for. False when the log's
/// head is not as the plan supposes: then nothing was written.
async fn commit(
    session: &Session,
    plan: &Plan,
    begun: impl Future<Output = Result<(), tokio_postgres::Error>>,
    limit: Duration,
) -> Result<bool, BatchFault> {
    let mut storing = pin!(async {
        let ((), is_stored) = futures::try_join!(begun, store(session, plan))?;
        Ok(is_stored)
    });
    // The first poll sends every statement. What fails in it was not sent, and then the commit is not sent either.
    let stored = match futures::poll!(storing.as_mut()) {
        Poll::Ready(Err(error)) => {
            let error: tokio_postgres::Error = error;
            return Err(BatchFault::BeforeCommit(error.into()));
        }
        Poll::Ready(Ok(is_stored)) => ready(Ok(is_stored)).left_future(),
        Poll::Pending => storing.right_future(),
    };
    let answered = async { Ok(futures::join!(stored, session.client.batch_execute("COMMIT"))) };
    let (stored, committed) = within(limit, answered).await.map_err(BatchFault::InCommit)?;
    let is_stored = stored.map_err(BatchFault::of_statement)?;
    committed.map_err(|error| BatchFault::InCommit(error.into()))?;
    Ok(is_stored)
}

/// Sends every statement before the first answer is waited for. All must succeed: a commit after one that failed only rolls
/// back. False when the head is elsewhere and nothing was stored.
async fn store(session: &Session, plan: &Plan) -> Result<bool, tokio_postgres::Error> {
    if plan.is_empty() {
        return Ok(true);
    }
    let Session {
        client, statements, ..
    } = session;
    let ((), (), (), (), is_moved) = futures::try_join!(
        store_events(client, statements, plan),
        store_streams(client, statements, plan),
        store_claims(client, statements, plan),
        store_receipts(client, statements, plan),
        move_head(session, plan),
    )?;
    Ok(is_moved)
}

/// The last statement: the ones before it hold where the head was.
async fn move_head(session: &Session, plan: &Plan) -> Result<bool, tokio_postgres::Error> {
    let (position, recorded_at) = (to_sql(plan.position().0), plan.recorded_at());
    let (mark, after, after_mark) = (plan.mark(), to_sql(plan.after().0), plan.after_mark());
    let head: Values<'_, 5> = [&position, &recorded_at, &mark, &after, &after_mark];
    let moved = session
        .client
        .execute(&session.statements.move_head, &head)
        .await?;
    Ok(moved == 1)
}

async fn store_events(
    client: &Client,
    statements: &Statements,
    plan: &Plan,
) -> Result<(), tokio_postgres::Error> {
    let events = || plan.events.iter().map(|(_, event)| event);
    let streams: Vec<i64> = plan.events.iter().map(|(no, _)| *no).collect();
    let positions: Vec<i64> = events().map(|event| to_sql(event.position.0)).collect();
    let versions: Vec<i64> = events().map(|event| to_sql(event.version.0)).collect();
    let types: Vec<&str> = events().map(|event| event.event_type.as_str()).collect();
    let ids: Vec<uuid::Uuid> = events().map(|event| event.id.0).collect();
    let hashes: Vec<&[u8]> = events().map(|event| &event.leaf_hash[..]).collect();
    let records: Vec<&[u8]> = events().map(|event| &event.record[..]).collect();
    let (after, mark) = (to_sql(plan.after().0), plan.after_mark());
    let values: Values<'_, 9> = [
        &positions, &streams, &versions, &types, &ids, &hashes, &records, &after, &mark,
    ];
    client.execute(&statements.insert_events, &values).await?;
    Ok(())
}

async fn store_streams(
    client: &Client,
    statements: &Statements,
    plan: &Plan,
) -> Result<(), tokio_postgres::Error> {
    let (mut names, mut numbers, mut versions, mut positions) = (vec![], vec![], vec![], vec![]);
    for (stream, head) in plan.moved() {
        names.push(stream.as_str());
        numbers.push(head.no);
        versions.push(to_sql(head.version.0));
        positions.push(to_sql(head.position.0));
    }
    client
        .execute(
            &statements.move_streams,
            &[
                &names,
                &numbers,
                &versions,
                &positions,
                &to_sql(plan.after().0),
                &plan.after_mark(),
            ],
        )
        .await?;
    Ok(())
}

async fn store_claims(
    client: &Client,
    statements: &Statements,
    plan: &Plan,
) -> Result<(), tokio_postgres::Error> {
    if plan.claims.is_empty() {
        return Ok(());
    }
    let kinds: Vec<&str> = plan.claims.keys().map(|claim| claim.kind.as_ref()).collect();
    let digests: Vec<&[u8]> = plan.claims.keys().map(|claim| &claim.digest[..]).collect();
    let held = || {
        plan.claims
            .iter()
            .filter_map(|(claim, holder)| Some((claim, holder.as_ref()?)))
    };
    let held_kinds: Vec<&str> = held().map(|(claim, _)| claim.kind.as_ref()).collect();
    let held_digests: Vec<&[u8]> = held().map(|(claim, _)| &claim.digest[..]).collect();
    let streams: Vec<&str> = held().map(|(_, stream)| stream.as_str()).collect();
    let changed: Values<'_, 2> = [&kinds, &digests];
    let held: Values<'_, 3> = [&held_kinds, &held_digests, &streams];
    futures::try_join!(
        client.execute(&statements.delete_claims, &changed),
        client.execute(&statements.insert_claims, &held),
    )?;
    Ok(())
}

async fn store_receipts(
    client: &Client,
    statements: &Statements,
    plan: &Plan,
) -> Result<(), tokio_postgres::Error> {
    if plan.receipts.is_empty() {
        return Ok(());
    }
    let receipts = || plan.receipts.iter().map(|(receipt, _)| receipt);
    let keys: Vec<&[u8]> = receipts().map(|receipt| &receipt.key.0[..]).collect();
    let fingerprints: Vec<&[u8]> = receipts().map(|receipt| &receipt.fingerprint[..]).collect();
    let answers: Vec<&[u8]> = receipts().map(|receipt| &receipt.answer[..]).collect();
    let subjects: Vec<Option<uuid::Uuid>> = receipts()
        .map(|receipt| receipt.subject.map(|subject| subject.0))
        .collect();
    let positions: Vec<i64> = plan
        .receipts
        .iter()
        .map(|(_, position)| to_sql(position.0))
        .collect();
    let times = vec![plan.recorded_at(); plan.receipts.len()];
    client
        .execute(
            &statements.insert_receipts,
            &[
                &keys,
                &fingerprints,
                &answers,
                &subjects,
                &positions,
                &times,
                &to_sql(plan.after().0),
                &plan.after_mark(),
            ],
        )
        .await?;
    Ok(())
}
