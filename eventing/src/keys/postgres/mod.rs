//! The wrapped keys in PostgreSQL, which several processes share.
//!
//! A thread of its own owns the connection, so that threads which may block can ask it, and threads which may not never
//! have to: whose keys were destroyed it finds out by itself, every [`POLL_INTERVAL`].

pub(super) mod rotation;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_postgres::Client;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::published::PublishedRow;
use super::sealing::DataKey;
use super::store::Remembered;
use super::wrapping::{PEPPER_CONTEXT, Wrapper};
use super::{DestroyedKey, KeyError, MasterKey};
use crate::append::StorageFault;
use crate::ids::SubjectId;
use crate::log::PostgresConfig;
use crate::record::{from_micros, now_micros};

/// How often destructions by other processes are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// When that has not worked for so long, keys in memory are not used any more: they may have been destroyed.
const BLIND_LIMIT: Duration = Duration::from_secs(5);
/// How long one request may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Keys in the schema `segue_keys`.
pub(super) struct PostgresStore {
    requests: UnboundedSender<Request>,
    destroyed: Arc<Destroyed>,
    wrapper: Wrapper,
    /// The pepper as it lies in the database: another one says that the master key was rotated.
    wrapped_pepper: Vec<u8>,
}

/// What is known of destroyed keys.
struct Destroyed {
    all: Mutex<HashSet<SubjectId>>,
    looked_at: Mutex<Instant>,
}

type Answer<T> = mpsc::Sender<Result<T, KeyError>>;

enum Request {
    /// Stores a wrapped pepper if there is none, and gives the one that is there.
    Pepper(Vec<u8>, Answer<Vec<u8>>),
    /// Stores a wrapped key if there is none, provided the wrapped pepper is this one, and gives the key that is there.
    Create(SubjectId, Vec<u8>, Vec<u8>, Answer<Vec<u8>>),
    Load(SubjectId, Answer<Vec<u8>>),
    Destroy(SubjectId, Answer<()>),
    /// Everybody whose key was destroyed.
    Destroyed(Answer<Vec<DestroyedKey>>),
    /// Remembers a checkpoint, unless a larger one is.
    Publish(PublishedRow, Answer<()>),
    /// The remembered checkpoint.
    Published(Answer<Option<PublishedRow>>),
    /// Forgets the remembered checkpoint.
    Unpublish(Answer<()>),
    /// Remembers a retired audit key.
    Retire(String, Answer<()>),
    /// The retired audit keys.
    Retired(Answer<Vec<String>>),
}

impl PostgresStore {
    /// Connects, and reads or makes the pepper: that it opens tells that the master key is the right one. Blocks.
    pub(super) fn open(
        config: PostgresConfig,
        master: &MasterKey,
        remembered: Arc<Remembered>,
    ) -> Result<(Self, Zeroizing<[u8; 32]>), KeyError> {
        let destroyed = Arc::new(Destroyed {
            all: Mutex::default(),
            looked_at: Mutex::new(Instant::now()),
        });
        let (requests, queue) = unbounded_channel();
        let keeper = Keeper {
            config,
            client: None,
            last_destroyed: 0,
            destroyed: Arc::clone(&destroyed),
            remembered,
        };
        start(keeper, queue)?;
        let mut store = Self {
            requests,
            destroyed,
            wrapper: Wrapper::new(master),
            wrapped_pepper: Vec::new(),
        };
        store.wrapped_pepper = store.stored_pepper()?;
        let pepper = store
            .wrapper
            .unwrap(PEPPER_CONTEXT, &store.wrapped_pepper)
            .map_err(|_| KeyError::WrongMasterKey)?;
        Ok((store, pepper))
    }

    pub(super) fn create(&self, subject: SubjectId) -> Result<DataKey, KeyError> {
        let fresh = self.wrapper.wrap_new(subject.0.as_bytes());
        let pepper = self.wrapped_pepper.clone();
        let wrapped = self.ask(|answer| Request::Create(subject, fresh, pepper, answer))?;
        self.data_key(subject, &wrapped)
    }

    pub(super) fn load(&self, subject: SubjectId) -> Result<DataKey, KeyError> {
        let wrapped = self.ask(|answer| Request::Load(subject, answer))?;
        self.data_key(subject, &wrapped)
    }

    pub(super) fn destroy(&self, subject: SubjectId) -> Result<(), KeyError> {
        self.ask(|answer| Request::Destroy(subject, answer))
    }

    pub(super) fn publish(&self, row: PublishedRow) -> Result<(), KeyError> {
        self.ask(|answer| Request::Publish(row, answer))
    }

    pub(super) fn published(&self) -> Result<Option<PublishedRow>, KeyError> {
        self.ask(Request::Published)
    }

    pub(super) fn unpublish(&self) -> Result<(), KeyError> {
        self.ask(Request::Unpublish)
    }

    pub(super) fn retire(&self, key: String) -> Result<(), KeyError> {
        self.ask(|answer| Request::Retire(key, answer))
    }

    pub(super) fn retired(&self) -> Result<Vec<String>, KeyError> {
        self.ask(Request::Retired)
    }

    /// Whether the key is known to be destroyed.
    pub(super) fn is_destroyed(&self, subject: SubjectId) -> bool {
        self.destroyed.all.lock().contains(&subject)
    }

    /// Refuses to go on when it has not been known for too long which keys were destroyed. Does not block.
    pub(super) fn refuse_blind(&self) -> Result<(), KeyError> {
        if self.destroyed.looked_at.lock().elapsed() > BLIND_LIMIT {
            return Err(unavailable("it cannot be told which keys were destroyed"));
        }
        Ok(())
    }

    /// Everybody whose key was destroyed, in that order.
    pub(super) fn destroyed(&self) -> Result<Vec<DestroyedKey>, KeyError> {
        self.ask(Request::Destroyed)
    }

    fn data_key(&self, subject: SubjectId, wrapped: &[u8]) -> Result<DataKey, KeyError> {
        match self.wrapper.unwrap(subject.0.as_bytes(), wrapped) {
            Ok(key) => Ok(DataKey::new(&key)),
            Err(_) if self.stored_pepper()? != self.wrapped_pepper => Err(KeyError::Rotated),
            Err(error) => Err(error),
        }
    }

    /// The wrapped pepper that is there; stores a new one if there is none.
    fn stored_pepper(&self) -> Result<Vec<u8>, KeyError> {
        let fresh = self.wrapper.wrap_new(PEPPER_CONTEXT);
        self.ask(|answer| Request::Pepper(fresh, answer))
    }

    fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, KeyError> {
        let (answer, answered) = mpsc::channel();
        let gone = || unavailable("the keeper of the keys is gone");
        self.requests.send(request(answer)).map_err(|_| gone())?;
        answered.recv_timeout(2 * ANSWER_LIMIT).map_err(|_| gone())?
    }
}

fn unavailable(what: &'static str) -> KeyError {
    KeyError::Unavailable(StorageFault::new(what))
}

fn start(keeper: Keeper, queue: UnboundedReceiver<Request>) -> Result<(), KeyError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| KeyError::Unavailable(StorageFault::new(error)))?;
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || runtime.block_on(keeper.run(queue)))
        .map_err(|error| KeyError::Unavailable(StorageFault::new(error)))?;
    Ok(())
}

/// Who owns the connection.
struct Keeper {
    config: PostgresConfig,
    client: Option<Client>,
    last_destroyed: i64,
    destroyed: Arc<Destroyed>,
    remembered: Arc<Remembered>,
}

impl From<tokio_postgres::Error> for KeyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unavailable(StorageFault::new(
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
        ))
    }
}

impl Keeper {
    /// Answers until nobody can ask any more.
    async fn run(mut self, mut queue: UnboundedReceiver<Request>) {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                request = queue.recv() => match request {
                    Some(request) => self.answer(request).await,
                    None => return,
                },
                _ = ticks.tick() => self.look().await,
            }
        }
    }

    async fn answer(&mut self, request: Request) {
        // Whoever went away does not need the answer.
        match request {
            Request::Pepper(fresh, answer) => {
                let _ = answer.send(self.within(async |client| pepper(client, fresh).await).await);
            }
            Request::Create(subject, fresh, pepper, answer) => {
                let _ = answer.send(
                    self.within(async |client| create(client, subject, fresh, pepper).await)
                        .await,
                );
            }
            Request::Load(subject, answer) => {
                let _ = answer.send(self.within(async |client| load(client, subject).await).await);
            }
            Request::Destroy(subject, answer) => {
                let done = self.within(async |client| destroy(client, subject).await).await;
                if done.is_ok() {
                    self.destroyed.all.lock().insert(subject);
                }
                let _ = answer.send(done);
            }
            Request::Destroyed(answer) => {
                let _ = answer.send(self.within(async |client| all_destroyed(client).await).await);
            }
            Request::Publish(row, answer) => {
                let _ = answer.send(self.within(async |client| publish(client, row).await).await);
            }
            Request::Published(answer) => {
                let _ = answer.send(self.within(async |client| published(client).await).await);
            }
            Request::Unpublish(answer) => {
                let _ = answer.send(self.within(async |client| unpublish(client).await).await);
            }
            Request::Retire(key, answer) => {
                let _ = answer.send(self.within(async |client| retire(client, key).await).await);
            }
            Request::Retired(answer) => {
                let _ = answer.send(self.within(async |client| retired(client).await).await);
            }
        }
    }

    async fn look(&mut self) {
        let last = self.last_destroyed;
        match self
            .within(async |client| destroyed_after(client, last).await)
            .await
        {
            Ok(found) => {
                for (no, subject) in found {
                    self.last_destroyed = no.max(self.last_destroyed);
                    if self.destroyed.all.lock().insert(subject) {
                        self.remembered.remove(&subject);
                    }
                }
                *self.destroyed.looked_at.lock() = Instant::now();
            }
            Err(error) => {
                tracing::debug!(error.message = %error, "it could not be looked for destroyed keys");
            }
        }
    }

    /// Does `work` on the connection, made anew if it is gone. After a failure a new one is made the next time.
    async fn within<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, KeyError>,
    ) -> Result<T, KeyError> {
        let late = || unavailable("the database did not answer in time");
        let kept = self.client.take().filter(|client| !client.is_closed());
        let mut client = match kept {
            Some(client) => client,
            None => timeout(ANSWER_LIMIT, self.config.connect())
                .await
                .map_err(|_| late())??,
        };
        let done = timeout(ANSWER_LIMIT, work(&mut client))
            .await
            .unwrap_or_else(|_| Err(late()));
        if !matches!(done, Err(KeyError::Unavailable(_))) {
            self.client = Some(client);
        }
        done
    }
}

async fn pepper(client: &mut Client, fresh: Vec<u8>) -> Result<Vec<u8>, KeyError> {
    let sql = "INSERT INTO segue_keys.deployment VALUES (1, $1) ON CONFLICT DO NOTHING";
    client.execute(sql, &[&fresh]).await?;
    let row = client
        .query_one("SELECT pepper FROM segue_keys.deployment", &[])
        .await?;
    Ok(row.try_get(0)?)
}

/// Makers and destroyers of one key wait for each other: otherwise a key could be made behind its destruction.
async fn lock(transaction: &tokio_postgres::Transaction<'_>, subject: SubjectId) -> Result<(), KeyError> {
    let (first, _) = subject.0.as_u64_pair();
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&first.cast_signed()])
        .await?;
    Ok(())
}

async fn create(
    client: &mut Client,
    subject: SubjectId,
    fresh: Vec<u8>,
    wrapped_pepper: Vec<u8>,
) -> Result<Vec<u8>, KeyError> {
    let transaction = client.transaction().await?;
    lock(&transaction, subject).await?;
    if is_destroyed(transaction.client(), subject).await? {
        return Err(KeyError::Destroyed(subject));
    }
    let sql = "INSERT INTO segue_keys.subject_keys VALUES ($1, $2) ON CONFLICT DO NOTHING";
    transaction.execute(sql, &[&subject.0, &fresh]).await?;
    // Asked behind the write, which waits for a rotation that runs.
    let pepper = transaction
        .query_one("SELECT pepper FROM segue_keys.deployment", &[])
        .await?;
    if pepper.try_get::<_, Vec<u8>>(0)? != wrapped_pepper {
        return Err(KeyError::Rotated);
    }
    transaction.commit().await?;
    load(client, subject).await
}

async fn load(client: &mut Client, subject: SubjectId) -> Result<Vec<u8>, KeyError> {
    let sql = "SELECT wrapped FROM segue_keys.subject_keys WHERE subject = $1";
    match client.query_opt(sql, &[&subject.0]).await? {
        Some(row) => Ok(row.try_get(0)?),
        None if is_destroyed(client, subject).await? => Err(KeyError::Destroyed(subject)),
        None => Err(KeyError::Missing(subject)),
    }
}

async fn destroy(client: &mut Client, subject: SubjectId) -> Result<(), KeyError> {
    let transaction = client.transaction().await?;
    lock(&transaction, subject).await?;
    transaction
        .execute(
            "DELETE FROM segue_keys.subject_keys WHERE subject = $1",
            &[&subject.0],
        )
        .await?;
    let sql =
        "INSERT INTO segue_keys.destroyed (subject, destroyed_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    transaction.execute(sql, &[&subject.0, &now_micros()]).await?;
    transaction.commit().await?;
    // The deleted row leaves its page now and not whenever the database comes round to it.
    client.batch_execute("VACUUM segue_keys.subject_keys").await?;
    Ok(())
}

async fn publish(client: &mut Client, row: PublishedRow) -> Result<(), KeyError> {
    let sql = "INSERT INTO segue_keys.published_checkpoint AS kept VALUES (1, $1, $2) ON CONFLICT (only_row)
               DO UPDATE SET size = EXCLUDED.size, note = EXCLUDED.note WHERE EXCLUDED.size >= kept.size";
    client.execute(sql, &[&row.size_sql(), &row.note]).await?;
    Ok(())
}

async fn published(client: &mut Client) -> Result<Option<PublishedRow>, KeyError> {
    let sql = "SELECT size, note FROM segue_keys.published_checkpoint";
    let Some(row) = client.query_opt(sql, &[]).await? else {
        return Ok(None);
    };
    let size: i64 = row.try_get(0)?;
    Ok(Some(PublishedRow {
        size: size.unsigned_abs(),
        note: row.try_get(1)?,
    }))
}

async fn unpublish(client: &mut Client) -> Result<(), KeyError> {
    let sql = "DELETE FROM segue_keys.published_checkpoint";
    client.execute(sql, &[]).await?;
    Ok(())
}

async fn retire(client: &mut Client, key: String) -> Result<(), KeyError> {
    let sql = "INSERT INTO segue_keys.retired_audit_keys (key) VALUES ($1) ON CONFLICT (key) DO NOTHING";
    client.execute(sql, &[&key]).await?;
    Ok(())
}

async fn retired(client: &mut Client) -> Result<Vec<String>, KeyError> {
    let sql = "SELECT key FROM segue_keys.retired_audit_keys ORDER BY no";
    let rows = client.query(sql, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn is_destroyed(client: &Client, subject: SubjectId) -> Result<bool, KeyError> {
    let sql = "SELECT 1 FROM segue_keys.destroyed WHERE subject = $1";
    Ok(client.query_opt(sql, &[&subject.0]).await?.is_some())
}

async fn all_destroyed(client: &Client) -> Result<Vec<DestroyedKey>, KeyError> {
    let sql = "SELECT subject, destroyed_at FROM segue_keys.destroyed ORDER BY no";
    let rows = client.query(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(DestroyedKey {
                subject: SubjectId(row.try_get(0)?),
                at: from_micros(row.try_get(1)?),
            })
        })
        .collect()
}

/// Numbers are given before they are committed, so a lower one may come to light later: some are looked at again.
async fn destroyed_after(client: &mut Client, last: i64) -> Result<Vec<(i64, SubjectId)>, KeyError> {
    const LOOKED_AT_AGAIN: i64 = 100;
    let sql = "SELECT no, subject FROM segue_keys.destroyed WHERE no > $1 ORDER BY no";
    let rows = client.query(sql, &[&(last - LOOKED_AT_AGAIN)]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, SubjectId(row.try_get::<_, Uuid>(1)?))))
        .collect()
}
