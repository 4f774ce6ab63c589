//! The gate that every request with a session passes.
//!
//! A session is let through only when the view of accounts says so **and** that view has reached the last version of the
//! account's stream that this process knows of. A view that lags, is empty, or cannot be read lets nobody through.
//!
//! What this process knows of: its own appends, at once, before they are answered ([`SessionGate::note`]); appends of
//! other processes, as soon as the log's head is seen to move (within about 20 ms); and the stream's head in the log, when
//! an account is seen for the first time. Before a token that the view does not know is refused, everything that is in the log at
//! that moment is taken into account, so a session holds at every process once its token was given out. A process
//! that has not heard of the log for some seconds cannot know of revocations, and lets nobody through. Before the view has reached the head that the log had at start, nobody passes.
//!
//! What was let through is remembered with the version that said so. As long as everything that this process has noticed in the
//! log is taken into account and no later version of the account is among it, the view could only say the same, and is read again
//! for one request in some milliseconds only: that tells whether there is a view still. One that was emptied or put back lets
//! nobody through from then on.
//!
//! When a session was last used is kept in this process only, to the minute. After a restart every session counts as used
//! at the start, so idle expiry can be late by one run of the process, and the absolute expiry is not touched.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Role, SessionHash, account::LiveSession};
use eventing::{EventFilter, EventLog, LogError, Position, RecordedEvent, StreamId, Version};
use parking_lot::Mutex;
use projectors::{ProjectionKind, SessionView, Until, ViewError, ViewReader, Viewed};
use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::clock;

/// Accounts of which the newest version is remembered; a forgotten one is looked up in the log again.
const ACCOUNTS_MAX: usize = 100_000;
/// Sessions of which the last use is remembered.
const SESSIONS_MAX: usize = 1_000_000;
/// Sessions of which it is remembered what they may do.
const CURRENT_MAX: usize = 100_000;
/// For so long after a view let a session through the views count as there: as long as another process's append may go unnoticed,
/// roughly.
const VIEW_TRUST: Duration = Duration::from_millis(5);
/// The last use is remembered to this precision.
const LAST_SEEN_STEP: TimeDelta = TimeDelta::minutes(1);
/// For so long after an account's stream moved, a token that nobody knows may belong to it.
const RECENT: Duration = Duration::from_secs(10);
/// Moves remembered for that purpose.
const RECENT_MAX: usize = 4_096;
/// A process that has not heard of the log for so long lets nobody through: a session may have been ended elsewhere.
const LOG_SILENCE_MAX: Duration = Duration::from_secs(2);
/// Records read from the log at a time.
const PAGE: usize = 1_000;

/// Decides who is let through. Cheap to clone.
#[derive(Clone)]
pub struct SessionGate(Arc<Inner>);

struct Inner {
    log: EventLog,
    views: ViewReader,
    wait: Duration,
    head_at_start: Position,
    started_at: DateTime<Utc>,
    has_started: AtomicBool,
    /// The newest version of an account's stream that is known; 0 until the log was asked.
    newest: Cache<AccountId, Arc<AtomicU64>>,
    recent: Mutex<VecDeque<(Instant, AccountId, Version)>>,
    /// Every append to an account up to here is noted.
    followed: watch::Sender<Position>,
    /// The head that was read last, and when that began.
    last_head: tokio::sync::Mutex<Option<(Instant, Position)>>,
    last_seen: Cache<SessionHash, DateTime<Utc>>,
    /// The log's head, as noticed.
    head: watch::Receiver<Position>,
    /// Sessions that were let through, each as of the newest version of its account at that moment.
    current: Cache<SessionHash, Viewed<SessionView>>,
    /// When the views were asked last that let a session through.
    confirmed: Mutex<Option<Instant>>,
}

/// A session that was let through.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Whose session it is.
    pub account: AccountId,
    /// What the account may do now.
    pub role: Role,
    /// The session.
    pub session: LiveSession,
}

/// Why a request was not let through.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// There is no such session, or it is over.
    #[error("no such session")]
    NoSession,
    /// The view of accounts has not caught up with what is known of the account, or not with the start.
    #[error("the view of accounts has not caught up")]
    Behind,
    /// The view cannot be read.
    #[error("the view of accounts cannot be read")]
    View(#[source] ViewError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[source] LogError),
}

impl From<ViewError> for NotAdmitted {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Late | ViewError::NotBuilt(_) | ViewError::BeingRebuilt(_) => Self::Behind,
            other => Self::View(other),
        }
    }
}

impl SessionGate {
    /// A gate that opens when the view of accounts has reached `head_at_start`, the log's head now.
    #[must_use]
    pub fn new(log: EventLog, views: ViewReader, head_at_start: Position, wait: Duration) -> Self {
        Self(Arc::new(Inner {
            head: log.subscribe_head(),
            log,
            views,
            wait,
            head_at_start,
            started_at: clock::now(),
            has_started: AtomicBool::new(false),
            newest: Cache::new(ACCOUNTS_MAX),
            recent: Mutex::default(),
            followed: watch::Sender::new(head_at_start),
            last_head: tokio::sync::Mutex::default(),
            last_seen: Cache::new(SESSIONS_MAX),
            current: Cache::new(CURRENT_MAX),
            confirmed: Mutex::default(),
        }))
    }

    /// Takes note that the stream of `account` has got to `version`. Must be called before an append to it is answered.
    pub fn note(&self, account: AccountId, version: Version) {
        self.newest(account).fetch_max(version.0, Ordering::AcqRel);
        let mut recent = self.0.recent.lock();
        if recent.len() == RECENT_MAX {
            recent.pop_front();
        }
        recent.push_back((Instant::now(), account, version));
    }

    /// Whether the view has reached the head that the log had at start.
    ///
    /// # Errors
    /// [`ViewError`] when the view cannot be read.
    pub async fn has_started(&self) -> Result<bool, ViewError> {
        if self.0.has_started.load(Ordering::Acquire) {
            return Ok(true);
        }
        let reached = match self.0.views.checkpoint(ProjectionKind::Accounts).await {
            Ok(checkpoint) => checkpoint >= self.0.head_at_start,
            Err(ViewError::NotBuilt(_)) => self.0.head_at_start == Position::START,
            Err(error) => return Err(error),
        };
        if reached {
            self.0.has_started.store(true, Ordering::Release);
        }
        Ok(reached)
    }

    /// Lets a session through, or not; waits a bounded time for a view that lags.
    ///
    /// # Errors
    /// [`NotAdmitted`]: nobody may be served in this session's name now.
    pub async fn admit(&self, hash: &SessionHash) -> Result<Admitted, NotAdmitted> {
        if !self.0.log.is_heard_within(LOG_SILENCE_MAX) {
            return Err(NotAdmitted::Behind);
        }
        if let Some(current) = self.remembered(hash) {
            return self.check_time(current.view);
        }
        let asked_at = Instant::now();
        let deadline = asked_at + self.0.wait;
        self.wait_for_start(deadline).await?;
        let found = match self.look(hash).await? {
            Some(found) => found,
            None => {
                self.wait_for_follower(deadline).await?;
                self.wait_for_recent(deadline).await?;
                self.look(hash).await?.ok_or(NotAdmitted::NoSession)?
            }
        };
        let current = self.bring_up_to_date(hash, found, deadline).await?;
        self.0.current.insert(*hash, current.clone());
        let mut confirmed = self.0.confirmed.lock();
        *confirmed = (*confirmed).max(Some(asked_at));
        drop(confirmed);
        self.check_time(current.view)
    }

    /// As [`admit`](Self::admit), with everything taken into account that is in the log up to `position`: for those who are
    /// about to be told what is there.
    ///
    /// # Errors
    /// [`NotAdmitted`]: nobody may be served in this session's name now.
    pub async fn admit_as_of(&self, hash: &SessionHash, position: Position) -> Result<Admitted, NotAdmitted> {
        let mut followed = self.0.followed.subscribe();
        let reached = followed.wait_for(|followed| *followed >= position);
        match timeout_at(Instant::now() + self.0.wait, reached).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err(NotAdmitted::Behind),
        }
        self.admit(hash).await
    }

    /// A session that was let through, if nothing is known to have happened to its account or to the views since.
    fn remembered(&self, hash: &SessionHash) -> Option<Viewed<SessionView>> {
        let confirmed = *self.0.confirmed.lock();
        confirmed.filter(|at| at.elapsed() <= VIEW_TRUST)?;
        let current = self.0.current.get(hash)?;
        // First that everything is noted, then what is: otherwise an append could come to be noticed in between.
        let is_all_noted = *self.0.followed.borrow() >= *self.0.head.borrow();
        let newest = self.newest(current.view.account).load(Ordering::Acquire);
        // 0 says that nothing is known.
        (is_all_noted && newest > 0 && current.version.0 >= newest).then_some(current)
    }

    async fn look(&self, hash: &SessionHash) -> Result<Option<Viewed<SessionView>>, NotAdmitted> {
        match self.0.views.session(hash).await {
            Err(ViewError::NotBuilt(_)) => Ok(None),
            other => Ok(other?),
        }
    }

    async fn wait_for_start(&self, deadline: Instant) -> Result<(), NotAdmitted> {
        if self.has_started().await? {
            return Ok(());
        }
        self.0
            .views
            .wait_for_checkpoint(ProjectionKind::Accounts, self.0.head_at_start, deadline)
            .await?;
        Ok(())
    }

    /// The session as of the newest version that is known of its account.
    async fn bring_up_to_date(
        &self,
        hash: &SessionHash,
        found: Viewed<SessionView>,
        deadline: Instant,
    ) -> Result<Viewed<SessionView>, NotAdmitted> {
        let account = found.view.account;
        let newest = self.newest_version(account).await?;
        if found.version >= newest {
            return Ok(found);
        }
        self.wait_for_version(account, newest, deadline).await?;
        self.look(hash)
            .await?
            .filter(|found| found.version >= newest)
            .ok_or(NotAdmitted::NoSession)
    }

    async fn newest_version(&self, account: AccountId) -> Result<Version, NotAdmitted> {
        let newest = self.newest(account);
        let known = newest.load(Ordering::Acquire);
        if known > 0 {
            return Ok(Version(known));
        }
        let head = self
            .0
            .log
            .stream_head(&account_stream(account))
            .await
            .map_err(NotAdmitted::Log)?;
        let version = head.map_or(0, |head| head.version.0);
        Ok(Version(newest.fetch_max(version, Ordering::AcqRel).max(version)))
    }

    /// A token that the view does not know may have been given out by another process: waits until everything that is in
    /// the log now is noted.
    async fn wait_for_follower(&self, deadline: Instant) -> Result<(), NotAdmitted> {
        let head = self.head_now().await?;
        let mut followed = self.0.followed.subscribe();
        match timeout_at(deadline, followed.wait_for(|followed| *followed >= head)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotAdmitted::Behind),
        }
    }

    /// The log's head, read after this was called. However many ask at once, one of them reads for all: whoever sends made-up
    /// tokens must not keep the log busy.
    async fn head_now(&self) -> Result<Position, NotAdmitted> {
        let asked_at = Instant::now();
        let mut last = self.0.last_head.lock().await;
        if let Some((read_at, head)) = *last
            && read_at >= asked_at
        {
            return Ok(head);
        }
        let read_at = Instant::now();
        let head = self.0.log.head().await.map_err(NotAdmitted::Log)?;
        *last = Some((read_at, head));
        Ok(head)
    }

    /// A token that the view does not know may have been given out a moment ago: waits for the accounts that moved.
    async fn wait_for_recent(&self, deadline: Instant) -> Result<(), NotAdmitted> {
        let moved: Vec<_> = {
            let mut recent = self.0.recent.lock();
            recent.retain(|(at, ..)| at.elapsed() < RECENT);
            recent
                .iter()
                .map(|(_, account, version)| (*account, *version))
                .collect()
        };
        for (account, version) in moved {
            self.wait_for_version(account, version, deadline).await?;
        }
        Ok(())
    }

    async fn wait_for_version(
        &self,
        account: AccountId,
        version: Version,
        deadline: Instant,
    ) -> Result<(), NotAdmitted> {
        let stream = account_stream(account);
        Ok(self
            .0
            .views
            .wait_for(
                ProjectionKind::Accounts,
                &stream,
                Until::Version(version),
                deadline,
            )
            .await?)
    }

    fn check_time(&self, found: SessionView) -> Result<Admitted, NotAdmitted> {
        let SessionView {
            account,
            role,
            session,
        } = found;
        let now = clock::now();
        if is_over(&session, self.last_used(&session), now) {
            return Err(NotAdmitted::NoSession);
        }
        self.touch(&session.session, now);
        Ok(Admitted {
            account,
            role,
            session,
        })
    }

    /// Drops what is remembered of the sessions of somebody who is forgotten. That their stream has moved stays known, so that
    /// nobody is let in on an old view.
    pub fn forget(&self, account: AccountId) {
        self.0.current.retain(|hash, known| {
            let is_theirs = known.view.account == account;
            if is_theirs {
                self.0.last_seen.remove(hash);
            }
            !is_theirs
        });
    }

    /// When a session was last used, as far as this process knows.
    #[must_use]
    pub fn last_used(&self, session: &LiveSession) -> DateTime<Utc> {
        let seen = self
            .0
            .last_seen
            .get(&session.session)
            .unwrap_or(self.0.started_at);
        seen.max(session.signed_in_at)
    }

    /// Whether the time of a session that no event ended is not over.
    #[must_use]
    pub fn is_live(&self, session: &LiveSession, now: DateTime<Utc>) -> bool {
        !is_over(session, self.last_used(session), now)
    }

    fn touch(&self, hash: &SessionHash, now: DateTime<Utc>) {
        if self
            .0
            .last_seen
            .get(hash)
            .is_none_or(|seen| now - seen >= LAST_SEEN_STEP)
        {
            self.0.last_seen.insert(*hash, now);
        }
    }

    fn newest(&self, account: AccountId) -> Arc<AtomicU64> {
        let unknown = || Ok::<_, Infallible>(Arc::new(AtomicU64::new(0)));
        match self.0.newest.get_or_insert_with(&account, unknown) {
            Ok(newest) => newest,
            Err(never) => match never {},
        }
    }

    /// Follows the log for appends of other processes to accounts. Ends only by being dropped.
    pub async fn follow(self) {
        let mut head = self.0.log.subscribe_head();
        let mut after = self.0.head_at_start;
        loop {
            let seen = *head.borrow_and_update();
            match self.note_appends(after, seen).await {
                Ok(reached) => {
                    after = reached;
                    self.0.followed.send_replace(reached);
                }
                Err(error) => {
                    tracing::warn!(error = %error, "the log could not be followed for sessions; trying again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            }
            if after >= seen && head.changed().await.is_err() {
                return;
            }
        }
    }

    async fn note_appends(&self, after: Position, seen: Position) -> Result<Position, LogError> {
        let recent = self.0.log.recent_after(after, PAGE);
        if let Some(last) = recent.last() {
            recent.iter().for_each(|event| self.note_append(event));
            return Ok(last.position);
        }
        let category = Some(AccountId::CATEGORY.to_owned());
        let filter = EventFilter {
            category,
            ..EventFilter::after(after, PAGE)
        };
        let events = self.0.log.read_filtered(filter).await?;
        events.iter().for_each(|event| self.note_append(event));
        let last = events.last().map_or(after, |event| event.position);
        Ok(if events.len() < PAGE { last.max(seen) } else { last })
    }

    fn note_append(&self, event: &RecordedEvent) {
        if event.stream.category() == AccountId::CATEGORY {
            self.note(AccountId::new(event.stream.uuid()), event.version);
        }
    }
}

fn is_over(session: &LiveSession, last_used: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let idle = TimeDelta::seconds(i64::from(session.idle_ttl_s));
    now >= session.expires_at || now - last_used >= idle
}

/// The stream of an account.
#[must_use]
pub fn account_stream(account: AccountId) -> StreamId {
    StreamId::new(AccountId::CATEGORY, account.uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> LiveSession {
        let signed_in_at = DateTime::UNIX_EPOCH;
        let expires_at = signed_in_at + TimeDelta::days(90);
        LiveSession {
            session: SessionHash::of("t"),
            signed_in_at,
            idle_ttl_s: 100,
            expires_at,
        }
    }

    #[test]
    fn a_session_ends_when_it_is_idle_or_old() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        assert!(!is_over(&session(), at(0), at(99)));
        assert!(is_over(&session(), at(0), at(100)));
        assert!(!is_over(&session(), at(50), at(100)));
        let last = 90 * 24 * 3600;
        assert!(!is_over(&session(), at(last - 2), at(last - 1)));
        assert!(is_over(&session(), at(last - 1), at(last)));
    }
}
