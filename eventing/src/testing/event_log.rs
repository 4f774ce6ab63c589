//! The contract of the event log, for every backend.
//!
//! [`event_log_contract!`](crate::event_log_contract) makes a test of each function here.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;

use super::TempDir;
use crate::{
    Append, AppendError, Appended, Claim, ClaimChange, DeadLetterKey, DeadLetterRow, DeadLetterState,
    Deleted, Duty, EventFilter, EventId, EventLog, ExpectedVersion, Forgotten, LogConfig, Metadata, NewEvent,
    NewReceipt, Position, PostgresConfig, ReceiptKey, RecordedEvent, SchemaVersion, StreamId, SubjectId,
    Version, migrate,
};

/// Longer than any wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a module `$name` with a test for every sentence of the log's contract. `$factory` is an async function
/// that gives a fresh [`LogUnderTest`](crate::testing::event_log::LogUnderTest).
#[macro_export]
macro_rules! event_log_contract {
    ($name:ident, $factory:expr) => {
        $crate::event_log_contract! { @each $name, $factory,
            what_was_answered_is_what_reads_back,
            an_append_that_was_answered_is_counted,
            positions_are_gapless_whoever_appends,
            a_later_append_never_has_an_earlier_time,
            one_of_many_first_appends_wins,
            every_append_of_a_batch_sees_the_ones_before,
            a_conflict_tells_where_the_stream_stands_and_writes_nothing,
            the_same_events_again_are_written_once,
            an_id_that_is_in_use_fails_its_own_append_only,
            what_can_never_be_stored_is_refused,
            a_claim_has_one_holder_until_it_is_released,
            a_taken_claim_leaves_nothing_of_its_append,
            a_receipt_keeps_the_first_answer,
            an_append_without_events_stores_its_receipt,
            a_stream_reads_in_pages,
            every_filter_lets_through_what_fits,
            the_past_is_found_by_position,
            a_record_is_known_by_its_hash,
            the_head_wakes_whoever_waits,
            another_handle_is_noticed_and_sees_everything,
            two_handles_append_to_one_order,
            a_blob_reads_back_and_an_unknown_one_is_none,
            a_checkpoint_stays_where_it_was_put,
            a_checkpoint_that_is_raised_never_goes_back,
            one_handle_at_a_time_has_the_right_to_a_duty,
            dead_letters_are_kept_listed_and_deleted,
            a_dead_letter_that_is_skipped_stays_so,
            what_is_kept_about_somebody_is_deleted_and_their_first_key_is_spent,
            what_is_set_aside_of_somebody_is_deleted_behind_however_much_of_others,
        }
    };
    (@each $name:ident, $factory:expr, $($test:ident),+ $(,)?) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::testing::event_log::$test($factory().await).await;
                }
            )+
        }
    };
}

/// A fresh, empty log, and a way to open it once more.
#[derive(Debug)]
pub struct LogUnderTest {
    /// The log.
    pub log: EventLog,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Postgres(Box<PostgresConfig>),
}

impl Place {
    async fn open(&self) -> EventLog {
        let opened = match self {
            Self::Folder(dir) => EventLog::open(LogConfig::new(dir.path())).await,
            Self::Postgres(config) => EventLog::open_postgres(*config.clone()).await,
        };
        opened.expect("the log opens")
    }
}

impl LogUnderTest {
    /// A log in SQLite, in a folder of its own.
    pub async fn sqlite() -> Self {
        Self::at(Place::Folder(TempDir::new())).await
    }

    /// A log in the empty database at `url`.
    pub async fn postgres(url: &str) -> Self {
        let config = PostgresConfig::parse(url).expect("a URL");
        migrate(&config).await.expect("the database is made ready");
        Self::at(Place::Postgres(Box::new(config))).await
    }

    async fn at(place: Place) -> Self {
        Self {
            log: place.open().await,
            place,
        }
    }

    /// Opens the same log again, as another process would.
    pub async fn open_again(&self) -> EventLog {
        self.place.open().await
    }

    /// Changes the database behind the log's back: `sql` names tables without a schema, and takes bytes for `$1` and so on.
    pub async fn tamper(&self, sql: &str, values: &[&[u8]]) {
        match &self.place {
            Place::Folder(dir) => tamper_with_file(dir.path(), sql, values),
            Place::Postgres(config) => {
                let client = config.connect().await.expect("a connection");
                client
                    .batch_execute("SET search_path = segue")
                    .await
                    .expect("a schema");
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
                client.execute(sql, &values).await.expect("it is changed");
            }
        }
    }
}

/// [`LogUnderTest::tamper`] for the log in the folder `dir`.
pub fn tamper_with_file(dir: &Path, sql: &str, values: &[&[u8]]) {
    let file = rusqlite::Connection::open(dir.join("log.db")).expect("the file");
    let changed = file.execute(sql, rusqlite::params_from_iter(values));
    changed.expect("it is changed");
}

/// A stream of category `test` that does not exist yet.
#[must_use]
pub fn new_stream() -> StreamId {
    StreamId::new("test", EventId::new().0)
}

/// Some event.
#[must_use]
pub fn some_event() -> NewEvent {
    NewEvent::new("test.happened", SchemaVersion(1), r#"{"what":"something"}"#)
}

/// So many events.
#[must_use]
pub fn some_events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| some_event()).collect()
}

/// An append of `count` events.
#[must_use]
pub fn an_append(stream: &StreamId, expected: ExpectedVersion, count: usize) -> Append {
    Append::new(stream.clone(), expected, some_events(count), Metadata::new())
}

async fn append(log: &EventLog, stream: &StreamId, count: usize) -> Appended {
    log.append(an_append(stream, ExpectedVersion::Any, count))
        .await
        .expect("an append")
}

async fn everything(log: &EventLog) -> Vec<RecordedEvent> {
    log.read_after(Position::START, usize::MAX)
        .await
        .expect("the log reads")
}

#[track_caller]
fn assert_gapless(events: &[RecordedEvent]) {
    for (index, event) in (1..).zip(events) {
        assert_eq!(event.position, Position(index), "a gap, or out of order");
    }
}

/// See the name.
pub async fn what_was_answered_is_what_reads_back(test: LogUnderTest) {
    let stream = new_stream();
    let mut draft = an_append(&stream, ExpectedVersion::NoStream, 3);
    draft.metadata.subject = Some(SubjectId(EventId::new().0));
    let appended = test.log.append(draft.clone()).await.expect("an append");
    assert_eq!((appended.position, appended.version), (Position(3), Version(3)));
    let read = test
        .log
        .read_stream(&stream, Version::NONE, 10)
        .await
        .expect("the stream");
    assert_eq!(read, appended.events);
    assert_eq!(read, everything(&test.log).await);
    for (event, new) in read.iter().zip(&draft.events) {
        assert_eq!(
            (event.id, &event.body, event.subject),
            (new.id, &new.body, draft.metadata.subject)
        );
    }
    let head = test
        .log
        .stream_head(&stream)
        .await
        .expect("the head")
        .expect("a stream");
    assert_eq!((head.version, head.position), (Version(3), Position(3)));
    assert_eq!(test.log.stream_head(&new_stream()).await.expect("no head"), None);
}

/// By the time that it is answered, so that whoever looks afterwards sees it.
pub async fn an_append_that_was_answered_is_counted(under_test: LogUnderTest) {
    let log = &under_test.log;
    for _ in 0..3 {
        let append = an_append(&new_stream(), ExpectedVersion::NoStream, 2);
        log.append(append).await.expect("it is appended");
    }
    let mut registry = prometheus_client::registry::Registry::default();
    log.append_measures().register(&mut registry);
    let mut told = String::new();
    prometheus_client::encoding::text::encode(&mut told, &registry).expect("it is told");
    for line in [
        "append_batch_size_sum 3.0",
        "append_batch_size_count 3",
        "append_duration_seconds_count 3",
        "append_failures_total 0",
    ] {
        assert!(told.lines().any(|found| found == line), "no {line} in {told}");
    }
}

/// See the name.
pub async fn positions_are_gapless_whoever_appends(test: LogUnderTest) {
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let log = test.log.clone();
        tasks.spawn(async move {
            let stream = new_stream();
            for round in 0..20 {
                append(&log, &stream, 1 + (task + round) % 3).await;
            }
        });
    }
    tasks.join_all().await;
    let events = everything(&test.log).await;
    assert_gapless(&events);
    assert_eq!(
        test.log.head().await.expect("a head"),
        Position(events.len() as u64)
    );
}

/// See the name.
pub async fn a_later_append_never_has_an_earlier_time(test: LogUnderTest) {
    let stream = new_stream();
    for _ in 0..50 {
        append(&test.log, &stream, 2).await;
    }
    let events = everything(&test.log).await;
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].recorded_at <= pair[1].recorded_at)
    );
}

async fn append_all_at_once(log: &EventLog, drafts: Vec<Append>) -> Vec<Result<Appended, AppendError>> {
    let mut tasks = JoinSet::new();
    for draft in drafts {
        let log = log.clone();
        tasks.spawn(async move { log.append(draft).await });
    }
    tasks.join_all().await
}

/// See the name.
pub async fn one_of_many_first_appends_wins(test: LogUnderTest) {
    let stream = new_stream();
    let drafts = (0..40)
        .map(|_| an_append(&stream, ExpectedVersion::NoStream, 2))
        .collect();
    let answers = append_all_at_once(&test.log, drafts).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(won, 1);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(_) | Err(AppendError::VersionConflict { .. })))
    );
    assert_eq!(everything(&test.log).await.len(), 2);
}

/// See the name.
pub async fn every_append_of_a_batch_sees_the_ones_before(test: LogUnderTest) {
    let stream = new_stream();
    let drafts = (0..40)
        .map(|_| an_append(&stream, ExpectedVersion::Any, 1))
        .collect();
    let answers = append_all_at_once(&test.log, drafts).await;
    let versions: HashSet<Version> = answers
        .into_iter()
        .map(|answer| answer.expect("any version").version)
        .collect();
    assert_eq!(versions, (1..=40).map(Version).collect());
}

/// See the name.
pub async fn a_conflict_tells_where_the_stream_stands_and_writes_nothing(test: LogUnderTest) {
    let stream = new_stream();
    append(&test.log, &stream, 2).await;
    for expected in [
        ExpectedVersion::NoStream,
        ExpectedVersion::Exactly(Version(1)),
        ExpectedVersion::Exactly(Version(3)),
    ] {
        match test.log.append(an_append(&stream, expected, 1)).await {
            Err(AppendError::VersionConflict { actual, .. }) => assert_eq!(actual, Version(2)),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert_eq!(everything(&test.log).await.len(), 2);
    let appended = test
        .log
        .append(an_append(&stream, ExpectedVersion::Exactly(Version(2)), 1))
        .await;
    assert_eq!(appended.expect("the right version").version, Version(3));
}

/// See the name.
pub async fn the_same_events_again_are_written_once(test: LogUnderTest) {
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any] {
        let stream = new_stream();
        let draft = an_append(&stream, expected, 3);
        let first = test.log.append(draft.clone()).await.expect("an append");
        append(&test.log, &stream, 1).await;
        let second = test.log.append(draft).await.expect("the same again");
        assert_eq!((first.events, first.version), (second.events, second.version));
        let head = test
            .log
            .stream_head(&stream)
            .await
            .expect("the head")
            .expect("a stream");
        assert_eq!(head.version, Version(4));
    }
}

/// See the name.
pub async fn an_id_that_is_in_use_fails_its_own_append_only(test: LogUnderTest) {
    let used = append(&test.log, &new_stream(), 1).await.events[0].id;
    let mut drafts: Vec<Append> = (0..20)
        .map(|_| an_append(&new_stream(), ExpectedVersion::NoStream, 2))
        .collect();
    drafts[7].events[1].id = used;
    drafts[11].events[1].id = drafts[11].events[0].id;
    let answers = append_all_at_once(&test.log, drafts).await;
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(AppendError::Invalid(_))))
        .count();
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((refused, accepted), (2, 18));
    let events = everything(&test.log).await;
    assert_gapless(&events);
    assert_eq!(events.len(), 1 + 2 * 18);
}

/// See the name.
pub async fn what_can_never_be_stored_is_refused(test: LogUnderTest) {
    let stream = new_stream();
    let mut drafts = [(); 3].map(|()| an_append(&stream, ExpectedVersion::NoStream, 1));
    drafts[0].events[0] = NewEvent::new("test.happened", SchemaVersion(1), "[1]");
    drafts[1].events[0] = NewEvent::new("Test happened", SchemaVersion(1), "{}");
    drafts[2].metadata.traceparent = Some("a \"quoted\" trace".to_owned());
    for draft in drafts {
        assert!(matches!(
            test.log.append(draft).await,
            Err(AppendError::Invalid(_))
        ));
    }
    assert_eq!(test.log.head().await.expect("a head"), Position::START);
}

fn a_claim(name: u8) -> Claim {
    Claim::new("name", [name; 32])
}

async fn change_claim(
    log: &EventLog,
    stream: &StreamId,
    change: ClaimChange,
) -> Result<Appended, AppendError> {
    let mut draft = an_append(stream, ExpectedVersion::Any, 1);
    draft.claims = vec![change];
    log.append(draft).await
}

/// See the name.
pub async fn a_claim_has_one_holder_until_it_is_released(test: LogUnderTest) {
    let (first, second, claim) = (new_stream(), new_stream(), a_claim(1));
    assert_eq!(test.log.claim(&claim).await.expect("a look-up"), None);
    change_claim(&test.log, &first, ClaimChange::Take(claim.clone()))
        .await
        .expect("it is free");
    change_claim(&test.log, &first, ClaimChange::Take(claim.clone()))
        .await
        .expect("it is held already");
    let refused = change_claim(&test.log, &second, ClaimChange::Take(claim.clone())).await;
    assert!(matches!(refused, Err(AppendError::ClaimTaken { kind }) if kind == "name"));
    change_claim(&test.log, &second, ClaimChange::Release(claim.clone()))
        .await
        .expect("releasing nothing is fine");
    assert_eq!(
        test.log.claim(&claim).await.expect("a look-up"),
        Some(first.clone())
    );
    change_claim(&test.log, &first, ClaimChange::Release(claim.clone()))
        .await
        .expect("it is held");
    change_claim(&test.log, &second, ClaimChange::Take(claim.clone()))
        .await
        .expect("it is free again");
    assert_eq!(test.log.claim(&claim).await.expect("a look-up"), Some(second));
}

fn a_receipt(key: u8, answer: &'static str) -> NewReceipt {
    let (key, fingerprint) = (ReceiptKey([key; 32]), [9; 32]);
    NewReceipt {
        key,
        fingerprint,
        answer: Bytes::from_static(answer.as_bytes()),
        subject: None,
    }
}

/// See the name.
pub async fn a_taken_claim_leaves_nothing_of_its_append(test: LogUnderTest) {
    let (holder, other) = (new_stream(), new_stream());
    change_claim(&test.log, &holder, ClaimChange::Take(a_claim(1)))
        .await
        .expect("it is free");
    let mut draft = an_append(&other, ExpectedVersion::NoStream, 1);
    draft.claims = vec![ClaimChange::Take(a_claim(2)), ClaimChange::Take(a_claim(1))];
    draft.receipt = Some(a_receipt(1, "never"));
    assert!(matches!(
        test.log.append(draft).await,
        Err(AppendError::ClaimTaken { .. })
    ));
    assert_eq!(test.log.claim(&a_claim(2)).await.expect("a look-up"), None);
    assert_eq!(
        test.log.receipt(&ReceiptKey([1; 32])).await.expect("a look-up"),
        None
    );
    assert_eq!(test.log.stream_head(&other).await.expect("no head"), None);
}

/// See the name.
pub async fn a_receipt_keeps_the_first_answer(test: LogUnderTest) {
    let stream = new_stream();
    let drafts = (0..20).map(|_| {
        let mut draft = an_append(&stream, ExpectedVersion::NoStream, 1);
        draft.receipt = Some(a_receipt(1, "the answer"));
        draft
    });
    let answers = append_all_at_once(&test.log, drafts.collect()).await;
    let stored = test
        .log
        .receipt(&ReceiptKey([1; 32]))
        .await
        .expect("a look-up")
        .expect("a receipt");
    assert_eq!(
        (stored.answer.as_deref(), stored.position),
        (Some(&b"the answer"[..]), Position(1))
    );
    for answer in answers {
        match answer {
            Ok(appended) => assert_eq!(appended.position, stored.position),
            Err(AppendError::ReceiptExists(receipt)) => assert_eq!(*receipt, stored),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(test.log.head().await.expect("a head"), Position(1));
}

/// See the name.
pub async fn an_append_without_events_stores_its_receipt(test: LogUnderTest) {
    let stream = new_stream();
    append(&test.log, &stream, 2).await;
    append(&test.log, &new_stream(), 2).await;
    let mut draft = an_append(&stream, ExpectedVersion::Exactly(Version(2)), 0);
    draft.receipt = Some(a_receipt(1, "nothing to do"));
    let appended = test.log.append(draft).await.expect("an append");
    assert_eq!(
        (appended.position, appended.version, appended.events.len()),
        (Position(2), Version(2), 0)
    );
    let stored = test
        .log
        .receipt(&ReceiptKey([1; 32]))
        .await
        .expect("a look-up")
        .expect("a receipt");
    assert_eq!(stored.position, Position(2));
}

/// See the name.
pub async fn what_is_kept_about_somebody_is_deleted_and_their_first_key_is_spent(test: LogUnderTest) {
    let (stream, subject, other) = (
        new_stream(),
        SubjectId(EventId::new().0),
        SubjectId(EventId::new().0),
    );
    for (key, of) in [
        (1, Some(subject)),
        (2, Some(subject)),
        (3, Some(other)),
        (4, None),
    ] {
        let mut draft = an_append(&new_stream(), ExpectedVersion::NoStream, 1);
        draft.receipt = Some(NewReceipt {
            subject: of,
            ..a_receipt(key, "an answer")
        });
        test.log.append(draft).await.expect("an append");
    }
    change_claim(&test.log, &stream, ClaimChange::Take(a_claim(1)))
        .await
        .expect("it is free");
    let person = Forgotten { subject, stream };
    let deleted = test
        .log
        .forget(std::slice::from_ref(&person))
        .await
        .expect("it answers");
    assert_eq!((deleted.receipts, deleted.claims), (2, 1));
    assert_eq!(test.log.receipts_about(subject).await.expect("a count"), 0);
    assert_eq!(test.log.receipts_about(other).await.expect("a count"), 1);
    assert_eq!(test.log.claim(&a_claim(1)).await.expect("a look-up"), None);
    let kept = async |key| test.log.receipt(&ReceiptKey([key; 32])).await.expect("a look-up");
    let spent = kept(1).await.expect("a spent key stays");
    assert_eq!(
        (
            spent.fingerprint,
            spent.subject,
            spent.answer.as_deref(),
            spent.position
        ),
        ([0; 32], None, Some(&b""[..]), Position::START)
    );
    assert!(kept(2).await.is_none());
    assert!(kept(3).await.is_some() && kept(4).await.is_some());
    let again = test.log.forget(&[person]).await.expect("it answers");
    assert_eq!(again, Deleted::default(), "doing it again changes nothing");
}

/// See the name: more streams of others than are looked at at a time.
pub async fn what_is_set_aside_of_somebody_is_deleted_behind_however_much_of_others(test: LogUnderTest) {
    for _ in 0..1_100 {
        let row = a_dead_letter("a", &new_stream(), 1);
        test.log.put_dead_letter(row).await.expect("a write");
    }
    // Made last, its name is the last one as well.
    let (stream, subject) = (new_stream(), SubjectId(EventId::new().0));
    let mut draft = an_append(&stream, ExpectedVersion::NoStream, 1);
    draft.metadata.subject = Some(subject);
    test.log.append(draft).await.expect("an append");
    for consumer in ["a", "b"] {
        let row = a_dead_letter(consumer, &stream, 1);
        test.log.put_dead_letter(row).await.expect("a write");
    }
    let deleted = test.log.forget(&[Forgotten { subject, stream }]).await;
    assert_eq!(deleted.expect("it answers").dead_letters, 2);
    let left = test.log.dead_letters(None, usize::MAX).await.expect("a list");
    assert_eq!(left.len(), 1_100, "those of others stay");
}

/// See the name.
pub async fn a_stream_reads_in_pages(test: LogUnderTest) {
    let stream = new_stream();
    append(&test.log, &stream, 7).await;
    let mut after = Version::NONE;
    let mut seen = Vec::new();
    loop {
        let page = test.log.read_stream(&stream, after, 3).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = last.version;
        seen.extend(page.iter().map(|event| event.version.0));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
}

/// See the name.
pub async fn every_filter_lets_through_what_fits(test: LogUnderTest) {
    let (cat, dog) = (
        StreamId::new("cat", EventId::new().0),
        StreamId::new("cats", EventId::new().0),
    );
    for (stream, event_type) in [
        (&cat, "cat.fed"),
        (&dog, "cats.fed"),
        (&cat, "cat.slept"),
        (&cat, "cat.fed"),
    ] {
        let event = NewEvent::new(event_type, SchemaVersion(1), "{}");
        let draft = Append::new(stream.clone(), ExpectedVersion::Any, vec![event], Metadata::new());
        test.log.append(draft).await.expect("an append");
    }
    let all = EventFilter::after(Position::START, 10);
    let cases = [
        (all.clone(), vec![1, 2, 3, 4]),
        (
            EventFilter {
                limit: 2,
                ..all.clone()
            },
            vec![1, 2],
        ),
        (
            EventFilter {
                after: Position(2),
                ..all.clone()
            },
            vec![3, 4],
        ),
        (
            EventFilter {
                stream: Some(dog),
                ..all.clone()
            },
            vec![2],
        ),
        (
            EventFilter {
                event_type: Some("cat.fed".to_owned()),
                ..all.clone()
            },
            vec![1, 4],
        ),
        (
            EventFilter {
                event_type: Some("cat.".to_owned()),
                ..all.clone()
            },
            vec![1, 3, 4],
        ),
        (
            EventFilter {
                event_type: Some("cow.".to_owned()),
                ..all.clone()
            },
            vec![],
        ),
        (
            EventFilter {
                category: Some("cat".to_owned()),
                ..all.clone()
            },
            vec![1, 3, 4],
        ),
        (
            EventFilter {
                category: Some("cat".to_owned()),
                event_type: Some("cat.fed".to_owned()),
                after: Position(1),
                ..all
            },
            vec![4],
        ),
    ];
    for (filter, positions) in cases {
        let found = test.log.read_filtered(filter.clone()).await.expect("a read");
        let found: Vec<u64> = found.iter().map(|event| event.position.0).collect();
        assert_eq!(found, positions, "{filter:?}");
    }
}

/// See the name.
pub async fn the_past_is_found_by_position(test: LogUnderTest) {
    let (first, second) = (new_stream(), new_stream());
    for stream in [&first, &second, &first, &second] {
        append(&test.log, stream, 1).await;
    }
    for (position, version) in [(1, 0), (2, 1), (3, 1), (4, 2), (99, 2)] {
        let found = test
            .log
            .stream_version_before(&first, Position(position))
            .await
            .expect("a look-up");
        assert_eq!(found, Version(version), "before {position}");
    }
    let last = test
        .log
        .last_of_type_before("test.happened", Position(3))
        .await
        .expect("a look-up");
    assert_eq!(last.map(|event| event.position), Some(Position(2)));
    assert_eq!(
        test.log
            .last_of_type_before("test.happened", Position(1))
            .await
            .expect("a look-up"),
        None
    );
    assert_eq!(
        test.log
            .last_of_type_before("test.never", Position(9))
            .await
            .expect("a look-up"),
        None
    );
}

async fn wait_for_head(log: &EventLog, position: Position) {
    let mut head = log.subscribe_head();
    let waited = tokio::time::timeout(PATIENCE, head.wait_for(|head| *head >= position)).await;
    waited.expect("the head comes in time").expect("the log is open");
}

/// See the name.
pub async fn the_head_wakes_whoever_waits(test: LogUnderTest) {
    let log = test.log.clone();
    let waiting = tokio::spawn(async move { wait_for_head(&log, Position(2)).await });
    append(&test.log, &new_stream(), 1).await;
    append(&test.log, &new_stream(), 1).await;
    waiting.await.expect("it woke");
}

/// See the name.
pub async fn another_handle_is_noticed_and_sees_everything(test: LogUnderTest) {
    let other = test.open_again().await;
    let appended = append(&other, &new_stream(), 3).await;
    wait_for_head(&test.log, Position(3)).await;
    assert_eq!(everything(&test.log).await, appended.events);
}

/// See the name.
pub async fn two_handles_append_to_one_order(test: LogUnderTest) {
    let other = test.open_again().await;
    let shared = new_stream();
    let mut tasks = JoinSet::new();
    for log in [test.log.clone(), other] {
        let shared = shared.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                append(&log, &shared, 1).await;
                append(&log, &new_stream(), 1).await;
            }
        });
    }
    tasks.join_all().await;
    let events = everything(&test.log).await;
    assert_gapless(&events);
    assert_eq!(events.len(), 200);
    let versions = events
        .iter()
        .filter(|event| event.stream == shared)
        .map(|event| event.version.0);
    assert!(versions.eq(1..=100));
}

/// See the name.
pub async fn a_blob_reads_back_and_an_unknown_one_is_none(test: LogUnderTest) {
    let large: Vec<u8> = (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    for bytes in [Vec::new(), b"small".to_vec(), vec![7; 1 << 20], large] {
        let digest = test.log.put_blob(bytes.clone()).await.expect("a blob");
        assert_eq!(test.log.put_blob(bytes.clone()).await.expect("the same"), digest);
        assert_eq!(
            test.log.blob(&digest).await.expect("a read").as_deref(),
            Some(&bytes[..])
        );
    }
    assert_eq!(test.log.blob(&[0; 32]).await.expect("a read"), None);
}

/// See the name.
pub async fn a_record_is_known_by_its_hash(test: LogUnderTest) {
    let append = an_append(&new_stream(), ExpectedVersion::NoStream, 3);
    let events = test.log.append(append).await.expect("an append").events;
    let asked = vec![Position(3), Position(1), Position(4), Position(3)];
    let known = test.log.leaf_hashes(asked).await.expect("a read");
    let expected = [0, 2].map(|at: usize| (events[at].position, events[at].leaf_hash));
    assert_eq!(known, expected.into_iter().collect());
}

/// See the name.
pub async fn a_checkpoint_stays_where_it_was_put(test: LogUnderTest) {
    assert_eq!(test.log.checkpoint("relay").await.expect("a read"), None);
    for position in [Position(5), Position(9)] {
        test.log.set_checkpoint("relay", position).await.expect("a write");
        assert_eq!(
            test.open_again().await.checkpoint("relay").await.expect("a read"),
            Some(position)
        );
    }
    assert_eq!(test.log.checkpoint("other").await.expect("a read"), None);
}

/// See the name.
pub async fn a_checkpoint_that_is_raised_never_goes_back(test: LogUnderTest) {
    for (raised, stored) in [(5, 5), (9, 9), (7, 9)] {
        let (raised, stored) = (Position(raised), Position(stored));
        test.log.raise_checkpoint("relay", raised).await.expect("a write");
        assert_eq!(test.log.checkpoint("relay").await.expect("a read"), Some(stored));
    }
}

/// See the name.
pub async fn one_handle_at_a_time_has_the_right_to_a_duty(test: LogUnderTest) {
    let other = test.open_again().await;
    let lock = test
        .log
        .duty_lock(Duty::RELAY)
        .await
        .expect("it answers")
        .expect("it is free");
    assert!(lock.is_held().await);
    assert!(other.duty_lock(Duty::RELAY).await.expect("it answers").is_none());
    let another = Duty::new("another.lock", *b"SegueTst");
    assert!(other.duty_lock(another).await.expect("it answers").is_some());
    drop(lock);
    let taken = async {
        loop {
            if let Some(lock) = other.duty_lock(Duty::RELAY).await.expect("it answers") {
                return lock;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let lock = tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("it is free again");
    assert!(lock.is_held().await);
}

fn a_dead_letter(consumer: &str, stream: &StreamId, version: u64) -> DeadLetterRow {
    let key = DeadLetterKey {
        consumer: consumer.to_owned(),
        stream: stream.clone(),
        version: Version(version),
    };
    DeadLetterRow {
        key,
        position: Position(7),
        reason: "undecodable".to_owned(),
        attempts: 5,
        last_error: "no such field".to_owned(),
        first_at: DateTime::from_timestamp_micros(1_700_000_000_000_001).expect("a time"),
        state: DeadLetterState::Parked,
    }
}

/// See the name.
pub async fn dead_letters_are_kept_listed_and_deleted(test: LogUnderTest) {
    let stream = new_stream();
    let rows = [
        a_dead_letter("a", &stream, 1),
        a_dead_letter("a", &stream, 2),
        a_dead_letter("b", &stream, 1),
    ];
    for row in rows.iter().rev() {
        test.log.put_dead_letter(row.clone()).await.expect("a write");
    }
    assert_eq!(test.log.dead_letters(None, 10).await.expect("a list"), rows);
    assert_eq!(
        test.log.dead_letters(Some("a"), 10).await.expect("a list"),
        rows[..2]
    );
    assert_eq!(test.log.dead_letters(None, 1).await.expect("a list"), rows[..1]);
    let changed = DeadLetterRow {
        state: DeadLetterState::Retrying,
        attempts: 6,
        ..rows[0].clone()
    };
    test.log.put_dead_letter(changed.clone()).await.expect("a write");
    assert_eq!(
        test.log.dead_letter(&changed.key).await.expect("a read"),
        Some(changed.clone())
    );
    assert!(test.log.delete_dead_letter(&changed.key).await.expect("a write"));
    assert!(!test.log.delete_dead_letter(&changed.key).await.expect("a write"));
    assert_eq!(test.log.dead_letter(&changed.key).await.expect("a read"), None);
}

/// See the name. A replica that does not know of a person's decision yet must not undo it.
pub async fn a_dead_letter_that_is_skipped_stays_so(test: LogUnderTest) {
    let parked = a_dead_letter("a", &new_stream(), 1);
    let skipped = DeadLetterRow {
        state: DeadLetterState::Skipped,
        ..parked.clone()
    };
    for row in [&parked, &skipped, &parked] {
        test.log.put_dead_letter(row.clone()).await.expect("a write");
    }
    assert!(!test.log.delete_dead_letter(&skipped.key).await.expect("a write"));
    assert_eq!(
        test.log.dead_letter(&skipped.key).await.expect("a read"),
        Some(skipped)
    );
}
