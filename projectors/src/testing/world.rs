//! A log, keys and views in temporary folders.

use std::{collections::BTreeMap, sync::Arc};

use domain::{AccountId, Event};
use eventing::{
    Append, Body, EventLog, ExpectedVersion, Keys, LogConfig, MasterKey, Metadata, NewEvent, Position,
    RecordedEvent, SchemaVersion, StreamId, SubjectId, Version,
    consumer::{Handler, Run, Verdict},
    record::seal_context,
};
use tempfile::TempDir;

use crate::{ProjectionHandler, ProjectionKind, ViewReader, ViewStore};

/// A log, keys and views in a temporary folder. Its functions panic when something fails: a test has nothing to do then.
#[derive(Debug)]
pub struct World {
    /// The event log.
    pub log: EventLog,
    /// The subject keys.
    pub keys: Keys,
    /// The views.
    pub store: ViewStore,
    dir: TempDir,
}

const PAGE: usize = 1_000;

impl World {
    /// An empty world.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let log = EventLog::open(LogConfig::new(dir.path()))
            .await
            .expect("an empty log can be made");
        let keys = Keys::open(dir.path(), MasterKey::random())
            .await
            .expect("an empty key ring can be made");
        let store = ViewStore::open(dir.path().join("views")).expect("an empty view store can be made");
        Self {
            log,
            keys,
            store,
            dir,
        }
    }

    /// An empty world whose views lie in `store`.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub async fn with_views(store: ViewStore) -> Self {
        Self {
            store,
            ..Self::new().await
        }
    }

    /// The folder that everything lies in.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Reads the views.
    #[must_use]
    pub fn reader(&self) -> ViewReader {
        self.store.reader()
    }

    /// A handler of all projections.
    ///
    /// # Panics
    /// When the view store cannot be written.
    #[must_use]
    pub fn handler(&self) -> ProjectionHandler {
        self.handler_of(&ProjectionKind::ALL)
    }

    /// A handler of some projections.
    ///
    /// # Panics
    /// When the view store cannot be written.
    #[must_use]
    pub fn handler_of(&self, kinds: &[ProjectionKind]) -> ProjectionHandler {
        ProjectionHandler::new(self.store.clone(), self.keys.clone(), "test", kinds)
            .expect("generations can be made")
    }

    /// Appends events about `subject`, sealed, to the end of a stream.
    ///
    /// # Panics
    /// When they cannot be appended.
    pub async fn append(
        &self,
        stream: &StreamId,
        subject: Option<AccountId>,
        events: impl IntoIterator<Item = impl Into<Event>>,
    ) -> Vec<RecordedEvent> {
        let encoded = events.into_iter().map(|event| event.into().encode());
        let events = encoded.map(|event| {
            NewEvent::new(
                event.event_type,
                SchemaVersion(event.schema_version),
                event.payload,
            )
        });
        self.append_raw(stream, subject, events.collect()).await
    }

    /// Appends events as they are, but sealed when they are about somebody.
    ///
    /// # Panics
    /// When they cannot be appended.
    pub async fn append_raw(
        &self,
        stream: &StreamId,
        subject: Option<AccountId>,
        mut events: Vec<NewEvent>,
    ) -> Vec<RecordedEvent> {
        let subject = subject.map(|account| SubjectId(account.uuid()));
        let head = self.log.stream_head(stream).await.expect("the log can be read");
        let version = head.map_or(Version::NONE, |head| head.version);
        if let Some(subject) = subject {
            self.keys.create(subject).await.expect("a key can be made");
            let mut next = version;
            for event in &mut events {
                next = next.next();
                self.seal(subject, stream, next, event).await;
            }
        }
        let expected = if version == Version::NONE {
            ExpectedVersion::NoStream
        } else {
            ExpectedVersion::Exactly(version)
        };
        let metadata = Metadata {
            subject,
            ..Metadata::new()
        };
        let append = Append::new(stream.clone(), expected, events, metadata);
        self.log
            .append(append)
            .await
            .expect("the events can be appended")
            .events
    }

    async fn seal(&self, subject: SubjectId, stream: &StreamId, version: Version, event: &mut NewEvent) {
        let Body::Open(payload) = &event.body else { return };
        let context = seal_context(event.id, stream, version, &event.event_type);
        let sealed = self
            .keys
            .seal(subject, context.as_bytes(), payload)
            .await
            .expect("the payload can be sealed");
        event.body = Body::Sealed(sealed);
    }

    /// Destroys a person's key.
    ///
    /// # Panics
    /// When it cannot be destroyed.
    pub async fn destroy_key(&self, account: AccountId) {
        self.keys
            .destroy(SubjectId(account.uuid()))
            .await
            .expect("the key can be destroyed");
    }

    /// Hands `handler` everything behind its checkpoint, as a consumer does, and answers every verdict.
    ///
    /// # Panics
    /// When the log or the views cannot be read.
    pub async fn catch_up(&self, handler: &ProjectionHandler) -> Vec<(StreamId, Verdict)> {
        let mut after = handler.checkpoint().await.expect("the checkpoint can be read");
        let mut all = Vec::new();
        loop {
            let events = self
                .log
                .read_after(after, PAGE)
                .await
                .expect("the log can be read");
            let Some(last) = events.last().map(|event| event.position) else {
                return all;
            };
            all.append(&mut self.hand_over(handler, events, Some(last)).await);
            after = last;
        }
    }

    /// Hands `handler` events of the log in runs, but for those it has applied.
    ///
    /// # Panics
    /// When the views cannot be read.
    pub async fn hand_over(
        &self,
        handler: &ProjectionHandler,
        events: Vec<RecordedEvent>,
        caught_up_to: Option<Position>,
    ) -> Vec<(StreamId, Verdict)> {
        let mut runs = BTreeMap::<StreamId, Vec<Arc<RecordedEvent>>>::new();
        for event in events.into_iter().filter(|event| handler.wants(&event.stream)) {
            runs.entry(event.stream.clone())
                .or_default()
                .push(Arc::new(event));
        }
        let streams: Vec<_> = runs.keys().cloned().collect();
        let applied = handler.applied(&streams).await.expect("the views can be read");
        let runs: Vec<_> = runs
            .into_iter()
            .zip(applied)
            .map(|((stream, mut events), applied)| {
                events.retain(|event| event.version > applied);
                Run { stream, events }
            })
            .filter(|run| !run.events.is_empty())
            .collect();
        let streams: Vec<_> = runs.iter().map(|run| run.stream.clone()).collect();
        let verdicts = handler.handle(runs).await;
        let is_stored = |verdict: &Verdict| !matches!(verdict, Verdict::RetryAfter(_) | Verdict::Halt(_));
        if let Some(position) = caught_up_to.filter(|_| verdicts.iter().all(is_stored)) {
            // A rebuild that is just switching refuses it, and the consumer asks again, as here.
            let mut refusals = 0;
            while let Err(error) = handler.store_checkpoint(position).await {
                refusals += 1;
                assert!(refusals < 100, "the checkpoint cannot be stored: {error:?}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        streams.into_iter().zip(verdicts).collect()
    }
}
