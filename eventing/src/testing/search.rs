//! The contract of searching the log, for every backend.
//!
//! [`log_search_contract!`](crate::log_search_contract) makes a test of each function here.

use super::LogUnderTest;
use super::event_log::new_stream;
use crate::{
    Append, CorrelationId, EventFilter, EventId, ExpectedVersion, Metadata, NewEvent, Position,
    RecordedEvent, SchemaVersion, StreamId, SubjectId,
};

/// Makes a module `$name` with a test for every sentence of the contract. `$factory` is an async function that gives a
/// fresh [`LogUnderTest`].
#[macro_export]
macro_rules! log_search_contract {
    ($name:ident, $factory:expr) => {
        $crate::log_search_contract! { @each $name, $factory,
            a_search_finds_a_person_and_a_chain_wherever_they_stand,
            a_search_is_not_misled_by_what_a_payload_says,
            a_search_goes_on_where_it_stopped,
            a_chain_is_found_by_the_index_and_beyond_it,
            a_stream_can_be_left_out,
            a_moment_is_found_by_time,
        }
    };
    (@each $name:ident, $factory:expr, $($test:ident),+ $(,)?) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::testing::search::$test($factory().await).await;
                }
            )+
        }
    };
}

async fn append(test: &LogUnderTest, stream: &StreamId, payload: &str, metadata: &Metadata) -> RecordedEvent {
    let event = NewEvent::new("test.happened", SchemaVersion(1), payload.to_owned());
    let append = Append::new(
        stream.clone(),
        ExpectedVersion::Any,
        vec![event],
        metadata.clone(),
    );
    let appended = test.log.append(append).await.expect("an append");
    appended.events.into_iter().next().expect("one event")
}

fn about(subject: SubjectId) -> Metadata {
    Metadata {
        subject: Some(subject),
        ..Metadata::new()
    }
}

async fn positions(test: &LogUnderTest, filter: EventFilter) -> Vec<u64> {
    let found = test.log.search(filter).await.expect("a search");
    found.events.iter().map(|event| event.position.0).collect()
}

fn all() -> EventFilter {
    EventFilter::after(Position::START, 10)
}

/// See the name.
pub async fn a_search_finds_a_person_and_a_chain_wherever_they_stand(test: LogUnderTest) {
    let (ada, chain) = (SubjectId(EventId::new().0), CorrelationId::new());
    let of_ada = Metadata {
        correlation_id: chain,
        ..about(ada)
    };
    let (one, other) = (new_stream(), new_stream());
    append(&test, &one, "{}", &of_ada).await;
    append(&test, &one, "{}", &Metadata::new()).await;
    append(&test, &other, "{}", &Metadata::correlated(chain)).await;
    append(&test, &other, "{}", &about(ada)).await;
    let subject = EventFilter {
        subject: Some(ada),
        ..all()
    };
    let correlation = EventFilter {
        correlation: Some(chain),
        ..all()
    };
    let both = EventFilter {
        correlation: Some(chain),
        ..subject.clone()
    };
    let on_one = EventFilter {
        stream: Some(one),
        ..subject.clone()
    };
    let later = EventFilter {
        after: Position(1),
        until: Some(Position(3)),
        ..correlation.clone()
    };
    for (filter, expected) in [
        (subject, vec![1, 4]),
        (correlation, vec![1, 3]),
        (both, vec![1]),
        (on_one, vec![1]),
        (later, vec![3]),
    ] {
        assert_eq!(positions(&test, filter.clone()).await, expected, "{filter:?}");
    }
}

/// A payload may hold the very text that a search looks for.
pub async fn a_search_is_not_misled_by_what_a_payload_says(test: LogUnderTest) {
    let ada = SubjectId(EventId::new().0);
    let stream = new_stream();
    let payload = format!(r#"{{"a":1,"subject":"{ada}"}}"#);
    for _ in 0..3 {
        append(&test, &stream, &payload, &Metadata::new()).await;
    }
    append(&test, &stream, &payload, &about(ada)).await;
    let filter = EventFilter {
        subject: Some(ada),
        limit: 1,
        ..all()
    };
    assert_eq!(positions(&test, filter).await, [4]);
}

/// See the name: the tree, and the index with it, trails the log.
pub async fn a_chain_is_found_by_the_index_and_beyond_it(test: LogUnderTest) {
    let chain = CorrelationId::new();
    let (one, other) = (new_stream(), new_stream());
    for nth in 0..8 {
        let metadata = match nth % 2 {
            0 => Metadata::correlated(chain),
            _ => Metadata::new(),
        };
        let stream = if nth < 4 { &one } else { &other };
        append(&test, stream, "{}", &metadata).await;
        if nth == 4 {
            let size = test.log.tree().extend(100).await.expect("the tree grows");
            assert_eq!(size, 5);
        }
    }
    let correlation = EventFilter {
        correlation: Some(chain),
        ..all()
    };
    let of_one = EventFilter {
        stream: Some(one),
        ..correlation.clone()
    };
    let of_other = EventFilter {
        stream: Some(other),
        ..correlation.clone()
    };
    let first = EventFilter {
        limit: 2,
        ..correlation.clone()
    };
    let middle = EventFilter {
        after: Position(1),
        until: Some(Position(4)),
        ..correlation.clone()
    };
    for (filter, expected) in [
        (correlation, vec![1, 3, 5, 7]),
        (of_one, vec![1, 3]),
        (of_other, vec![5, 7]),
        (first, vec![1, 3]),
        (middle, vec![3]),
    ] {
        assert_eq!(positions(&test, filter.clone()).await, expected, "{filter:?}");
    }
}

/// See the name.
pub async fn a_search_goes_on_where_it_stopped(test: LogUnderTest) {
    let ada = SubjectId(EventId::new().0);
    let stream = new_stream();
    for nth in 0..9 {
        let metadata = if nth % 3 == 0 { about(ada) } else { Metadata::new() };
        append(&test, &stream, "{}", &metadata).await;
    }
    let (mut after, mut seen) = (Position::START, Vec::new());
    loop {
        let filter = EventFilter {
            subject: Some(ada),
            ..EventFilter::after(after, 2)
        };
        let found = test.log.search(filter).await.expect("a search");
        seen.extend(found.events.iter().map(|event| event.position.0));
        after = found.searched_to;
        if found.is_at_the_end {
            break;
        }
    }
    assert_eq!((seen, after), (vec![1, 4, 7], Position(9)));
}

/// Also one that does not exist.
pub async fn a_stream_can_be_left_out(test: LogUnderTest) {
    let (one, other) = (new_stream(), new_stream());
    for stream in [&one, &other, &one] {
        append(&test, stream, "{}", &Metadata::new()).await;
    }
    for (left_out, expected) in [(one, vec![2]), (other, vec![1, 3]), (new_stream(), vec![1, 2, 3])] {
        let filter = EventFilter {
            except_stream: Some(left_out),
            ..all()
        };
        assert_eq!(positions(&test, filter).await, expected);
    }
}

/// See the name.
pub async fn a_moment_is_found_by_time(test: LogUnderTest) {
    let stream = new_stream();
    let mut times = Vec::new();
    for _ in 0..6 {
        times.push(append(&test, &stream, "{}", &Metadata::new()).await.recorded_at);
    }
    let step = chrono::TimeDelta::microseconds(1);
    for time in times.iter().flat_map(|time| [*time - step, *time, *time + step]) {
        let expected = times.iter().filter(|recorded| **recorded < time).count() as u64;
        let found = test.log.last_before(time).await.expect("a search");
        assert_eq!(found, Position(expected), "{time} among {times:?}");
    }
}
