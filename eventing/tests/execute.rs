//! The executor, on an aggregate that counts.

use bytes::Bytes;
use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use eventing::testing::TempDir;
use eventing::testing::event_log::new_stream;
use eventing::{
    AppendError, Body, Claim, ClaimChange, Codec, EncodedEvent, EventId, EventLog, ExecuteError, Executor,
    Keys, LoadError, LogConfig, MasterKey, Metadata, Order, Position, ReceiptDraft, ReceiptKey,
    SchemaVersion, StreamId, SubjectId, Version,
};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[derive(Debug, Clone)]
enum Change {
    Add(u64),
    /// Adds each, and is then rejected.
    AddAndFail(u64),
    AddUpTo(u64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
enum Counted {
    #[serde(rename = "counter.added")]
    Added { by: u64 },
}

impl DomainEvent for Counted {
    fn event_type(&self) -> String {
        "counter.added".to_owned()
    }

    fn event_version(&self) -> String {
        "2".to_owned()
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("no")]
struct No;

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Command = Change;
    type Event = Counted;
    type Error = No;
    type Services = ();

    async fn handle(&mut self, command: Change, (): &(), sink: &EventSink<Self>) -> Result<(), No> {
        match command {
            Change::Add(by) => sink.write(Counted::Added { by }, self).await,
            Change::AddUpTo(count) if count <= self.count => {}
            Change::AddUpTo(count) => {
                sink.write(
                    Counted::Added {
                        by: count - self.count,
                    },
                    self,
                )
                .await
            }
            Change::AddAndFail(by) => {
                sink.write(Counted::Added { by }, self).await;
                return Err(No);
            }
        }
        Ok(())
    }

    fn apply(&mut self, Counted::Added { by }: Counted) {
        self.count += by;
    }
}

/// Stores what was added. In its first shape one event told two numbers: it means two events today.
#[derive(Debug)]
struct CounterCodec;

impl Codec<Counter> for CounterCodec {
    fn encode(Counted::Added { by }: &Counted) -> EncodedEvent {
        let payload = Bytes::from(format!(r#"{{"by":{by}}}"#));
        EncodedEvent {
            event_type: "counter.added",
            schema_version: SchemaVersion(2),
            payload,
            personal: true,
        }
    }

    fn decode(_: &str, schema_version: u16, payload: &[u8]) -> Result<Vec<Counted>, String> {
        let value: serde_json::Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        let number = |field: &str| value[field].as_u64().ok_or_else(|| format!("no {field}"));
        match schema_version {
            1 => Ok(vec![
                Counted::Added { by: number("first")? },
                Counted::Added {
                    by: number("second")?,
                },
            ]),
            _ => Ok(vec![Counted::Added { by: number("by")? }]),
        }
    }
}

struct World {
    dir: TempDir,
    log: EventLog,
    keys: Keys,
    executor: Executor<CounterCodec>,
    stream: StreamId,
    subject: SubjectId,
}

impl World {
    async fn new() -> Self {
        let dir = TempDir::new();
        let (log, keys, executor) = Self::process(&dir).await;
        let subject = SubjectId(EventId::new().0);
        keys.create(subject).await.expect("a key");
        Self {
            dir,
            log,
            keys,
            executor,
            stream: new_stream(),
            subject,
        }
    }

    /// What a process of its own would open.
    async fn process(dir: &TempDir) -> (EventLog, Keys, Executor<CounterCodec>) {
        let log = EventLog::open(LogConfig::new(dir.path()))
            .await
            .expect("the log opens");
        let master = MasterKey::load_or_create(dir.path()).expect("a master key");
        let keys = Keys::open(dir.path(), master).await.expect("the keys open");
        (log.clone(), keys.clone(), Executor::new(log, keys))
    }

    async fn another_executor(&self) -> Executor<CounterCodec> {
        Self::process(&self.dir).await.2
    }

    fn order(&self, command: Change) -> Order<Counter> {
        Order::new(self.stream.clone(), command, Metadata::new()).about(self.subject)
    }

    fn order_with_receipt(&self, command: Change) -> Order<Counter> {
        let answer =
            |version: Version, events: &[Counted]| Bytes::from(format!("{version} {}", events.len()));
        let receipt = ReceiptDraft::computed(ReceiptKey([1; 32]), [2; 32], answer);
        Order {
            receipt: Some(receipt),
            ..self.order(command)
        }
    }

    async fn count(&self) -> u64 {
        self.count_by(&self.executor).await
    }

    async fn count_by(&self, executor: &Executor<CounterCodec>) -> u64 {
        let loaded = executor
            .load::<Counter>(&self.stream, Some(self.subject))
            .await
            .expect("it loads");
        loaded.aggregate.count
    }

    async fn head(&self) -> Position {
        self.log.head().await.expect("a head")
    }
}

#[tokio::test]
async fn what_was_decided_is_recorded_sealed_and_loads_again() {
    let world = World::new().await;
    let executed = world
        .executor
        .execute(world.order(Change::Add(3)))
        .await
        .expect("it is executed");
    assert_eq!((executed.version, executed.position), (Version(1), Position(1)));
    assert_eq!(executed.events, [Counted::Added { by: 3 }]);
    assert!(matches!(executed.recorded[0].body, Body::Sealed(_)));
    assert_eq!(executed.recorded[0].subject, Some(world.subject));
    assert_eq!(world.count().await, 3);
    assert_eq!(world.count_by(&world.another_executor().await).await, 3);
}

#[tokio::test]
async fn a_rejected_command_records_nothing_and_leaves_no_trace_in_memory() {
    let world = World::new().await;
    world
        .executor
        .execute(world.order(Change::Add(3)))
        .await
        .expect("it is executed");
    let rejected = world.executor.execute(world.order(Change::AddAndFail(5))).await;
    assert!(matches!(rejected, Err(ExecuteError::Rejected(No))));
    assert_eq!((world.count().await, world.head().await), (3, Position(1)));
}

#[tokio::test]
async fn a_command_with_nothing_to_do_records_nothing() {
    let world = World::new().await;
    world
        .executor
        .execute(world.order(Change::Add(3)))
        .await
        .expect("it is executed");
    let executed = world
        .executor
        .execute(world.order(Change::AddUpTo(2)))
        .await
        .expect("it is executed");
    assert_eq!(
        (executed.version, executed.position, executed.events.len()),
        (Version(1), Position(1), 0)
    );
    assert_eq!(world.head().await, Position(1));
}

#[tokio::test]
async fn what_is_in_memory_is_handed_out_only_when_it_is_new_enough() {
    let world = World::new().await;
    let held = |version| world.executor.held::<Counter>(&world.stream, version);
    assert!(held(Version::NONE).is_none(), "nothing was loaded yet");
    world
        .executor
        .execute(world.order(Change::Add(3)))
        .await
        .expect("it is executed");
    assert_eq!(held(Version(1)).map(|held| held.aggregate.count), Some(3));
    assert!(held(Version(2)).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_two_processes_for_one_stream_all_take_effect_once() {
    let world = World::new().await;
    let mut tasks = JoinSet::new();
    for executor in [world.executor.clone(), world.another_executor().await] {
        for _ in 0..10 {
            let (executor, order) = (executor.clone(), world.order(Change::Add(1)));
            tasks.spawn(async move { executor.execute(order).await.expect("it is executed").version });
        }
    }
    let mut versions = tasks.join_all().await;
    versions.sort();
    assert_eq!(versions, (1..=20).map(Version).collect::<Vec<_>>());
    assert_eq!(world.count().await, 20);
}

/// The aggregate in memory is behind: what it would say is not what holds.
#[tokio::test]
async fn neither_a_rejection_nor_an_empty_decision_rests_on_an_old_state() {
    let world = World::new().await;
    world
        .executor
        .execute(world.order(Change::Add(5)))
        .await
        .expect("it is executed");
    let other = world.another_executor().await;
    other
        .execute(world.order(Change::Add(5)))
        .await
        .expect("it is executed");
    let empty = world
        .executor
        .execute(world.order(Change::AddUpTo(4)))
        .await
        .expect("it is executed");
    assert_eq!(empty.version, Version(2));
    other
        .execute(world.order(Change::Add(1)))
        .await
        .expect("it is executed");
    assert_eq!(world.count().await, 11);
}

#[tokio::test]
async fn an_expected_version_is_checked_against_the_log() {
    let world = World::new().await;
    let expecting = |version| Order {
        expected: Some(Version(version)),
        ..world.order(Change::Add(1))
    };
    world
        .executor
        .execute(expecting(0))
        .await
        .expect("there is no stream yet");
    let refused = world.executor.execute(expecting(0)).await;
    assert!(
        matches!(
            refused,
            Err(ExecuteError::WrongVersion {
                actual: Version(1),
                ..
            })
        ),
        "{refused:?}"
    );
    let other = world.another_executor().await;
    other
        .execute(expecting(1))
        .await
        .expect("that is where it stands");
    world
        .executor
        .execute(expecting(2))
        .await
        .expect("another process moved it there");
}

#[tokio::test]
async fn the_same_wish_gets_the_first_answer_and_happens_once() {
    let world = World::new().await;
    let first = world
        .executor
        .execute(world.order_with_receipt(Change::Add(3)))
        .await
        .expect("it is executed");
    for executor in [world.executor.clone(), world.another_executor().await] {
        match executor.execute(world.order_with_receipt(Change::Add(3))).await {
            Err(ExecuteError::ReceiptExists(receipt)) => {
                assert_eq!(receipt.answer.as_deref(), Some(&b"1 1"[..]));
                assert_eq!((receipt.position, receipt.fingerprint), (first.position, [2; 32]));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.count().await, 3);
}

#[tokio::test]
async fn a_wish_with_nothing_to_do_keeps_its_answer_too() {
    let world = World::new().await;
    world
        .executor
        .execute(world.order_with_receipt(Change::AddUpTo(0)))
        .await
        .expect("it is executed");
    let again = world
        .executor
        .execute(world.order_with_receipt(Change::AddUpTo(0)))
        .await;
    assert!(
        matches!(again, Err(ExecuteError::ReceiptExists(receipt)) if receipt.answer.as_deref() == Some(b"0 0"))
    );
}

#[tokio::test]
async fn a_stored_answer_is_sealed_in_the_log() {
    let world = World::new().await;
    world
        .executor
        .execute(world.order_with_receipt(Change::Add(3)))
        .await
        .expect("it is executed");
    let stored = world
        .log
        .receipt(&ReceiptKey([1; 32]))
        .await
        .expect("a look-up")
        .expect("a receipt");
    assert_eq!(stored.subject, Some(world.subject));
    assert!(
        !stored
            .answer
            .expect("an answer")
            .windows(3)
            .any(|window| window == b"1 1")
    );
}

#[tokio::test]
async fn a_taken_name_refuses_the_order_and_keeps_the_aggregate_right() {
    let world = World::new().await;
    let claiming = |stream: StreamId| {
        let claims = vec![ClaimChange::Take(Claim::new("name", [7; 32]))];
        Order {
            stream,
            claims,
            ..world.order(Change::Add(1))
        }
    };
    world
        .executor
        .execute(claiming(new_stream()))
        .await
        .expect("it is free");
    let refused = world.executor.execute(claiming(world.stream.clone())).await;
    assert!(matches!(refused, Err(ExecuteError::ClaimTaken { kind }) if kind == "name"));
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn a_forgotten_person_is_forgotten_in_memory_as_well() {
    let world = World::new().await;
    world
        .executor
        .execute(world.order_with_receipt(Change::Add(3)))
        .await
        .expect("it is executed");
    world
        .keys
        .destroy(world.subject)
        .await
        .expect("the key is destroyed");
    let refused = world.executor.execute(world.order(Change::Add(1))).await;
    assert!(matches!(refused, Err(ExecuteError::Erased)), "{refused:?}");
    for executor in [world.executor.clone(), world.another_executor().await] {
        let loaded = executor.load::<Counter>(&world.stream, Some(world.subject)).await;
        assert!(matches!(loaded, Err(LoadError::Erased)), "{loaded:?}");
        let receipt = executor
            .receipt(&ReceiptKey([1; 32]))
            .await
            .expect("a look-up")
            .expect("a receipt");
        assert_eq!(receipt.answer, None);
    }
}

#[tokio::test]
async fn an_old_shape_loads_as_what_it_means_today() {
    let world = World::new().await;
    let old = eventing::NewEvent::new("counter.added", SchemaVersion(1), r#"{"first":2,"second":40}"#);
    let append = eventing::Append::new(
        world.stream.clone(),
        eventing::ExpectedVersion::NoStream,
        vec![old],
        Metadata::new(),
    );
    world.log.append(append).await.expect("an old event");
    assert_eq!(world.count().await, 42);
    let executed = world
        .executor
        .execute(world.order(Change::Add(1)))
        .await
        .expect("it is executed");
    assert_eq!(executed.version, Version(2));
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_is_an_error_and_not_skipped() {
    let world = World::new().await;
    let strange = eventing::NewEvent::new("counter.added", SchemaVersion(2), r#"{"down":2}"#);
    let append = eventing::Append::new(
        world.stream.clone(),
        eventing::ExpectedVersion::NoStream,
        vec![strange],
        Metadata::new(),
    );
    world.log.append(append).await.expect("an event");
    let refused = world.executor.execute(world.order(Change::Add(1))).await;
    assert!(
        matches!(refused, Err(ExecuteError::Load(LoadError::Undecodable(_)))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_personal_event_without_a_person_is_never_written_in_the_open() {
    let world = World::new().await;
    let order = Order {
        subject: None,
        ..world.order(Change::Add(1))
    };
    let refused = world.executor.execute(order).await;
    assert!(
        matches!(refused, Err(ExecuteError::Append(AppendError::Invalid(_)))),
        "{refused:?}"
    );
    assert_eq!(world.head().await, Position::START);
}

#[tokio::test]
async fn an_order_that_creates_its_subject_needs_no_key_before() {
    let world = World::new().await;
    let subject = SubjectId(EventId::new().0);
    let order = || {
        Order {
            stream: new_stream(),
            ..world.order(Change::Add(1))
        }
        .about(subject)
    };
    let refused = world.executor.execute(order()).await;
    assert!(
        matches!(refused, Err(ExecuteError::Load(LoadError::Keys(_)))),
        "{refused:?}"
    );
    world
        .executor
        .execute(Order {
            creates_subject: true,
            ..order()
        })
        .await
        .expect("it is executed");
}
