//! The contract of every view store. [`view_store_contract!`](crate::view_store_contract) runs it on an adapter.
//!
//! Each function takes an empty store and panics where the store breaks its word.

use eventing::{Position, StreamId, SubjectId, Version};
use uuid::Uuid;

use crate::{
    ViewStore,
    store::{Batch, Direction, Generation, LookupKey, Raise, Refusal, Table, ViewWrite, Wanted},
};

const PROJECTION: &str = "contract";

fn stream(number: u128) -> StreamId {
    StreamId::new("thing", Uuid::from_u128(number))
}

fn live(store: &ViewStore) -> Generation {
    store.ensure_live(PROJECTION, 1).expect("a generation is made")
}

fn write(generation: Generation, number: u128, from: u64, to: u64) -> ViewWrite {
    ViewWrite {
        projection: PROJECTION,
        generation,
        stream: stream(number),
        subject: Some(SubjectId(Uuid::from_u128(number))),
        from: Version(from),
        to: Version(to),
        position: Position(to * 10),
        head: Some(format!("head {to}").into_bytes()),
        entries: vec![(format!("entry {to}"), Some(b"value".to_vec()))],
        lookups: vec![(
            LookupKey::new("index", "part", format!("{number:04}")),
            Some(b"value".to_vec()),
        )],
        kept: Vec::new(),
    }
}

fn batch(writes: Vec<ViewWrite>) -> Batch {
    Batch {
        writes,
        ..Batch::default()
    }
}

fn raise(store: &ViewStore, generation: Generation, to: u64) -> Raise {
    raise_from(store, generation, 0, to)
}

fn raise_from(store: &ViewStore, generation: Generation, known: u64, to: u64) -> Raise {
    Raise {
        projection: PROJECTION,
        generation,
        to: Position(to),
        known: Position(known),
        run: store.snapshot().expect("the store can be read").run(),
    }
}

fn checkpoint(store: &ViewStore, generation: Generation) -> Position {
    let snapshot = store.snapshot().expect("the store can be read");
    snapshot.checkpoint(generation).expect("it can be read")
}

fn commit(store: &ViewStore, batch: &Batch) -> Vec<Result<(), Refusal>> {
    let stored = store.commit(batch.clone()).expect("the store can be written");
    stored.into_iter().map(|(_, outcome)| outcome).collect()
}

fn version(store: &ViewStore, generation: Generation, number: u128) -> Option<u64> {
    let snapshot = store.snapshot().expect("the store can be read");
    snapshot
        .view(generation, &stream(number))
        .expect("the view can be read")
        .map(|view| view.version.0)
}

fn rows(store: &ViewStore, table: Table, generation: Generation) -> usize {
    let frozen = store.frozen(&[generation]).expect("the store can be read");
    let rows = frozen.snapshot.rows(table, generation);
    rows.expect("the rows can be read").count()
}

/// Views, entries, lookups and the checkpoint of a batch are there together.
#[track_caller]
pub fn a_batch_is_stored_whole(store: &ViewStore) {
    let generation = live(store);
    let checkpoints = vec![raise(store, generation, 10)];
    let stored = Batch {
        writes: vec![write(generation, 1, 0, 1)],
        checkpoints,
        ..Batch::default()
    };
    assert_eq!(commit(store, &stored), [Ok(())]);

    let snapshot = store.snapshot().expect("the store can be read");
    let view = snapshot
        .view(generation, &stream(1))
        .expect("it can be read")
        .expect("the view is there");
    assert_eq!(
        (view.version, view.position, view.head.as_deref()),
        (Version(1), Position(10), Some(b"head 1".as_slice()))
    );
    let entry = snapshot
        .entry(generation, &stream(1), "entry 1")
        .expect("it can be read");
    assert_eq!(entry.as_deref(), Some(b"value".as_slice()));
    let lookup = snapshot
        .lookup(generation, &LookupKey::new("index", "part", "0001"))
        .expect("it can be read");
    assert_eq!(lookup.as_deref(), Some(b"value".as_slice()));
    assert_eq!(
        snapshot.checkpoint(generation).expect("it can be read"),
        Position(10)
    );
}

/// However large it is.
#[track_caller]
pub fn a_large_batch_is_stored_with_its_checkpoint(store: &ViewStore) {
    let generation = live(store);
    let stored = Batch {
        writes: (1..=1_200)
            .map(|number| write(generation, number, 0, 1))
            .collect(),
        checkpoints: vec![raise(store, generation, 10)],
        ..Batch::default()
    };
    let outcomes = commit(store, &stored);
    assert_eq!(
        (outcomes.len(), outcomes.iter().all(Result::is_ok)),
        (1_200, true)
    );
    assert_eq!(rows(store, Table::Views, generation), 1_200);
    assert_eq!(checkpoint(store, generation), Position(10));

    let mut stale = vec![write(generation, 1, 7, 8)];
    stale.extend((2..=1_200).map(|number| write(generation, number, 1, 2)));
    commit(
        store,
        &Batch {
            writes: stale,
            checkpoints: vec![raise(store, generation, 20)],
            ..Batch::default()
        },
    );
    assert_eq!(
        (checkpoint(store, generation), version(store, generation, 1_200)),
        (Position(10), Some(2)),
        "the first write was refused, so the checkpoint stays; the others are stored"
    );
}

/// A write from a version that is not the stored one changes nothing, and the rest of its batch is stored.
#[track_caller]
pub fn a_write_from_another_version_is_refused_alone(store: &ViewStore) {
    let generation = live(store);
    commit(store, &batch(vec![write(generation, 1, 0, 2)]));
    let outcomes = commit(
        store,
        &batch(vec![write(generation, 1, 1, 3), write(generation, 2, 0, 1)]),
    );
    assert_eq!(outcomes, [Err(Refusal::OtherVersion), Ok(())]);
    assert_eq!(
        (version(store, generation, 1), version(store, generation, 2)),
        (Some(2), Some(1))
    );
    assert_eq!(
        rows(store, Table::Entries, generation),
        2,
        "the refused write's entry must not be there"
    );
}

/// The greatest checkpoint holds, in whatever order they come.
#[track_caller]
pub fn a_checkpoint_never_goes_back(store: &ViewStore) {
    let generation = live(store);
    for position in [5, 3] {
        let checkpoints = vec![raise(store, generation, position)];
        commit(
            store,
            &Batch {
                checkpoints,
                ..Batch::default()
            },
        );
    }
    let snapshot = store.snapshot().expect("the store can be read");
    assert_eq!(
        snapshot.checkpoint(generation).expect("it can be read"),
        Position(5)
    );
}

/// The consumer would not come back for what was left out.
#[track_caller]
pub fn a_checkpoint_does_not_pass_a_refused_write(store: &ViewStore) {
    let generation = live(store);
    let outcomes = commit(
        store,
        &Batch {
            writes: vec![write(generation, 1, 3, 4)],
            checkpoints: vec![raise(store, generation, 40)],
            ..Batch::default()
        },
    );
    assert_eq!(outcomes, [Err(Refusal::OtherVersion)]);
    assert_eq!(checkpoint(store, generation), Position(0));
}

/// A store that holds less than the writer knows was put back to an older state; what came since is lost.
#[track_caller]
pub fn a_checkpoint_is_raised_only_from_where_the_writer_left_it(store: &ViewStore) {
    let generation = live(store);
    for (known, to, stored) in [(0, 5, 5), (6, 9, 5), (4, 7, 7)] {
        commit(
            store,
            &Batch {
                checkpoints: vec![raise_from(store, generation, known, to)],
                ..Batch::default()
            },
        );
        assert_eq!(checkpoint(store, generation), Position(stored), "raised to {to}");
    }
}

fn removal(generation: Generation, number: u128, from: u64, to: u64) -> ViewWrite {
    let lookups = vec![(LookupKey::new("index", "part", format!("{number:04}")), None)];
    ViewWrite {
        head: None,
        entries: Vec::new(),
        lookups,
        ..write(generation, number, from, to)
    }
}

/// Removing a view removes its entries, and no other view's.
#[track_caller]
pub fn a_removed_view_keeps_its_version_and_nothing_else(store: &ViewStore) {
    let generation = live(store);
    commit(
        store,
        &batch(vec![write(generation, 1, 0, 1), write(generation, 2, 0, 1)]),
    );
    assert_eq!(
        commit(store, &batch(vec![removal(generation, 1, 1, 2)])),
        [Ok(())]
    );
    let snapshot = store.snapshot().expect("the store can be read");
    let view = snapshot
        .view(generation, &stream(1))
        .expect("it can be read")
        .expect("its version is kept");
    assert_eq!((view.version, view.head), (Version(2), None));
    assert_eq!(
        rows(store, Table::Entries, generation),
        1,
        "the other view's entry stays"
    );
    assert_eq!(
        rows(store, Table::Lookups, generation),
        1,
        "the other view's lookup stays"
    );
}

/// Once removed, a view can only move its version.
#[track_caller]
pub fn a_removed_view_does_not_come_back(store: &ViewStore) {
    let generation = live(store);
    commit(store, &batch(vec![removal(generation, 1, 0, 1)]));
    assert_eq!(
        commit(store, &batch(vec![write(generation, 1, 1, 2)])),
        [Err(Refusal::Forgotten)]
    );
    assert_eq!(
        commit(store, &batch(vec![removal(generation, 1, 1, 2)])),
        [Ok(())]
    );
}

/// Whoever folded an event before the person was forgotten comes too late.
#[track_caller]
pub fn nothing_is_written_about_a_forgotten_person(store: &ViewStore) {
    let generation = live(store);
    commit(
        store,
        &Batch {
            forgotten: vec![SubjectId(Uuid::from_u128(1))],
            ..Batch::default()
        },
    );
    let outcomes = commit(
        store,
        &batch(vec![write(generation, 1, 0, 1), write(generation, 2, 0, 1)]),
    );
    assert_eq!(outcomes, [Err(Refusal::Forgotten), Ok(())]);
}

/// Whoever folded onto a generation that was replaced meanwhile has to fold again.
#[track_caller]
pub fn a_write_to_a_generation_that_was_replaced_is_refused(store: &ViewStore) {
    let old = live(store);
    let lock = store.lock_rebuild().expect("nobody else rebuilds");
    store
        .begin_building(PROJECTION, 1, &lock)
        .expect("it can be made");
    store
        .switch(PROJECTION, Position(0), |_| Ok(Batch::default()))
        .expect("it can be switched to");
    assert_eq!(
        commit(store, &batch(vec![write(old, 1, 0, 1)])),
        [Err(Refusal::OtherGeneration)]
    );
}

/// Readers see the old views, then the new ones; the checkpoint does not go back.
#[track_caller]
pub fn a_switch_replaces_all_views_at_once(store: &ViewStore) {
    let old = live(store);
    let checkpoints = vec![raise(store, old, 20)];
    commit(
        store,
        &Batch {
            writes: vec![write(old, 1, 0, 1)],
            checkpoints,
            ..Batch::default()
        },
    );
    let lock = store.lock_rebuild().expect("nobody else rebuilds");
    let new = store
        .begin_building(PROJECTION, 2, &lock)
        .expect("it can be made");
    commit(store, &batch(vec![write(new, 2, 0, 1)]));
    let before = store.snapshot().expect("the store can be read");
    store
        .switch(PROJECTION, Position(10), |_| Ok(batch(vec![write(new, 3, 0, 1)])))
        .expect("it can be switched to");
    let after = store.snapshot().expect("the store can be read");

    assert_eq!(
        before
            .live(PROJECTION)
            .expect("it can be read")
            .expect("one is live")
            .generation,
        old
    );
    let live = after
        .live(PROJECTION)
        .expect("it can be read")
        .expect("one is live");
    assert_eq!((live.generation, live.revision), (new, 2));
    assert_eq!(after.checkpoint(new).expect("it can be read"), Position(20));
    assert_eq!(
        (version(store, new, 2), version(store, new, 3)),
        (Some(1), Some(1))
    );
    assert_eq!(after.building(PROJECTION).expect("it can be read"), None);
}

/// What was read stays as it was, and what was folded from it is refused when it is so no more.
#[track_caller]
pub fn what_a_snapshot_has_read_does_not_move(store: &ViewStore) {
    let generation = live(store);
    let before = store.snapshot().expect("the store can be read");
    let view = |number| before.view(generation, &stream(number)).expect("it can be read");
    assert_eq!(view(1), None);
    commit(store, &batch(vec![write(generation, 1, 0, 1)]));
    assert_eq!(view(1), None);
    assert_eq!(version(store, generation, 1), Some(1));
    assert_eq!(
        commit(store, &batch(vec![write(generation, 1, 0, 2)])),
        [Err(Refusal::OtherVersion)]
    );
}

/// What was read of two versions of a view is told, so that it is not taken for one.
#[track_caller]
pub fn what_was_read_of_two_versions_is_told(store: &ViewStore) {
    let generation = live(store);
    commit(store, &batch(vec![write(generation, 1, 0, 1)]));
    let snapshot = store.snapshot().expect("the store can be read");
    let view = snapshot.view(generation, &stream(1)).expect("it can be read");
    assert!(view.is_some_and(|view| view.version == Version(1)));
    commit(store, &batch(vec![write(generation, 1, 1, 2)]));
    let entry = |name| {
        snapshot
            .entry(generation, &stream(1), name)
            .expect("it can be read")
    };
    let is_newer = entry("entry 2").is_some();
    assert_eq!(snapshot.has_moved().expect("it can be read"), is_newer);
}

/// A generation that was dropped while it was read looks as if nobody were there.
#[track_caller]
pub fn what_is_missing_from_a_dropped_generation_is_told(store: &ViewStore) {
    let generation = live(store);
    commit(store, &batch(vec![write(generation, 1, 0, 1)]));
    let snapshot = store.snapshot().expect("the store can be read");
    store.ensure_live(PROJECTION, 2).expect("a generation is made");
    let lock = store.lock_rebuild().expect("nobody else rebuilds");
    store.sweep(&lock).expect("it can be swept");
    let is_gone = snapshot
        .view(generation, &stream(1))
        .expect("it can be read")
        .is_none();
    assert_eq!(snapshot.has_moved().expect("it can be read"), is_gone);
}

/// Pages of entries follow each other too, and what is asked for beforehand is read as if it were not.
#[track_caller]
pub fn entries_come_in_key_order_and_stay_within_their_prefix(store: &ViewStore) {
    let generation = live(store);
    let names = ["a/1", "b/3", "b/1", "b/2", "c/1"];
    let value = |name: &str| Some(name.as_bytes().to_vec());
    let entries = names.map(|name| (name.to_owned(), value(name)));
    let stored = ViewWrite {
        entries: entries.to_vec(),
        ..write(generation, 1, 0, 1)
    };
    commit(store, &batch(vec![stored]));
    let snapshot = store.snapshot().expect("the store can be read");
    let page = |after: Option<&str>, limit| {
        let rows = snapshot.entries(generation, &stream(1), "b/", after, limit);
        let rows = rows.expect("they can be read").into_iter();
        rows.map(|(name, value)| {
            assert_eq!(name, value);
            String::from_utf8_lossy(&name).into_owned()
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), ["b/1", "b/2"]);
    assert_eq!(page(Some("b/2"), 2), ["b/3"]);
    assert_eq!(page(None, usize::MAX), ["b/1", "b/2", "b/3"]);
    assert_eq!(page(Some("b/1"), 1), ["b/2"]);
    assert!(!snapshot.has_moved().expect("it can be read"));

    let fresh = store.snapshot().expect("the store can be read");
    let wanted = Wanted {
        generation,
        stream: stream(1),
        subject: Some(SubjectId(Uuid::from_u128(1))),
        entries: vec!["a/1".to_owned(), "x/1".to_owned()],
    };
    fresh.prefetch(&[wanted]).expect("it can be read");
    let entry = |name| fresh.entry(generation, &stream(1), name).expect("it can be read");
    assert_eq!(entry("a/1").as_deref(), Some(b"a/1".as_slice()));
    assert_eq!((entry("x/1"), entry("b/1").is_some()), (None, true));
}

/// Nothing is refused, whatever others write in between.
#[track_caller]
pub fn what_is_made_exclusively_is_stored_whatever_others_do(store: &ViewStore) {
    let generation = live(store);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    step(store, generation);
                }
            });
        }
    });
    assert_eq!(version(store, generation, 1), Some(100));
}

fn step(store: &ViewStore, generation: Generation) {
    let stepped = store.exclusively(|snapshot| {
        let view = snapshot.view(generation, &stream(1))?;
        let from = view.map_or(0, |view| view.version.0);
        Ok((batch(vec![write(generation, 1, from, from + 1)]), ()))
    });
    stepped.expect("it can be stored");
}

/// A view that comes up between the look for a person's views and their removal would be left over.
#[track_caller]
pub fn nothing_comes_up_while_a_person_is_forgotten(store: &ViewStore) {
    let generation = live(store);
    let person = SubjectId(Uuid::from_u128(1));
    commit(store, &batch(vec![about(person, write(generation, 1, 0, 1))]));
    let mut calls = 0;
    let forget = store.exclusively(|snapshot| {
        let mut writes = Vec::new();
        for number in [1, 2] {
            if let Some(view) = snapshot.view(generation, &stream(number))? {
                let from = view.version.0;
                writes.push(about(person, removal(generation, number, from, from + 1)));
            }
        }
        calls += 1;
        if calls == 1 && store.is_remote() {
            // Another process, which the embedded store would let wait.
            commit(store, &batch(vec![about(person, write(generation, 2, 0, 1))]));
        }
        let forgotten = vec![person];
        Ok((
            Batch {
                writes,
                forgotten,
                ..Batch::default()
            },
            (),
        ))
    });
    forget.expect("it can be stored");
    let late = commit(store, &batch(vec![about(person, write(generation, 3, 0, 1))]));
    assert_eq!(late, [Err(Refusal::Forgotten)]);
    let snapshot = store.snapshot().expect("the store can be read");
    assert!(snapshot.is_forgotten(&person).expect("it can be read"));
    for number in [1, 2] {
        let view = snapshot
            .view(generation, &stream(number))
            .expect("it can be read");
        assert!(
            view.is_none_or(|view| view.head.is_none()),
            "view {number} is left"
        );
    }
}

fn about(person: SubjectId, write: ViewWrite) -> ViewWrite {
    ViewWrite {
        subject: Some(person),
        ..write
    }
}

/// Pages neither leave out nor double a row, and stay within their partition.
#[track_caller]
pub fn pages_of_lookups_follow_each_other_both_ways(store: &ViewStore) {
    let generation = live(store);
    let mut writes: Vec<_> = (1..=5).map(|number| write(generation, number, 0, 1)).collect();
    writes[4].lookups[0].0.partition = "other".to_owned();
    commit(store, &batch(writes));
    for (direction, expected) in [
        (Direction::Ascending, ["0001", "0002", "0003", "0004"]),
        (Direction::Descending, ["0004", "0003", "0002", "0001"]),
    ] {
        let snapshot = store.snapshot().expect("the store can be read");
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().map(String::as_str);
            let page = snapshot
                .lookups(generation, ("index", "part"), after, 3, direction)
                .expect("it can be read");
            if page.is_empty() {
                break;
            }
            keys.extend(
                page.iter()
                    .map(|(key, _)| String::from_utf8_lossy(key).into_owned()),
            );
        }
        assert_eq!(keys, expected);
    }
}

/// Views of another revision are not read on; the new ones begin at the start of the log.
#[track_caller]
pub fn another_revision_begins_empty(store: &ViewStore) {
    let old = live(store);
    commit(
        store,
        &Batch {
            checkpoints: vec![raise(store, old, 5)],
            ..Batch::default()
        },
    );
    assert_eq!(live(store), old);
    let new = store.ensure_live(PROJECTION, 2).expect("a generation is made");
    assert_ne!(new, old);
    let snapshot = store.snapshot().expect("the store can be read");
    assert_eq!(snapshot.checkpoint(new).expect("it can be read"), Position(0));
}

/// What is neither live nor being built goes; what is, stays.
#[track_caller]
pub fn a_swept_generation_leaves_no_rows(store: &ViewStore) {
    let old = live(store);
    commit(store, &batch(vec![write(old, 1, 0, 1)]));
    let new = store.ensure_live(PROJECTION, 2).expect("a generation is made");
    commit(store, &batch(vec![write(new, 1, 0, 1)]));
    let lock = store.lock_rebuild().expect("nobody else rebuilds");
    store.sweep(&lock).expect("it can be swept");
    for table in Table::ALL {
        assert_eq!(
            (rows(store, table, old), rows(store, table, new)),
            (0, 1),
            "{table:?}"
        );
    }
}

/// The views of another log would be taken for this one's.
#[track_caller]
pub fn views_of_another_log_are_refused(store: &ViewStore) {
    store.claim("one").expect("they are nobody's yet");
    store.claim("one").expect("they are this log's");
    assert!(matches!(
        store.claim("another"),
        Err(crate::ViewError::OtherLog(_))
    ));
}

/// A second rebuild is told so, and may begin when the first has ended.
#[track_caller]
pub fn only_one_rebuild_runs_at_a_time(store: &ViewStore) {
    let first = store.lock_rebuild().expect("nobody else rebuilds");
    assert!(matches!(
        store.lock_rebuild(),
        Err(crate::ViewError::RebuildRunning)
    ));
    drop(first);
    store.lock_rebuild().expect("the first has ended");
}
