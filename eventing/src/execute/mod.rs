//! Lets an aggregate decide, and appends what it decided.
//!
//! [`Executor::execute`] takes an [`Order`] through: first answer kept? load, decide, seal, append, and decide
//! again when somebody else was faster. Orders for one stream run one after the other within a process;
//! other processes are met by the version check of the append.
//!
//! Aggregates stay in memory after use, bounded by weight. A kept aggregate is trusted only after the log
//! agreed: the append checks its version, and a rejection or an empty decision is given only when the log's
//! head says that the aggregate was current. There are no snapshots.

mod cache;
mod error;
mod locks;
mod order;
mod repository;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use tokio::time::sleep;

use crate::append::{Append, AppendError, Appended, NewReceipt, Receipt, ReceiptKey};
use crate::ids::{ExpectedVersion, StreamId, SubjectId, Version};
use crate::jitter;
use crate::keys::{KeyError, Keys, Payload};
use crate::log::{EventLog, LogError};
use crate::record::{Body, EncodedEvent, NewEvent, SealedPayload, seal_context};
use crate::traces::Appending;
use cache::{AggregateCache, Held};
use locks::StreamLocks;

pub use error::{ExecuteError, LoadError};
pub use order::{Executed, Loaded, Order, ReceiptDraft};

/// How often an order is decided when others append to its stream in between.
const ATTEMPTS_MAX: u32 = 12;
/// The longest wait before a third attempt; it doubles with each further one, up to 64 times. Processes that write to one stream
/// fall out of step in it.
const PAUSE: Duration = Duration::from_millis(1);
/// How often an append is sent again when nobody knows whether it happened. It carries the same event ids.
const UNKNOWN_RETRIES_MAX: usize = 3;

/// How the events of an aggregate are stored.
pub trait Codec<A: Aggregate>: Send + Sync + 'static {
    /// The stored form of an event, in its newest shape.
    fn encode(event: &A::Event) -> EncodedEvent;

    /// The events that a stored payload means today: usually one; more or none where its shape has changed.
    ///
    /// # Errors
    /// A sentence for the operator (no content of the payload) if it cannot be read.
    fn decode(event_type: &str, schema_version: u16, payload: &[u8]) -> Result<Vec<A::Event>, String>;

    /// About how many bytes the aggregate holds now, found without looking through it. In memory it weighs that, or the payloads
    /// that were folded into it, whichever is less. Without an answer the payloads count, and an aggregate with a stream of
    /// some hundred thousand records is not kept but folded for each order.
    fn bytes_held(_aggregate: &A) -> Option<usize> {
        None
    }
}

/// Executes orders on aggregates whose events the codec `C` knows. Cloning is cheap.
#[derive(Debug)]
pub struct Executor<C> {
    inner: Arc<Inner>,
    codec: PhantomData<fn() -> C>,
}

impl<C> Clone for Executor<C> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            codec: PhantomData,
        }
    }
}

#[derive(Debug)]
struct Inner {
    log: EventLog,
    keys: Keys,
    cache: AggregateCache,
    locks: StreamLocks,
}

/// What became of one attempt.
enum Attempt<E> {
    Done(Executed<E>),
    /// The aggregate was out of date.
    Stale,
}

impl<C> Executor<C> {
    /// An executor on a log and its keys.
    #[must_use]
    pub fn new(log: EventLog, keys: Keys) -> Self {
        let inner = Inner {
            log,
            keys,
            cache: AggregateCache::new(),
            locks: StreamLocks::new(),
        };
        Self {
            inner: Arc::new(inner),
            codec: PhantomData,
        }
    }

    /// The log underneath.
    #[must_use]
    pub fn log(&self) -> &EventLog {
        &self.inner.log
    }

    /// The keys underneath.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// The first answer to a wish, opened.
    ///
    /// # Errors
    /// [`LoadError`] if it cannot be read or opened.
    pub async fn receipt(&self, key: &ReceiptKey) -> Result<Option<Receipt>, LoadError> {
        match self.inner.log.receipt(key).await? {
            Some(receipt) => self.open_receipt(key, receipt).await.map(Some),
            None => Ok(None),
        }
    }

    async fn open_receipt(&self, key: &ReceiptKey, receipt: Receipt) -> Result<Receipt, LoadError> {
        let (Some(subject), Some(answer)) = (receipt.subject, &receipt.answer) else {
            return Ok(receipt);
        };
        let sealed = unpack(answer).ok_or(KeyError::Damaged("a stored answer"))?;
        let answer = match self.inner.keys.open_sealed(subject, &key.0, &sealed).await? {
            Payload::Open(answer) => Some(answer),
            Payload::Erased => None,
        };
        Ok(Receipt { answer, ..receipt })
    }

    /// Loads an aggregate as of now, for a decision that is not a command of its own (a sign-in reads the
    /// account). A stream without records gives the default aggregate at version 0.
    ///
    /// # Errors
    /// [`LoadError`]; [`LoadError::Erased`] if the stream is about a person who has been forgotten.
    pub async fn load<A>(&self, stream: &StreamId, subject: Option<SubjectId>) -> Result<Loaded<A>, LoadError>
    where
        A: Aggregate + Clone + 'static,
        C: Codec<A>,
    {
        let _turn = self.inner.locks.turn(stream).await;
        self.refuse_erased(stream, subject).await?;
        let held = match self.inner.cache.take::<A>(stream) {
            Some(held) if self.stands_at(stream, held.version).await? => held,
            _ => self.load_cold(stream).await?,
        };
        let loaded = Loaded {
            version: held.version,
            position: held.position,
            aggregate: Arc::clone(&held.aggregate),
        };
        self.keep(stream, subject, held);
        Ok(loaded)
    }

    /// An aggregate as of `version` or later, if it happens to be in memory: for reads that know from a view how far
    /// they must see. Asks neither the log nor the keys, and waits for nothing.
    #[must_use]
    pub fn held<A>(&self, stream: &StreamId, version: Version) -> Option<Loaded<A>>
    where
        A: Aggregate + Clone + 'static,
    {
        let held = self.inner.cache.peek::<A>(stream);
        held.filter(|held| held.version >= version)
    }

    /// Drops from memory what is kept about a person who is forgotten: aggregates and their key. What runs at this moment may
    /// still put something back; it is dropped when it is asked for.
    pub fn forget(&self, subject: SubjectId) {
        self.inner.keys.forget_cached(subject);
        self.inner.cache.forget(subject);
    }

    /// Carries out an order, exactly once for each receipt key. When this answers, what was decided is durable.
    ///
    /// Not cancel-safe in one sense: an order that is dropped while it runs may still happen.
    ///
    /// # Errors
    /// See [`ExecuteError`] for what holds after each.
    pub async fn execute<A>(&self, order: Order<A>) -> Result<Executed<A::Event>, ExecuteError<A::Error>>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        C: Codec<A>,
    {
        let _turn = self.inner.locks.turn(&order.stream).await;
        if let Some(draft) = &order.receipt
            && let Some(receipt) = self.receipt(&draft.key).await?
        {
            return Err(ExecuteError::ReceiptExists(Box::new(receipt)));
        }
        if let (true, Some(subject)) = (order.creates_subject, order.subject) {
            self.inner.keys.create(subject).await.map_err(LoadError::from)?;
        }
        self.refuse_erased(&order.stream, order.subject).await?;
        for attempt in 0..ATTEMPTS_MAX {
            if let Some(doublings) = attempt.checked_sub(2) {
                sleep(jitter::up_to(PAUSE * 2_u32.pow(doublings.min(6)))).await;
            }
            if let Attempt::Done(executed) = self.attempt(&order).await? {
                return Ok(executed);
            }
        }
        Err(ExecuteError::Contended)
    }

    /// Decides once. The aggregate is out of the cache meanwhile, and goes back only in a state that the log
    /// confirms: whatever goes wrong in between, the next order loads it afresh.
    async fn attempt<A>(&self, order: &Order<A>) -> Result<Attempt<A::Event>, ExecuteError<A::Error>>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        C: Codec<A>,
    {
        let stream = &order.stream;
        let (mut held, is_fresh) = match self.inner.cache.take::<A>(stream) {
            Some(held) => (held, false),
            None => (self.load_cold(stream).await?, true),
        };
        let (version, position) = (held.version, held.position);
        if order.expected.is_some_and(|expected| expected != version) {
            return self.wrong_version(order, held, is_fresh).await;
        }
        let sink = EventSink::<A>::default();
        let decided = Arc::make_mut(&mut held.aggregate)
            .handle(order.command.clone(), &(), &sink)
            .await;
        let events = sink.collect().await;
        if decided.is_err() || (events.is_empty() && order.stores_nothing_else()) {
            if !is_fresh && !self.stands_at(stream, version).await? {
                return Ok(Attempt::Stale);
            }
            // Events of a rejected command were applied to this copy: it must not be kept.
            if events.is_empty() {
                self.keep(stream, order.subject, held);
            }
            decided.map_err(ExecuteError::Rejected)?;
            return Ok(Attempt::Done(Executed {
                position,
                version,
                events: Vec::new(),
                recorded: Vec::new(),
            }));
        }
        self.record(order, held, events).await
    }

    async fn wrong_version<A>(
        &self,
        order: &Order<A>,
        held: Held<A>,
        is_fresh: bool,
    ) -> Result<Attempt<A::Event>, ExecuteError<A::Error>>
    where
        A: Aggregate + Clone + 'static,
        C: Codec<A>,
    {
        let actual = held.version;
        if !is_fresh && !self.stands_at(&order.stream, actual).await? {
            return Ok(Attempt::Stale);
        }
        self.keep(&order.stream, order.subject, held);
        Err(ExecuteError::WrongVersion {
            expected: order.expected.unwrap_or_default(),
            actual,
        })
    }

    /// Seals and appends what was decided.
    async fn record<A>(
        &self,
        order: &Order<A>,
        held: Held<A>,
        events: Vec<A::Event>,
    ) -> Result<Attempt<A::Event>, ExecuteError<A::Error>>
    where
        A: Aggregate + Clone + 'static,
        C: Codec<A>,
    {
        let (mut append, added_weight) = self.draft(order, held.version, &events).await?;
        let appending = Appending::begin(&mut append);
        let appended = self.append_surely(append).await;
        appending.end(&appended);
        match appended {
            Ok(Appended {
                position,
                version,
                events: recorded,
            }) => {
                let held = Held {
                    version,
                    position,
                    weight: held.weight + added_weight,
                    ..held
                };
                self.keep(&order.stream, order.subject, held);
                Ok(Attempt::Done(Executed {
                    position,
                    version,
                    events,
                    recorded,
                }))
            }
            Err(AppendError::VersionConflict { .. }) => Ok(Attempt::Stale),
            Err(AppendError::ClaimTaken { kind }) => Err(ExecuteError::ClaimTaken { kind }),
            Err(AppendError::ReceiptExists(receipt)) => match &order.receipt {
                Some(draft) => Err(ExecuteError::ReceiptExists(Box::new(
                    self.open_receipt(&draft.key, *receipt).await?,
                ))),
                None => Err(ExecuteError::Append(AppendError::ReceiptExists(receipt))),
            },
            Err(error) => Err(ExecuteError::Append(error)),
        }
    }

    /// The append of an order, sealed, and how many bytes of payload it has.
    async fn draft<A>(
        &self,
        order: &Order<A>,
        version: Version,
        events: &[A::Event],
    ) -> Result<(Append, usize), ExecuteError<A::Error>>
    where
        A: Aggregate,
        C: Codec<A>,
    {
        let mut next = version;
        let mut weight = 0;
        let mut drafts = Vec::with_capacity(events.len());
        for event in events {
            next = next.next();
            let encoded = C::encode(event);
            weight += encoded.payload.len();
            drafts.push(self.seal_event(order, next, encoded).await?);
        }
        let receipt = self.seal_receipt(order, next, events).await?;
        let mut metadata = order.metadata.clone();
        metadata.subject = order.subject;
        let expected = ExpectedVersion::at(version);
        let claims = order.claims.clone();
        Ok((
            Append {
                stream: order.stream.clone(),
                expected,
                events: drafts,
                metadata,
                claims,
                receipt,
            },
            weight,
        ))
    }

    async fn seal_event<A: Aggregate>(
        &self,
        order: &Order<A>,
        version: Version,
        encoded: EncodedEvent,
    ) -> Result<NewEvent, ExecuteError<A::Error>> {
        let mut event = NewEvent::new(encoded.event_type, encoded.schema_version, encoded.payload);
        if encoded.personal {
            let subject = order
                .subject
                .ok_or(AppendError::Invalid("an event about a person needs a subject"))?;
            let context = seal_context(event.id, &order.stream, version, encoded.event_type);
            event.body = Body::Sealed(self.seal(subject, context.as_bytes(), &event.body).await?);
        }
        Ok(event)
    }

    async fn seal(
        &self,
        subject: SubjectId,
        context: &[u8],
        body: &Body,
    ) -> Result<SealedPayload, LoadError> {
        match body {
            Body::Open(payload) => Ok(self.inner.keys.seal(subject, context, payload).await?),
            Body::Sealed(sealed) => Ok(sealed.clone()),
        }
    }

    async fn seal_receipt<A: Aggregate>(
        &self,
        order: &Order<A>,
        version: Version,
        events: &[A::Event],
    ) -> Result<Option<NewReceipt>, LoadError> {
        let Some(draft) = &order.receipt else {
            return Ok(None);
        };
        let mut answer = draft.answer(version, events);
        let subject = order.subject.filter(|_| !draft.outlives_the_person);
        if let Some(subject) = subject {
            answer = self.seal_answer(subject, &draft.key, &answer).await?;
        }
        let (key, fingerprint) = (draft.key, draft.fingerprint);
        Ok(Some(NewReceipt {
            key,
            fingerprint,
            answer,
            subject,
        }))
    }

    /// An answer as [`receipt`](Self::receipt) opens it, for those who store a receipt without an order.
    ///
    /// # Errors
    /// [`LoadError::Erased`] if the person was forgotten; otherwise the keys' faults.
    pub async fn seal_answer(
        &self,
        subject: SubjectId,
        key: &ReceiptKey,
        answer: &[u8],
    ) -> Result<Bytes, LoadError> {
        Ok(pack(&self.inner.keys.seal(subject, &key.0, answer).await?))
    }

    async fn append_surely(&self, append: Append) -> Result<Appended, AppendError> {
        for _ in 0..UNKNOWN_RETRIES_MAX {
            match self.inner.log.append(append.clone()).await {
                Err(AppendError::OutcomeUnknown(_)) => {}
                known => return known,
            }
        }
        self.inner.log.append(append).await
    }

    async fn stands_at(&self, stream: &StreamId, version: Version) -> Result<bool, LogError> {
        let head = self.inner.log.stream_head(stream).await?;
        Ok(head.map_or(Version::NONE, |head| head.version) == version)
    }

    /// What is in memory about a person is forgotten with the person.
    async fn refuse_erased(&self, stream: &StreamId, subject: Option<SubjectId>) -> Result<(), LoadError> {
        let Some(subject) = subject else { return Ok(()) };
        let ensured = self.inner.keys.ensure(subject).await;
        if matches!(ensured, Err(KeyError::Destroyed(_))) {
            self.inner.cache.remove(stream);
        }
        Ok(ensured?)
    }

    /// Puts an aggregate into memory with what it weighs now.
    fn keep<A>(&self, stream: &StreamId, subject: Option<SubjectId>, held: Held<A>)
    where
        A: Aggregate + 'static,
        C: Codec<A>,
    {
        let bytes_held = C::bytes_held(&held.aggregate).unwrap_or(usize::MAX);
        let weight = held.weight.min(bytes_held);
        self.inner.cache.put(stream, subject, Held { weight, ..held });
    }

    async fn load_cold<A>(&self, stream: &StreamId) -> Result<Held<A>, LoadError>
    where
        A: Aggregate + Clone + 'static,
        C: Codec<A>,
    {
        repository::load::<A, C>(&self.inner.log, &self.inner.keys, stream).await
    }
}

/// A sealed answer as one piece of bytes: key, nonce, data.
fn pack(sealed: &SealedPayload) -> Bytes {
    [&sealed.key[..], &sealed.nonce, &sealed.data].concat().into()
}

fn unpack(bytes: &Bytes) -> Option<SealedPayload> {
    let (key, rest) = bytes.split_first_chunk()?;
    let (nonce, data) = rest.split_first_chunk()?;
    Some(SealedPayload {
        key: *key,
        nonce: *nonce,
        data: bytes.slice_ref(data),
    })
}
