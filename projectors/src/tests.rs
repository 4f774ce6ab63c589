//! What needs the inside of the store: damage, a full map, and crashes.

use std::{
    error::Error as _,
    process::Command,
    time::{Duration, Instant},
};

use domain::{
    AccountId, Described, Digest, ListenerEvent, Rating, SessionHash, TrackId,
    account::{Registered, SignedIn},
    listener::TrackRated,
};
use eventing::{
    Position, StreamId, Version,
    consumer::{Handler, Verdict},
};
use uuid::Uuid;

use crate::{
    Difference, DifferenceKind, ProjectionHandler, ProjectionKind, RedisConfig, ViewError, ViewStore,
    rebuild, replay,
    store::{Batch, Generation, Table},
    testing::World,
};

fn me() -> AccountId {
    AccountId::new(Uuid::from_u128(1))
}

fn listener() -> StreamId {
    StreamId::parse(&me().listener_stream_name()).unwrap()
}

fn account() -> StreamId {
    StreamId::parse(&me().stream_name()).unwrap()
}

fn rated(number: u32) -> ListenerEvent {
    let described = Described {
        schema: Digest::of("s"),
        z: vec![1; 12],
        artists: vec!["a".to_owned()],
    };
    let track = TrackId::parse(format!("t{number}")).unwrap();
    TrackRated {
        track,
        rating: Rating::Like,
        rated_at: chrono::DateTime::UNIX_EPOCH,
        described,
    }
    .into()
}

fn signed_in() -> SignedIn {
    let at = chrono::DateTime::UNIX_EPOCH;
    SignedIn {
        session: SessionHash::of("token"),
        signed_in_at: at,
        idle_ttl_s: 1,
        expires_at: at,
    }
}

async fn world() -> World {
    let world = World::new().await;
    live_a_little(&world).await;
    world
}

async fn live_a_little(world: &World) {
    let registered = Registered {
        account: me(),
        username: "x".to_owned(),
        password_hash: "x".to_owned(),
        role: domain::Role::Listener,
        registered_at: chrono::DateTime::UNIX_EPOCH,
    };
    world
        .append(
            &account(),
            Some(me()),
            [domain::AccountEvent::from(registered), signed_in().into()],
        )
        .await;
    world.append(&listener(), Some(me()), [rated(1), rated(2)]).await;
    world.catch_up(&world.handler()).await;
}

fn live(world: &World, kind: ProjectionKind) -> Generation {
    world
        .store
        .snapshot()
        .unwrap()
        .live(kind.name())
        .unwrap()
        .unwrap()
        .generation
}

fn row(world: &World, kind: ProjectionKind, table: Table, nth: usize) -> (Vec<u8>, Vec<u8>) {
    let frozen = world.store.frozen(&[live(world, kind)]).unwrap();
    let mut rows = frozen.snapshot.rows(table, live(world, kind)).unwrap();
    let (key, value) = rows.nth(nth).unwrap().unwrap();
    (key.to_vec(), value.to_vec())
}

async fn found(world: &World) -> Difference {
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(!replayed.is_identical());
    replayed.first_difference().unwrap().clone()
}

/// Damages a row, and answers what a replay finds.
async fn found_after(
    kind: ProjectionKind,
    table: Table,
    damage: impl Fn(&[u8], &[u8]) -> (Vec<u8>, Option<Vec<u8>>),
) -> Difference {
    let world = world().await;
    let (key, value) = row(&world, kind, table, 0);
    let (key, value) = damage(&key, &value);
    world
        .store
        .tamper(table, live(&world, kind), &key, value.as_deref());
    let difference = found(&world).await;
    let rebuilt = rebuild(&world.store, &world.log, &world.keys, kind)
        .await
        .unwrap();
    assert!(rebuilt.differences > 0 || difference.what.starts_with("version") || difference.what == "view");
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(
        replayed.is_identical(),
        "a rebuild makes it whole: {:?}",
        replayed.first_difference()
    );
    difference
}

fn replaced(value: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = value
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .expect("it is there");
    [&value[..at], to.as_bytes(), &value[at + from.len()..]].concat()
}

#[tokio::test]
async fn a_replay_names_the_field_of_a_view_that_was_changed() {
    let difference = found_after(ProjectionKind::TasteModels, Table::Views, |key, value| {
        (key.to_vec(), Some(replaced(value, "\"likes\":2", "\"likes\":3")))
    });
    let difference = difference.await;
    assert_eq!(difference.stream, Some(listener()));
    assert_eq!(
        (difference.kind, difference.what.as_str()),
        (DifferenceKind::Changed, "field /likes")
    );
}

#[tokio::test]
async fn a_replay_finds_a_view_that_was_taken_away() {
    let difference = found_after(ProjectionKind::TasteModels, Table::Views, |key, _| {
        (key.to_vec(), None)
    })
    .await;
    assert_eq!(
        (difference.kind, difference.stream),
        (DifferenceKind::Missing, Some(listener()))
    );
}

#[tokio::test]
async fn a_replay_finds_a_view_that_no_event_made() {
    let stranger = StreamId::new("listener", Uuid::from_u128(9));
    let difference = found_after(ProjectionKind::TasteModels, Table::Views, |_, value| {
        (stranger.as_str().as_bytes().to_vec(), Some(value.to_vec()))
    });
    let difference = difference.await;
    assert_eq!(
        (difference.kind, difference.stream),
        (DifferenceKind::Surplus, Some(stranger.clone()))
    );
}

#[tokio::test]
async fn a_replay_finds_a_view_at_another_version() {
    let difference = found_after(ProjectionKind::TasteModels, Table::Views, |key, value| {
        let mut value = value.to_vec();
        value[7] = 1;
        (key.to_vec(), Some(value))
    });
    assert_eq!(difference.await.what, "version 1, which should be 2,");
}

#[tokio::test]
async fn a_replay_finds_an_entry_that_was_changed_or_taken_away() {
    for replacement in [Some(b"{}".to_vec()), None] {
        let difference = found_after(ProjectionKind::TasteModels, Table::Entries, |key, _| {
            (key.to_vec(), replacement.clone())
        });
        let difference = difference.await;
        assert_eq!(
            (difference.stream, difference.what),
            (Some(listener()), format!("entry a/{}", domain::Digest::of("a")))
        );
    }
}

#[tokio::test]
async fn a_replay_finds_a_session_that_was_slipped_in_or_taken_away() {
    let surplus = found_after(ProjectionKind::Accounts, Table::Lookups, |key, value| {
        (
            replaced(key, "session\0\0", "session\0\0ff"),
            Some(value.to_vec()),
        )
    });
    let surplus = surplus.await;
    assert_eq!(
        (surplus.kind, surplus.stream),
        (DifferenceKind::Surplus, Some(account()))
    );
    let missing = found_after(ProjectionKind::Accounts, Table::Lookups, |key, _| {
        (key.to_vec(), None)
    })
    .await;
    assert_eq!(
        (missing.kind, missing.stream),
        (DifferenceKind::Missing, Some(account()))
    );
}

#[tokio::test]
async fn a_view_of_an_erased_person_that_was_put_back_is_found() {
    let world = world().await;
    let kind = ProjectionKind::TasteModels;
    let (key, value) = row(&world, kind, Table::Views, 0);
    let erased = domain::account::Erased {
        erased_at: chrono::DateTime::UNIX_EPOCH,
    };
    world
        .append(&account(), Some(me()), [domain::AccountEvent::from(erased)])
        .await;
    world.catch_up(&world.handler()).await;
    world.destroy_key(me()).await;
    world
        .store
        .tamper(Table::Views, live(&world, kind), &key, Some(&value));
    let difference = found(&world).await;
    assert_eq!(
        (difference.stream, difference.what.as_str()),
        (Some(listener()), "removal")
    );
}

#[tokio::test]
async fn a_damaged_entry_parks_its_stream_and_no_other() {
    let world = world().await;
    let kind = ProjectionKind::TasteModels;
    let (key, _) = row(&world, kind, Table::Entries, 0);
    world
        .store
        .tamper(Table::Entries, live(&world, kind), &key, Some(b"{}"));
    world.append(&listener(), Some(me()), [rated(1)]).await;
    let verdicts = world.catch_up(&world.handler()).await;
    assert!(matches!(verdicts[0].1, Verdict::DeadLetter(_)), "{verdicts:?}");
}

/// LMDB cannot be told to be smaller than what it holds, so a small map stands for a full disk.
#[tokio::test]
async fn a_full_store_asks_for_patience_and_goes_on_when_there_is_space() {
    let world = World::new().await;
    let dir = world.dir().join("small");
    let small = ViewStore::open_sized(&dir, 32 * 4096).unwrap();
    let handler =
        ProjectionHandler::new(small, world.keys.clone(), "test", &[ProjectionKind::TasteModels]).unwrap();
    for part in 0..10 {
        world
            .append(
                &listener(),
                Some(me()),
                (0..100).map(|number| rated(part * 100 + number)),
            )
            .await;
    }
    let verdicts = world.catch_up(&handler).await;
    assert!(
        matches!(verdicts[0].1, Verdict::RetryAfter(after) if !after.is_zero()),
        "{verdicts:?}"
    );
    assert_eq!(
        handler.applied(&[listener()]).await.unwrap(),
        [Version(0)],
        "nothing is half stored"
    );

    drop(handler);
    let large = ViewStore::open(&dir).unwrap();
    let handler =
        ProjectionHandler::new(large, world.keys.clone(), "test", &[ProjectionKind::TasteModels]).unwrap();
    assert_eq!(world.catch_up(&handler).await[0].1, Verdict::Done);
}

#[test]
fn a_folder_that_is_no_view_store_is_not_taken_for_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("data.mdb"), vec![7_u8; 8192]).unwrap();
    assert!(matches!(
        ViewStore::open(dir.path()),
        Err(ViewError::Corrupt { .. })
    ));
}

const CHILD_DIR: &str = "PROJECTORS_TEST_CHILD_DIR";

/// Not a test: what a child process does, when a test below starts this program again.
#[tokio::test]
#[ignore = "is run by other tests, in a process of its own"]
async fn child_that_keeps_views() {
    let dir = std::path::PathBuf::from(std::env::var_os(CHILD_DIR).expect("a test runs this"));
    let log = eventing::EventLog::open(eventing::LogConfig::new(&dir))
        .await
        .unwrap();
    let master = eventing::MasterKey::from_hex(&"07".repeat(32)).unwrap();
    let keys = eventing::Keys::open(dir.join("child"), master).await.unwrap();
    let store = ViewStore::open(dir.join("views")).unwrap();
    let handler = ProjectionHandler::new(store, keys, "test", &[ProjectionKind::Library]).unwrap();
    let events = log.read_after(eventing::Position(0), 9).await.unwrap();
    let run = eventing::consumer::Run {
        stream: events[0].stream.clone(),
        events: events.into_iter().map(std::sync::Arc::new).collect(),
    };
    assert_eq!(handler.handle(vec![run]).await, [Verdict::Done]);
    let stored = handler.store_checkpoint(eventing::Position(1)).await;
    stored.expect("the checkpoint can be stored");
}

async fn after_a_child(failpoint: Option<&str>) -> (World, bool) {
    let world = World::new().await;
    let catalogue = StreamId::new("catalogue", domain::CatalogueId::MAIN.uuid());
    let imported = domain::catalogue::Imported {
        version: Digest::of("v"),
        tracks: 1,
        schema: domain::FeatureSchema::default(),
        blob: Digest::of("v"),
        source: None,
        imported_at: chrono::DateTime::UNIX_EPOCH,
    };
    world
        .append(&catalogue, None, [domain::CatalogueEvent::from(imported)])
        .await;
    std::fs::create_dir(world.dir().join("child")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "tests::child_that_keeps_views", "--ignored"])
        .env(CHILD_DIR, world.dir());
    failpoint.map(|name| child.env("SEGUE_FAILPOINT", name));
    let output = child.output().unwrap();
    (world, output.status.success())
}

#[tokio::test]
async fn what_another_process_stores_is_seen_here() {
    let (world, went_well) = after_a_child(None).await;
    assert!(went_well);
    assert!(world.reader().catalogue().await.unwrap().is_some());
}

#[tokio::test]
async fn a_process_that_dies_before_its_commit_leaves_nothing_and_after_it_everything() {
    // The views of a batch are one commit, their checkpoint the next: it is never ahead of them.
    let moments = [
        ("view.before_commit:1", false, 0),
        ("view.after_commit:1", true, 0),
        ("view.before_commit:2", true, 0),
        ("view.after_commit:2", true, 1),
    ];
    for (failpoint, expected, checkpoint) in moments {
        let (world, went_well) = after_a_child(Some(failpoint)).await;
        assert!(!went_well, "{failpoint} was not passed");
        let reader = world.reader();
        assert_eq!(
            reader.catalogue().await.unwrap().is_some(),
            expected,
            "{failpoint}"
        );
        assert_eq!(
            reader.checkpoint(ProjectionKind::Library).await.unwrap().0,
            checkpoint,
            "{failpoint}"
        );
        world.catch_up(&world.handler()).await;
        assert!(
            reader.catalogue().await.unwrap().is_some(),
            "the next process goes on"
        );
    }
}

/// What was folded into the new generation before a restart may be lost, and nothing else would tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_meets_a_restart_of_redis_does_not_switch() {
    let options = servers::RedisOptions {
        append_only: true,
        ..servers::RedisOptions::default()
    };
    let mut server = servers::Redis::start(options).await.unwrap();
    let store = ViewStore::redis(RedisConfig::new("127.0.0.1", server.port())).unwrap();
    let world = World::with_views(store.clone()).await;
    live_a_little(&world).await;
    let kind = ProjectionKind::TasteModels;
    let before = live(&world, kind);
    let lock = store.lock_rebuild().unwrap();
    store.begin_building(kind.name(), kind.revision(), &lock).unwrap();
    server.restart().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while store.snapshot().is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let switched = store.switch(kind.name(), Position::START, |_| Ok(Batch::default()));
    let why = switched.unwrap_err().source().unwrap().to_string();
    assert!(why.contains("rebuild again"), "{why}");
    assert_eq!(live(&world, kind), before);
    store.abandon(kind.name(), &lock).unwrap();
    drop(lock);
    let rebuilt = rebuild(&store, &world.log, &world.keys, kind).await.unwrap();
    assert_eq!((rebuilt.replaced, rebuilt.first_difference), (Some(before), None));
}
