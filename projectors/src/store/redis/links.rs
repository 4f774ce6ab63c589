//! Connections, each used by one thread at a time, with a breaker before them.
//!
//! After a failure calls fail at once for a moment, and then one probes: an outage costs a few threads their patience,
//! not all of them.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use redis::{Client, Connection, ErrorKind, RedisError, RedisResult, ServerErrorKind};

use super::{
    super::{StoreStatus, ViewError},
    RedisConfig,
};

/// How long calls fail at once after one has failed.
const PAUSE: Duration = Duration::from_millis(250);

/// The connections of one process.
pub(super) struct Links {
    client: Client,
    config: RedisConfig,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Link>,
    open: usize,
    failure: Option<Failure>,
    /// The server's own name of its run, and how many were seen.
    run: (String, u64),
    /// Connections of an earlier epoch are of no use.
    epoch: u64,
}

struct Failure {
    why: String,
    again_at: Instant,
}

struct Link {
    connection: Connection,
    run: u64,
    epoch: u64,
    is_fresh: bool,
}

/// An answer, and by which run of the server it was given.
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) run: u64,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Links {
    pub(super) fn new(config: RedisConfig) -> RedisResult<Self> {
        Ok(Self {
            client: Client::open(config.connection_info()?)?,
            config,
            state: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    pub(super) fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// A connection outside of the pool.
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.config.timeout)?;
        connection.set_read_timeout(Some(self.config.timeout))?;
        connection.set_write_timeout(Some(self.config.timeout))?;
        Ok(connection)
    }

    /// Whether the last call went well, or why not.
    pub(super) fn status(&self) -> StoreStatus {
        match &self.state.lock().failure {
            None => StoreStatus::Connected,
            Some(failure) => StoreStatus::Unavailable(failure.why.clone()),
        }
    }

    /// Asks whether the server answers, as any call does, so that its status is known where nothing else calls.
    pub(super) fn probe(&self) {
        // Its outcome is the status.
        let _ = self.call(|connection| redis::cmd("PING").exec(connection));
    }

    /// Does `work` on a connection. On one that had been idle, which the server may have closed long ago, a second time
    /// on a new one; so `work` must be such that doing it twice is as good as once.
    pub(super) fn call<T>(
        &self,
        work: impl Fn(&mut Connection) -> RedisResult<T>,
    ) -> Result<Answer<T>, ViewError> {
        self.call_in_run(|connection, _| work(connection))
    }

    /// As [`call`](Self::call), for work that must know which run of the server it speaks to.
    pub(super) fn call_in_run<T>(
        &self,
        work: impl Fn(&mut Connection, u64) -> RedisResult<T>,
    ) -> Result<Answer<T>, ViewError> {
        loop {
            let mut link = self.take()?;
            match work(&mut link.connection, link.run) {
                Ok(value) => {
                    let run = link.run;
                    self.give_back(link);
                    return Ok(Answer { value, run });
                }
                Err(error) if !breaks(&error) => {
                    self.give_back(link);
                    return Err(self.explain(error));
                }
                Err(error) => {
                    let is_again = !link.is_fresh && !error.is_timeout();
                    self.lose(link, (!is_again).then_some(&error));
                    if !is_again {
                        return Err(self.explain(error));
                    }
                }
            }
        }
    }

    fn take(&self) -> Result<Link, ViewError> {
        let deadline = Instant::now() + self.config.timeout;
        let mut state = self.state.lock();
        loop {
            state.refuse_while_broken()?;
            if let Some(link) = state.idle.pop() {
                return Ok(link);
            }
            if state.open < self.config.connections_max {
                state.open += 1;
                return self.open(state);
            }
            if self.freed.wait_until(&mut state, deadline).timed_out() {
                return Err(ViewError::unavailable("every connection to Redis is in use"));
            }
        }
    }

    fn open(&self, mut state: MutexGuard<'_, State>) -> Result<Link, ViewError> {
        if let Some(failure) = &mut state.failure {
            // This call is the probe; the others go on failing until it is back.
            failure.again_at = Instant::now() + self.config.timeout + PAUSE;
        }
        let opened = MutexGuard::unlocked(&mut state, || {
            let mut connection = self.connect()?;
            let run = run_id(&mut connection)?;
            Ok((connection, run))
        });
        match opened {
            Ok((connection, run)) => {
                state.failure = None;
                let run = state.count_run(run);
                let epoch = state.epoch;
                Ok(Link {
                    connection,
                    run,
                    epoch,
                    is_fresh: true,
                })
            }
            Err(error) => {
                state.open -= 1;
                state.fail(&error);
                self.freed.notify_all();
                Err(self.explain(error))
            }
        }
    }

    fn give_back(&self, mut link: Link) {
        let mut state = self.state.lock();
        if link.epoch == state.epoch {
            state.failure = None;
            link.is_fresh = false;
            state.idle.push(link);
        } else {
            state.open -= 1;
        }
        self.freed.notify_one();
    }

    /// The other idle connections are most likely dead too.
    fn lose(&self, _link: Link, failure: Option<&RedisError>) {
        let mut state = self.state.lock();
        state.open -= 1 + state.idle.len();
        state.idle.clear();
        state.epoch += 1;
        if let Some(error) = failure {
            state.fail(error);
        }
        self.freed.notify_all();
    }

    pub(super) fn explain(&self, error: RedisError) -> ViewError {
        match error.code() {
            Some("OOM") => ViewError::Full(error.into()),
            Some("READONLY") => ViewError::ReadOnly(self.config.address()),
            Some("FENCED") => ViewError::Switching,
            _ => ViewError::unavailable(error),
        }
    }
}

impl State {
    fn refuse_while_broken(&self) -> Result<(), ViewError> {
        match &self.failure {
            Some(failure) if Instant::now() < failure.again_at => Err(ViewError::unavailable(format!(
                "Redis failed a moment ago: {}",
                failure.why
            ))),
            _ => Ok(()),
        }
    }

    fn fail(&mut self, error: &RedisError) {
        self.failure = Some(Failure {
            why: error.to_string(),
            again_at: Instant::now() + PAUSE,
        });
    }

    fn count_run(&mut self, run: String) -> u64 {
        if self.run.0 != run {
            self.run = (run, self.run.1 + 1);
        }
        self.run.1
    }
}

/// Whether the connection is of no use any more, or the server is not.
fn breaks(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Parse | ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown)
        )
}

/// Redis names each of its runs. A restart, or another server in its place, is another run.
fn run_id(connection: &mut Connection) -> RedisResult<String> {
    let info: String = redis::cmd("INFO").arg("server").query(connection)?;
    Ok(field(&info, "run_id").unwrap_or_default().to_owned())
}

/// A field of what INFO says.
pub(super) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':').map(str::trim);
    info.lines().find_map(line)
}
