//! What an append writes, refuses and answers.

use std::collections::HashSet;

use tokio::task::JoinSet;

use super::{LogUnderTest, an_append, append, assert_gapless, everything, new_stream};
use crate::{
    Append, AppendError, Appended, EventId, EventLog, ExpectedVersion, NewEvent, Position, SchemaVersion,
    SubjectId, Version,
};

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

pub(super) async fn append_all_at_once(
    log: &EventLog,
    drafts: Vec<Append>,
) -> Vec<Result<Appended, AppendError>> {
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
