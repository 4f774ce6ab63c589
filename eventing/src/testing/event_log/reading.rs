//! Reads by stream, filter, position and hash.

use super::{LogUnderTest, an_append, append, new_stream};
use crate::{
    Append, EventFilter, EventId, ExpectedVersion, Metadata, NewEvent, Position, SchemaVersion, StreamId,
    Version,
};

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

/// See the name.
pub async fn a_record_is_known_by_its_hash(test: LogUnderTest) {
    let append = an_append(&new_stream(), ExpectedVersion::NoStream, 3);
    let events = test.log.append(append).await.expect("an append").events;
    let asked = vec![Position(3), Position(1), Position(4), Position(3)];
    let known = test.log.leaf_hashes(asked).await.expect("a read");
    let expected = [0, 2].map(|at: usize| (events[at].position, events[at].leaf_hash));
    assert_eq!(known, expected.into_iter().collect());
}
