//! The one thread of this process that writes.
//!
//! It takes what has arrived since the last commit, writes it in one transaction, commits, and only then
//! answers. So the cost of a commit is shared by all who waited for the one before.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::heads::Heads;
use super::{LogError, append, fault};
use crate::append::{Append, AppendError, Appended, StorageFault};
use crate::failpoint;
use crate::log::error::not_written;
use crate::log::measures::AppendMeasures;
use crate::log::tail::Tail;
use crate::record::now_micros;

/// Appends in one transaction at most: beyond some hundreds a commit's share of the cost is small, and those
/// who wait for the next one wait longer.
const BATCH_LEN_MAX: usize = 512;

/// Something to write.
#[expect(clippy::large_enum_variant, reason = "nearly every job is an append")]
pub(super) enum Job {
    Append(WaitingAppend),
    /// Runs its own transaction, and answers for itself.
    Write(Durability, Write),
}

/// A transaction beside the appends. It is told why instead of a connection if there is none to be had.
pub(super) type Write = Box<dyn FnOnce(Result<&Connection, LogError>) + Send>;

/// When what a transaction wrote is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// With its commit.
    AtOnce,
    /// With the next commit that waits for the disk: for what can be made again from records. Without it a power cut takes
    /// the transaction as a whole, and nothing that came before it.
    WithTheNext,
}

/// An append and who waits for it.
pub(super) struct WaitingAppend {
    pub(super) append: Append,
    pub(super) answer: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Starts the thread. It ends, and closes the database, when no handle of the log is left.
pub(super) fn start(
    connection: Connection,
    jobs: mpsc::Receiver<Job>,
    tail: Arc<Tail>,
    measures: AppendMeasures,
) -> std::io::Result<()> {
    let writer = Writer {
        connection,
        heads: Heads::default(),
        tail,
        measures,
        durability: Durability::AtOnce,
    };
    thread::Builder::new()
        .name("log-writer".to_owned())
        .spawn(move || writer.run(jobs))?;
    Ok(())
}

struct Writer {
    connection: Connection,
    heads: Heads,
    tail: Arc<Tail>,
    measures: AppendMeasures,
    /// What the connection is set to.
    durability: Durability,
}

/// Where a transaction failed, which tells what can be true after it.
enum BatchFault {
    /// Before anything was sent to be made durable: nothing is written.
    BeforeCommit(LogError),
    /// In the commit: it may have happened.
    InCommit(LogError),
}

impl Writer {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut appends = Vec::new();
            let mut writes = Vec::new();
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Append(waiting) => appends.push(waiting),
                    Job::Write(durability, write) => writes.push((durability, write)),
                }
                next = if appends.len() < BATCH_LEN_MAX {
                    jobs.try_recv().ok()
                } else {
                    None
                };
            }
            if !appends.is_empty() {
                self.append_all(appends);
            }
            for (durability, write) in writes {
                write(self.with(durability));
            }
        }
    }

    /// The connection, whose commits wait for the disk as they should.
    fn with(&mut self, durability: Durability) -> Result<&Connection, LogError> {
        if self.durability != durability {
            let level = match durability {
                Durability::AtOnce => "FULL",
                Durability::WithTheNext => "NORMAL",
            };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = durability;
        }
        Ok(&self.connection)
    }

    fn append_all(&mut self, batch: Vec<WaitingAppend>) {
        let begun = Instant::now();
        match self.try_append_all(&batch) {
            Ok(answers) => {
                self.measures.committed(batch.len(), begun.elapsed());
                self.answer_all(batch, answers);
            }
            Err(failed) => {
                self.measures.failed();
                self.roll_back();
                self.explain_all(batch, &failed);
            }
        }
    }

    /// Writes a batch in one transaction. After an error the transaction may still be open.
    fn try_append_all(
        &mut self,
        batch: &[WaitingAppend],
    ) -> Result<Vec<Result<Appended, AppendError>>, BatchFault> {
        failpoint!("append.before_begin");
        let answers = self.write_all(batch).map_err(BatchFault::BeforeCommit)?;
        failpoint!("append.before_commit");
        self.connection.execute_batch("COMMIT").map_err(|error| {
            // A disk that is full has no room for the mark that makes a commit one.
            if fault::is_full(&error) {
                BatchFault::BeforeCommit(error.into())
            } else {
                BatchFault::InCommit(error.into())
            }
        })?;
        failpoint!("append.after_commit");
        Ok(answers)
    }

    fn write_all(&mut self, batch: &[WaitingAppend]) -> Result<Vec<Result<Appended, AppendError>>, LogError> {
        self.with(Durability::AtOnce)?;
        let Self {
            connection, heads, ..
        } = self;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        heads.refresh(connection)?;
        let now = now_micros();
        let mut answers = Vec::with_capacity(batch.len());
        for waiting in batch {
            answers.push(append::append(connection, heads, &waiting.append, now)?);
        }
        heads.store(connection)?;
        Ok(answers)
    }

    fn answer_all(&self, batch: Vec<WaitingAppend>, answers: Vec<Result<Appended, AppendError>>) {
        let appended = answers.iter().flatten().flat_map(|appended| &appended.events);
        self.tail.committed(appended, self.heads.position);
        failpoint!("append.before_answer");
        for (waiting, answer) in batch.into_iter().zip(answers) {
            // A caller that went away does not need the answer.
            let _ = waiting.answer.send(answer);
        }
    }

    fn roll_back(&mut self) {
        self.heads.forget();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error.message = %error, "a transaction of the log could not be rolled back");
        }
    }

    fn explain_all(&mut self, batch: Vec<WaitingAppend>, failed: &BatchFault) {
        match failed {
            BatchFault::BeforeCommit(error) => {
                tracing::warn!(error.message = %error, appends = batch.len(), "a transaction of the log failed");
                self.explain_unwritten(batch, error);
            }
            BatchFault::InCommit(error) => {
                tracing::error!(error.message = %error, appends = batch.len(), "a commit of the log failed");
                self.settle_all(batch, error);
            }
        }
    }

    /// One bad append must not fail the others: they are tried again one by one, unless the log as a whole
    /// cannot be written.
    fn explain_unwritten(&mut self, batch: Vec<WaitingAppend>, error: &LogError) {
        let may_be_one_append = matches!(error, LogError::Corrupt(_));
        if batch.len() > 1 && may_be_one_append {
            for waiting in batch {
                self.append_all(vec![waiting]);
            }
            return;
        }
        for waiting in batch {
            let is_misuse = may_be_one_append && append::reuses_an_id(&self.connection, &waiting.append);
            let answer = if is_misuse {
                AppendError::Invalid("an event id is in use")
            } else {
                not_written(error)
            };
            let _ = waiting.answer.send(Err(answer));
        }
    }

    /// After a commit that failed half way, its pages may lie in the WAL and come to life when the next process
    /// recovers it. A further commit overwrites them; when that has succeeded, what can be read is what holds.
    fn settle_all(&mut self, batch: Vec<WaitingAppend>, error: &LogError) {
        let is_settled = in_transaction(&self.connection, |connection| {
            connection.execute("UPDATE log_head SET position = position", [])?;
            Ok(())
        })
        .is_ok();
        for waiting in batch {
            let answer = if is_settled {
                append::settle(&self.connection, &waiting.append)
            } else {
                Err(AppendError::OutcomeUnknown(StorageFault::new(error)))
            };
            let _ = waiting.answer.send(answer);
        }
    }
}

/// Runs `work` in a transaction of its own; after an error nothing of it is kept.
pub(super) fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, LogError>,
) -> Result<T, LogError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let done = work(connection).and_then(|done| {
        connection.execute_batch("COMMIT")?;
        Ok(done)
    });
    if done.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::sqlite::schema;
    use crate::testing::TempDir;
    use crate::testing::event_log::{an_append, new_stream};
    use crate::{ExpectedVersion, Position, Version};

    fn writer(dir: &TempDir) -> Writer {
        let path = schema::prepare(dir.path(), "log.db").expect("a file");
        let connection = schema::open_log(&path, None).expect("a log");
        Writer {
            connection,
            heads: Heads::default(),
            tail: Arc::new(Tail::new(Position::START)),
            measures: AppendMeasures::new(),
            durability: Durability::AtOnce,
        }
    }

    #[test]
    fn an_append_waits_for_the_disk_whatever_came_before_it() {
        const FULL: i64 = 2;
        const NORMAL: i64 = 1;
        let dir = TempDir::new();
        let mut writer = writer(&dir);
        let level = |connection: &Connection| {
            let level = connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
            level.expect("a level")
        };
        let connection = writer.with(Durability::WithTheNext).expect("the connection");
        assert_eq!(level(connection), NORMAL);
        let (waiting, _answered) = waiting(an_append(&new_stream(), ExpectedVersion::NoStream, 1));
        assert!(writer.try_append_all(&[waiting]).is_ok());
        assert_eq!(level(&writer.connection), FULL);
    }

    fn waiting(append: Append) -> (WaitingAppend, oneshot::Receiver<Result<Appended, AppendError>>) {
        let (answer, answered) = oneshot::channel();
        (WaitingAppend { append, answer }, answered)
    }

    fn a_fault() -> LogError {
        LogError::Unavailable(StorageFault::new("the disk did not answer"))
    }

    #[test]
    fn a_commit_that_failed_and_happened_all_the_same_is_answered_as_done() {
        let dir = TempDir::new();
        let mut writer = writer(&dir);
        let (waiting, mut answered) = waiting(an_append(&new_stream(), ExpectedVersion::NoStream, 2));
        let batch = vec![waiting];
        assert!(writer.try_append_all(&batch).is_ok());
        writer.explain_all(batch, &BatchFault::InCommit(a_fault()));
        let appended = answered.try_recv().expect("an answer").expect("it happened");
        assert_eq!((appended.version, appended.events.len()), (Version(2), 2));
    }

    #[test]
    fn a_commit_that_failed_is_settled_before_it_is_called_undone() {
        let dir = TempDir::new();
        let mut writer = writer(&dir);
        let (waiting, mut answered) = waiting(an_append(&new_stream(), ExpectedVersion::NoStream, 2));
        let batch = vec![waiting];
        assert!(writer.write_all(&batch).is_ok());
        writer.roll_back();
        writer.explain_all(batch, &BatchFault::InCommit(a_fault()));
        assert!(matches!(
            answered.try_recv().expect("an answer"),
            Err(AppendError::Unavailable(_))
        ));
    }

    #[test]
    fn a_commit_that_cannot_be_settled_is_called_unknown() {
        let dir = TempDir::new();
        let mut writer = writer(&dir);
        let (waiting, mut answered) = waiting(an_append(&new_stream(), ExpectedVersion::NoStream, 2));
        writer
            .connection
            .pragma_update(None, "query_only", true)
            .expect("nothing can be written now");
        writer.explain_all(vec![waiting], &BatchFault::InCommit(a_fault()));
        assert!(matches!(
            answered.try_recv().expect("an answer"),
            Err(AppendError::OutcomeUnknown(_))
        ));
    }

    #[test]
    fn what_is_remembered_of_a_transaction_is_forgotten_with_it() {
        let dir = TempDir::new();
        let mut writer = writer(&dir);
        let stream = new_stream();
        for expected_position in [1, 1] {
            let (waiting, _) = waiting(an_append(&stream, ExpectedVersion::NoStream, 1));
            let answers = writer.write_all(&[waiting]).expect("it is written");
            let appended = answers
                .into_iter()
                .next()
                .expect("an answer")
                .expect("there is no such stream");
            assert_eq!(appended.position, Position(expected_position));
            writer.roll_back();
        }
    }
}
