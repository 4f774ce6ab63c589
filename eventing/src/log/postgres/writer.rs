//! The one task of this process that appends.
//!
//! It takes what has arrived since the last commit and writes it in one transaction under the log's lock, so that positions
//! are gapless and in commit order whoever appends. An answer is given only when it is known to be true: after a commit that
//! was not answered, the task takes the lock again, which it gets only when the other transaction is over or can no longer
//! store anything, and looks.
//!
//! While nobody else appends, what the last transactions left is known ([`remembered`](super::remembered)), and one round trip
//! does all. A second transaction may then follow the first without waiting for its answer ([`flight`](super::flight)): the
//! database goes on at once, and what comes of the first is the ground of the second, which stores nothing without it. Otherwise
//! a first round trip reads, under the lock, what the batch touches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::connect::PostgresConfig;
use super::flight::{Flight, Outcome, Sent};
use super::known;
use super::remembered::Remembered;
use super::session::Session;
use super::transaction::{BatchFault, STEP_LIMIT, asking, decide};
use super::{reader, within};
use crate::append::{Append, AppendError, Appended, StorageFault};
use crate::failpoint;
use crate::log::measures::AppendMeasures;
use crate::log::tail::Tail;
use crate::log::{LogError, error::not_written};

/// Appends in one transaction at most: beyond some hundreds a commit's share of the cost is small, and those
/// who wait for the next one wait longer.
const BATCH_LEN_MAX: usize = 512;
/// Appends that are sent behind a transaction without waiting for its answer, at least: each transaction has a cost of its own,
/// however few share it.
const BEHIND_LEN_MIN: usize = 16;
/// Transactions under way: one that the database works on, and one that it finds when it has done that.
const FLIGHTS_MAX: usize = 2;
/// How long appends wait for a database that is away before they are told so.
const RECONNECT_LIMIT: Duration = Duration::from_secs(5);
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
    session: Option<Arc<Session>>,
    remembered: Remembered,
    /// In the order in which they were sent, all on the same session.
    flights: VecDeque<Flight>,
    tail: Arc<Tail>,
    measures: AppendMeasures,
}

/// Takes what waits, and what comes while those who are about to send have their turn: on a busy machine that is most of those
/// who were just answered, and a transaction costs as much for one as for many of them.
async fn gather(batch: &mut Vec<WaitingAppend>, jobs: &mut mpsc::Receiver<WaitingAppend>) {
    loop {
        yield_now().await;
        let before = batch.len();
        while batch.len() < BATCH_LEN_MAX
            && let Ok(next) = jobs.try_recv()
        {
            batch.push(next);
        }
        if batch.len() == before || batch.len() == BATCH_LEN_MAX {
            return;
        }
    }
}

impl Writer {
    pub(super) fn new(config: PostgresConfig, tail: Arc<Tail>, measures: AppendMeasures) -> Self {
        Self {
            config,
            session: None,
            remembered: Remembered::default(),
            flights: VecDeque::new(),
            tail,
            measures,
        }
    }

    /// Works until no handle of the log is left and all is answered.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<WaitingAppend>) {
        let mut batch = Vec::new();
        let mut is_open = true;
        while is_open || !self.flights.is_empty() {
            let room = BATCH_LEN_MAX - batch.len();
            tokio::select! {
                biased;
                outcome = first_outcome(&mut self.flights), if !self.flights.is_empty() => {
                    if let Some(first) = self.flights.pop_front() {
                        self.take_in(first.sent, outcome).await;
                    }
                }
                count = jobs.recv_many(&mut batch, room), if is_open && room > 0 => is_open = count > 0,
            }
            if self.flights.is_empty() && !batch.is_empty() {
                gather(&mut batch, &mut jobs).await;
            }
            if self.is_time_for(batch.len()) {
                self.append_all(std::mem::take(&mut batch)).await;
            }
        }
    }

    /// Whether so many appends are sent now rather than with those that come until the next answer.
    fn is_time_for(&self, waiting: usize) -> bool {
        match self.flights.back() {
            None => waiting > 0,
            Some(last) => {
                last.is_under_way
                    && self.flights.len() < FLIGHTS_MAX
                    && waiting >= BEHIND_LEN_MIN
                    && waiting >= last.sent.batch.len() / 2
            }
        }
    }

    async fn append_all(&mut self, batch: Vec<WaitingAppend>) {
        failpoint!("append.before_begin");
        if let Err(batch) = self.send(batch) {
            while let Some(flight) = self.flights.pop_front() {
                let (sent, outcome) = flight.land().await;
                self.take_in(sent, outcome).await;
            }
            self.ask(batch).await;
        }
    }

    /// Sends a batch on what is remembered, and waits for nothing. Gives it back, with nothing sent, when something must be looked
    /// up first.
    fn send(&mut self, batch: Vec<WaitingAppend>) -> Result<(), Vec<WaitingAppend>> {
        let Some(session) = self.open_session() else {
            return Err(batch);
        };
        let begun = Instant::now();
        let appends: Vec<&Append> = batch.iter().map(|waiting| &waiting.append).collect();
        let known = self.remembered.of(&appends);
        let Some(Ok((answers, plan))) = known.map(|known| decide(known, &appends)) else {
            return Err(batch);
        };
        // Why one is refused, the database may know better.
        if plan.is_empty() || answers.iter().any(Result::is_err) {
            return Err(batch);
        }
        failpoint!("append.before_commit");
        self.remembered.note(&plan);
        let sent = Sent {
            batch,
            answers,
            plan: Arc::new(plan),
            begun,
        };
        let flight = Flight::take_off(&session, sent, self.flights.len());
        self.flights.push_back(flight);
        Ok(())
    }

    /// Takes in what became of the transaction that was sent before all that are under way.
    async fn take_in(&mut self, sent: Sent, outcome: Outcome) {
        match outcome {
            Ok(true) => self.committed(sent),
            failed => self.recover(sent, failed).await,
        }
    }

    /// Does again what came to nothing. What was sent behind it has it for its ground and came to nothing too, or is unknown as it is;
    /// all of it is waited for first, so that the order stays.
    async fn recover(&mut self, first: Sent, outcome: Outcome) {
        let mut landed = vec![(first, outcome)];
        while let Some(flight) = self.flights.pop_front() {
            landed.push(flight.land().await);
        }
        self.remembered.forget();
        if matches!(landed.first(), Some((_, Ok(false)))) {
            self.remembered.overtaken();
        }
        for (sent, outcome) in landed {
            match outcome {
                Ok(true) => self.committed(sent),
                Ok(false) | Err(BatchFault::Taken(_)) => self.ask(sent.batch).await,
                Err(fault) => self.failed(sent.batch, fault).await,
            }
        }
    }

    /// Tells those who wait for a batch that is durable.
    fn committed(&self, sent: Sent) {
        let Sent {
            batch,
            answers,
            plan,
            begun,
        } = sent;
        failpoint!("append.after_commit");
        self.measures.committed(batch.len(), begun.elapsed());
        self.tail
            .committed(plan.events.iter().map(|(_, event)| event), plan.position());
        failpoint!("append.before_answer");
        for (waiting, answer) in batch.into_iter().zip(answers) {
            // A caller that went away does not need the answer.
            let _ = waiting.answer.send(answer);
        }
    }

    /// Looks up what a batch touches and writes it.
    async fn ask(&mut self, batch: Vec<WaitingAppend>) {
        let session = match self.session(Instant::now() + RECONNECT_LIMIT).await {
            Ok(session) => session,
            Err(error) => {
                self.measures.failed();
                return refuse_all(batch, &error);
            }
        };
        let begun = Instant::now();
        let appends: Vec<&Append> = batch.iter().map(|waiting| &waiting.append).collect();
        match asking(&session, &appends).await {
            Ok((answers, plan)) => {
                self.remembered.note(&plan);
                let plan = Arc::new(plan);
                self.committed(Sent {
                    batch,
                    answers,
                    plan,
                    begun,
                });
            }
            Err(fault) => {
                drop(session);
                self.failed(batch, fault).await;
            }
        }
    }

    /// The connection is given up: with it goes whatever its transaction had begun.
    async fn failed(&mut self, batch: Vec<WaitingAppend>, fault: BatchFault) {
        self.session = None;
        self.measures.failed();
        match fault {
            BatchFault::BeforeCommit(error) | BatchFault::Taken(error) => {
                tracing::warn!(error.message = %chain(&error), appends = batch.len(), "a transaction of the log failed");
                refuse_all(batch, &error);
            }
            BatchFault::InCommit(error) => {
                tracing::error!(error.message = %chain(&error), appends = batch.len(), "a commit of the log was not answered");
                self.settle_all(batch, &error).await;
            }
        }
    }

    fn open_session(&self) -> Option<Arc<Session>> {
        let session = self.session.as_ref();
        session.filter(|session| !session.client.is_closed()).cloned()
    }

    /// The connection, made anew if it is gone, tried until `deadline`.
    async fn session(&mut self, deadline: Instant) -> Result<Arc<Session>, LogError> {
        if let Some(session) = self.open_session() {
            return Ok(session);
        }
        // While there was none, the database may have been put back.
        self.remembered.forget();
        loop {
            let connecting = async { Ok(Session::connect(&self.config).await?) };
            let error = match within(RECONNECT_LIMIT, connecting).await {
                Ok(session) => return Ok(Arc::clone(self.session.insert(Arc::new(session)))),
                Err(error) => error,
            };
            if Instant::now() + RETRY_AFTER > deadline {
                return Err(error);
            }
            sleep(RETRY_AFTER).await;
        }
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
        let answer = within(STEP_LIMIT, look(&session, append)).await;
        if answer.is_err() {
            self.session = None;
        }
        let answer = answer?;
        if let Ok(appended) = &answer {
            self.tail.advance(appended.position);
        }
        Ok(answer)
    }
}

/// What becomes of the transaction that was sent first, of some. Cancel-safe.
async fn first_outcome(flights: &mut VecDeque<Flight>) -> Outcome {
    match flights.front_mut() {
        Some(first) => first.outcome().await,
        None => std::future::pending().await,
    }
}

async fn look(session: &Session, append: &Append) -> Result<Result<Appended, AppendError>, LogError> {
    let client = &session.client;
    session.begin_alone().await?;
    let appended = known::find_earlier(client, append).await?;
    let receipt = match &append.receipt {
        Some(receipt) => reader::receipt(client, &receipt.key).await?,
        None => None,
    };
    session.end_alone().await?;
    Ok(match (appended, receipt) {
        (Some(appended), _) => Ok(appended),
        (None, Some(receipt)) => Err(AppendError::ReceiptExists(Box::new(receipt))),
        (None, None) => Err(AppendError::Unavailable(StorageFault::new(
            "the commit did not happen",
        ))),
    })
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
