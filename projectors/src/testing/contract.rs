//! The contract of every view store. [`view_store_contract!`](crate::view_store_contract) runs it on an adapter.
//!
//! Each function takes an empty store and panics where the store breaks its word.

use eventing::{Position, StreamId, SubjectId, Version};
use uuid::Uuid;

use crate::{
    ViewStore,
    store::{Batch, Direction, Generation, LookupKey, Refusal, Table, ViewWrite},
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
    }
}

fn batch(writes: Vec<ViewWrite>) -> Batch {
    Batch {
        writes,
        ..Batch::default()
    }
}

fn commit(store: &ViewStore, batch: &Batch) -> Vec<Result<(), Refusal>> {
    store.commit(batch).expect("the store can be written")
}

fn version(store: &ViewStore, generation: Generation, number: u128) -> Option<u64> {
    let snapshot = store.snapshot().expect("the store can be read");
    snapshot
        .view(generation, &stream(number))
        .expect("the view can be read")
        .map(|view| view.version.0)
}

fn rows(store: &ViewStore, table: Table, generation: Generation) -> usize {
    let snapshot = store.snapshot().expect("the store can be read");
    snapshot
        .rows(table, generation)
        .expect("the rows can be read")
        .count()
}

/// Views, entries, lookups and the checkpoint of a batch are there together.
#[track_caller]
pub fn a_batch_is_stored_whole(store: &ViewStore) {
    let generation = live(store);
    let checkpoints = vec![(PROJECTION, generation, Position(10))];
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
        (view.version, view.position, view.head),
        (Version(1), Position(10), Some(b"head 1".as_slice()))
    );
    let entry = snapshot
        .entry(generation, &stream(1), "entry 1")
        .expect("it can be read");
    assert_eq!(entry, Some(b"value".as_slice()));
    let lookup = snapshot
        .lookup(generation, &LookupKey::new("index", "part", "0001"))
        .expect("it can be read");
    assert_eq!(lookup, Some(b"value".as_slice()));
    assert_eq!(
        snapshot.checkpoint(generation).expect("it can be read"),
        Position(10)
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
        let checkpoints = vec![(PROJECTION, generation, Position(position))];
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
    let checkpoints = vec![(PROJECTION, old, Position(20))];
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

/// What was opened for reading stays as it was.
#[track_caller]
pub fn a_snapshot_does_not_move(store: &ViewStore) {
    let generation = live(store);
    let before = store.snapshot().expect("the store can be read");
    commit(store, &batch(vec![write(generation, 1, 0, 1)]));
    assert_eq!(before.view(generation, &stream(1)).expect("it can be read"), None);
    assert_eq!(version(store, generation, 1), Some(1));
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
            checkpoints: vec![(PROJECTION, old, Position(5))],
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
