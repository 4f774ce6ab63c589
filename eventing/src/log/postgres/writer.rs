//! The one task of this process that appends.
//!
//! It takes what has arrived since the last commit and writes it in one transaction under the log's lock, so that positions
//! are gapless and in commit order whoever appends. An answer is given only when it is known to be true: after a commit that
//! was not answered, the task takes the lock again, which it gets only when the other transaction is over, and looks.
//!
//! While nobody else appends, what the last transactions left is known ([`remembered`](super::remembered)), and one round trip
//! does all. Otherwise a first one reads, under the lock, what the batch touches.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::ready;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::connect::PostgresConfig;
use super::known::{self, Known};
use super::plan::Plan;
use super::remembered::Remembered;
use super::statements::Statements;
use super::{reader, to_sql, within};
use crate::append::{Append, AppendError, Appended, StorageFault};
use crate::failpoint;
use crate::log::measures::AppendMeasures;
use crate::log::tail::Tail;
use crate::log::{LogError, error::not_written};
use crate::record::now_micros;

/// Appends in one transaction at most: beyond some hundreds a commit's share of the cost is small, and those
/// who wait for the next one wait longer.
const BATCH_LEN_MAX: usize = 512;
/// How long appends wait for a database that is away before they are told so.
const RECONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long one step of a transaction may take; longer than the server's own limits on locks.
const STEP_LIMIT: Duration = Duration::from_secs(10);
/// How long it is tried to find out what became of a commit; longer than the server lets a cut-off transaction live.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// An append and who waits for it.
pub(super) struct WaitingAppend {
    pub(super) append: Append,
    pub(super) answer: oneshot::Sender<Result<Appended, AppendError>>,
}

pub(super) struct Writer {
    config: PostgresConfig,
    connection: Option<Session>,
    remembered: Remembered,
    tail: Arc<Tail>,
    measures: AppendMeasures,
}

/// A connection with its statements.
struct Session {
    client: Client,
    statements: Statements,
}

/// What waits, and what comes while those who are about to send have their turn: on a busy machine that is most of those who
/// were just answered, and a transaction costs as much for one as for many of them.
async fn gather(first: WaitingAppend, jobs: &mut mpsc::Receiver<WaitingAppend>) -> Vec<WaitingAppend> {
    let mut batch = vec![first];
    loop {
        yield_now().await;
        let before = batch.len();
        while batch.len() < BATCH_LEN_MAX
            && let Ok(next) = jobs.try_recv()
        {
            batch.push(next);
        }
        if batch.len() == before || batch.len() == BATCH_LEN_MAX {
            return batch;
        }
    }
}

/// Where a transaction failed, which tells what can be true after it.
enum BatchFault {
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

impl Writer {
    pub(super) fn new(config: PostgresConfig, tail: Arc<Tail>, measures: AppendMeasures) -> Self {
        Self {
            config,
            connection: None,
            remembered: Remembered::default(),
            tail,
            measures,
        }
    }

    /// Works until no handle of the log is left.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<WaitingAppend>) {
        while let Some(first) = jobs.recv().await {
            self.append_all(gather(first, &mut jobs).await).await;
        }
    }

    async fn append_all(&mut self, batch: Vec<WaitingAppend>) {
        let session = match self.session(Instant::now() + RECONNECT_LIMIT).await {
            Ok(session) => session,
            Err(error) => {
                self.measures.failed();
                return refuse_all(batch, &error);
            }
        };
        let begun = Instant::now();
        let appends: Vec<&Append> = batch.iter().map(|waiting| &waiting.append).collect();
        match self.append_in(&session, &appends).await {
            Ok((answers, plan)) => {
                self.connection = Some(session);
                self.remembered.committed(&plan);
                self.measures.committed(batch.len(), begun.elapsed());
                self.tail
                    .committed(plan.events.iter().map(|(_, event)| event), plan.position());
                failpoint!("append.before_answer");
                for (waiting, answer) in batch.into_iter().zip(answers) {
                    // A caller that went away does not need the answer.
                    let _ = waiting.answer.send(answer);
                }
            }
            // The connection is given up: with it goes whatever its transaction had begun.
            Err(BatchFault::BeforeCommit(error) | BatchFault::Taken(error)) => {
                self.measures.failed();
                tracing::warn!(error.message = %chain(&error), appends = batch.len(), "a transaction of the log failed");
                refuse_all(batch, &error);
            }
            Err(BatchFault::InCommit(error)) => {
                self.measures.failed();
                tracing::error!(error.message = %chain(&error), appends = batch.len(), "a commit of the log was not answered");
                drop(session);
                self.settle_all(batch, &error).await;
            }
        }
    }

    /// Writes a batch in one transaction.
    async fn append_in(
        &mut self,
        session: &Session,
        batch: &[&Append],
    ) -> Result<(Answers, Plan), BatchFault> {
        failpoint!("append.before_begin");
        let written = match self.trusting(session, batch).await? {
            Some(written) => written,
            None => asking(session, batch).await?,
        };
        failpoint!("append.after_commit");
        Ok(written)
    }

    /// Writes a batch in one round trip, on what is remembered. Nothing is written, and nothing answered, when somebody else has
    /// appended meanwhile or something must be looked up first.
    async fn trusting(
        &mut self,
        session: &Session,
        batch: &[&Append],
    ) -> Result<Option<(Answers, Plan)>, BatchFault> {
        let Some(known) = self.remembered.of(batch) else {
            return Ok(None);
        };
        let (answers, plan) = decide(known, batch).map_err(BatchFault::BeforeCommit)?;
        // Why one is refused, the database may know better.
        if plan.is_empty() || answers.iter().any(Result::is_err) {
            return Ok(None);
        }
        failpoint!("append.before_commit");
        let begun = async { session.client.batch_execute(&known::begin()).await };
        match commit(session, &plan, begun).await {
            Ok(true) => Ok(Some((answers, plan))),
            Ok(false) => {
                self.remembered.overtaken();
                Ok(None)
            }
            Err(BatchFault::Taken(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The connection, made anew if it is gone, tried until `deadline`.
    async fn session(&mut self, deadline: Instant) -> Result<Session, LogError> {
        if let Some(session) = self
            .connection
            .take()
            .filter(|session| !session.client.is_closed())
        {
            return Ok(session);
        }
        // While there was none, the database may have been put back.
        self.remembered.forget();
        loop {
            let connecting = async { Ok(self.connect().await?) };
            let error = match within(RECONNECT_LIMIT, connecting).await {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            if Instant::now() + RETRY_AFTER > deadline {
                return Err(error);
            }
            sleep(RETRY_AFTER).await;
        }
    }

    async fn connect(&self) -> Result<Session, tokio_postgres::Error> {
        let client = self.config.connect().await?;
        let statements = Statements::prepare(&client).await?;
        Ok(Session { client, statements })
    }

    /// Finds out what became of a commit that was not answered. All of the batch share the time for it: others wait
    /// behind them for the only writer.
    async fn settle_all(&mut self, batch: Vec<WaitingAppend>, error: &LogError) {
        let deadline = Instant::now() + SETTLE_LIMIT;
        for waiting in batch {
            let answer = self.settled(&waiting.append, deadline).await;
            let answer =
                answer.unwrap_or_else(|| Err(AppendError::OutcomeUnknown(StorageFault::new(chain(error)))));
            let _ = waiting.answer.send(answer);
        }
    }

    /// What became of `append`, as soon as the database tells; nothing when it does not until `deadline`.
    async fn settled(&mut self, append: &Append, deadline: Instant) -> Option<Result<Appended, AppendError>> {
        while Instant::now() < deadline {
            match self.settle(append, deadline).await {
                Ok(answer) => return Some(answer),
                Err(_) => sleep(RETRY_AFTER).await,
            }
        }
        None
    }

    /// Under the lock the database tells the truth: either it holds the append or it never will.
    async fn settle(
        &mut self,
        append: &Append,
        deadline: Instant,
    ) -> Result<Result<Appended, AppendError>, LogError> {
        let session = self.session(deadline).await?;
        let answer = within(STEP_LIMIT, look(&session.client, append)).await?;
        self.connection = Some(session);
        if let Ok(appended) = &answer {
            self.tail.advance(appended.position);
        }
        Ok(answer)
    }
}

async fn look(client: &Client, append: &Append) -> Result<Result<Appended, AppendError>, LogError> {
    client.batch_execute(&known::begin()).await?;
    let appended = known::find_earlier(client, append).await?;
    let receipt = match &append.receipt {
        Some(receipt) => reader::receipt(client, &receipt.key).await?,
        None => None,
    };
    client.batch_execute("COMMIT").await?;
    Ok(match (appended, receipt) {
        (Some(appended), _) => Ok(appended),
        (None, Some(receipt)) => Err(AppendError::ReceiptExists(Box::new(receipt))),
        (None, None) => Err(AppendError::Unavailable(StorageFault::new(
            "the commit did not happen",
        ))),
    })
}

/// What a statement is given.
type Values<'a, const N: usize> = [&'a (dyn ToSql + Sync); N];
type Answers = Vec<Result<Appended, AppendError>>;

/// Writes a batch in two round trips: one begins the transaction and reads what the batch touches, the other stores and commits.
async fn asking(session: &Session, batch: &[&Append]) -> Result<(Answers, Plan), BatchFault> {
    let Session { client, statements } = session;
    let asked = async { decide(Known::read(client, statements, batch).await?, batch) };
    let (answers, plan) = within(STEP_LIMIT, asked)
        .await
        .map_err(BatchFault::BeforeCommit)?;
    failpoint!("append.before_commit");
    match commit(session, &plan, ready(Ok(()))).await? {
        true => Ok((answers, plan)),
        false => Err(BatchFault::BeforeCommit(LogError::Corrupt(
            "the log's head moved under its lock".to_owned(),
        ))),
    }
}

fn decide(known: Known, batch: &[&Append]) -> Result<(Answers, Plan), LogError> {
    let mut plan = Plan::new(known, now_micros())?;
    let answers = batch.iter().map(|append| plan.append(append)).collect();
    Ok((answers, plan))
}

/// Stores the plan and commits, behind what `begun` sends, all sent before the first answer is waited for. False when the log's
/// head is not where the plan stands: then nothing was written.
async fn commit(
    session: &Session,
    plan: &Plan,
    begun: impl Future<Output = Result<(), tokio_postgres::Error>>,
) -> Result<bool, BatchFault> {
    let Session { client, statements } = session;
    let mut storing = pin!(async {
        let ((), is_stored) = futures::try_join!(begun, store(client, statements, plan))?;
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
    let answered = async { Ok(futures::join!(stored, client.batch_execute("COMMIT"))) };
    let (stored, committed) = within(STEP_LIMIT, answered).await.map_err(BatchFault::InCommit)?;
    let is_stored = stored.map_err(BatchFault::of_statement)?;
    committed.map_err(|error| BatchFault::InCommit(error.into()))?;
    Ok(is_stored)
}

/// Sends every statement before the first answer is waited for. All must succeed: a commit after one that failed only rolls
/// back. False when the head is elsewhere and nothing was stored.
async fn store(client: &Client, statements: &Statements, plan: &Plan) -> Result<bool, tokio_postgres::Error> {
    if plan.is_empty() {
        return Ok(true);
    }
    let ((), (), (), (), is_moved) = futures::try_join!(
        store_events(client, statements, plan),
        store_streams(client, statements, plan),
        store_claims(client, statements, plan),
        store_receipts(client, statements, plan),
        move_head(client, statements, plan),
    )?;
    Ok(is_moved)
}

/// The last statement: the ones before it hold where the head was.
async fn move_head(
    client: &Client,
    statements: &Statements,
    plan: &Plan,
) -> Result<bool, tokio_postgres::Error> {
    let (position, recorded_at) = (to_sql(plan.position().0), plan.recorded_at());
    let after = to_sql(plan.after().0);
    let head: Values<'_, 3> = [&position, &recorded_at, &after];
    Ok(client.execute(&statements.move_head, &head).await? == 1)
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
    let after = to_sql(plan.after().0);
    let values: Values<'_, 8> = [
        &positions, &streams, &versions, &types, &ids, &hashes, &records, &after,
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
            &[&names, &numbers, &versions, &positions, &to_sql(plan.after().0)],
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
            ],
        )
        .await?;
    Ok(())
}

fn refuse_all(batch: Vec<WaitingAppend>, error: &LogError) {
    for waiting in batch {
        let _ = waiting.answer.send(Err(not_written(error)));
    }
}

fn chain(error: &LogError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
