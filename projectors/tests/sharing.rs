//! Processes that share views in one Redis: here each is a store of its own under the same prefix.

mod common;
mod server;

use std::time::{Duration, Instant};

use common::*;
use domain::{AccountEvent, Rating, account::Erased};
use eventing::{
    Version,
    consumer::{Handler, Run, Verdict},
};
use projectors::{
    Change, Generation, ProjectionHandler, ProjectionKind, RedisConfig, ViewStore, digest, rebuild,
    testing::World,
};
use server::{SERVER, config_of, shared_config, start};
use servers::RedisOptions;

struct Shared {
    world: World,
    config: RedisConfig,
}

impl Shared {
    async fn new() -> Self {
        let config = shared_config();
        let store = ViewStore::redis(config.clone()).unwrap();
        let world = World::with_views(store).await;
        Self { world, config }
    }

    /// What another process has open.
    fn other_store(&self) -> ViewStore {
        ViewStore::redis(self.config.clone()).unwrap()
    }

    fn other_handler(&self) -> ProjectionHandler {
        let keys = self.world.keys.clone();
        ProjectionHandler::new(self.other_store(), keys, "test", &ProjectionKind::ALL).unwrap()
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.config.prefix)
    }
}

async fn hand_over_singly(world: &World, handler: &ProjectionHandler) {
    let events = world.log.read_after(eventing::Position(0), 10_000).await.unwrap();
    for event in events.into_iter().filter(|event| handler.wants(&event.stream)) {
        let run = Run {
            stream: event.stream.clone(),
            events: vec![std::sync::Arc::new(event)],
        };
        while matches!(handler.handle(vec![run.clone()]).await[0], Verdict::RetryAfter(_)) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_history_gives_the_same_digests_in_both_stores() {
    let shared = Shared::new().await;
    let embedded = World::new().await;
    some_life(&shared.world).await;
    shared.world.catch_up(&shared.world.handler()).await;
    let keys = shared.world.keys.clone();
    let handler = ProjectionHandler::new(embedded.store.clone(), keys, "test", &ProjectionKind::ALL).unwrap();
    shared.world.catch_up(&handler).await;
    for kind in ProjectionKind::ALL {
        assert_eq!(
            digest(&shared.world.store, kind).unwrap(),
            digest(&embedded.store, kind).unwrap(),
            "{kind}"
        );
    }
    let (one, other) = (shared.world.reader(), embedded.reader());
    let me = person(1);
    assert_eq!(
        one.listener_taste(me).await.unwrap().view,
        other.listener_taste(me).await.unwrap().view
    );
    assert_eq!(
        one.ratings_page(me, None, 1).await.unwrap().items,
        other.ratings_page(me, None, 1).await.unwrap().items
    );
    assert_eq!(
        one.playlists_of(me, None, 9).await.unwrap().items.len(),
        other.playlists_of(me, None, 9).await.unwrap().items.len()
    );
    assert_eq!(
        one.playlist_with_tracks(playlist(1))
            .await
            .unwrap()
            .map(|viewed| viewed.view),
        other
            .playlist_with_tracks(playlist(1))
            .await
            .unwrap()
            .map(|viewed| viewed.view)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_compete_apply_every_event_once() {
    let shared = Shared::new().await;
    let world = &shared.world;
    let me = person(1);
    let plays = (1..=60).map(|number| played(number, 1));
    world.append(&listener_stream(me), Some(me), plays).await;
    some_life_of_others(world).await;
    let handlers = [
        shared.other_handler(),
        shared.other_handler(),
        shared.other_handler(),
    ];
    let working = handlers.iter().map(|handler| hand_over_singly(world, handler));
    futures::future::join_all(working).await;
    let taste = world.reader().taste(me).await.unwrap();
    assert_eq!((taste.view.plays, taste.version), (60, Version(60)));
    world.catch_up(&world.handler()).await;
    assert_as_folded(world).await;
}

async fn some_life_of_others(world: &World) {
    for number in 2..=4 {
        one_life(world, number).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_left_when_they_are_erased_while_others_write() {
    for round in 0..5 {
        let shared = Shared::new().await;
        let world = &shared.world;
        let me = person(1);
        one_life(world, 1).await;
        world.catch_up(&world.handler()).await;
        let plays = (1..=20).map(|number| played(number, round));
        world.append(&listener_stream(me), Some(me), plays).await;
        for number in 10..14 {
            let list = playlist(number);
            world
                .append(&playlist_stream(list), Some(me), [requested(list, me)])
                .await;
        }
        let erased = AccountEvent::from(Erased { erased_at: at(9) });
        world.append(&account_stream(me), Some(me), [erased]).await;
        let (one, other) = (shared.other_handler(), shared.other_handler());
        tokio::join!(hand_over_singly(world, &one), async {
            let account = world
                .log
                .read_stream(&account_stream(me), Version(0), 9)
                .await
                .unwrap();
            world.hand_over(&other, account, None).await;
        });
        let reader = world.reader();
        assert_eq!(reader.account(me).await.unwrap(), None);
        assert!(reader.playlists_of(me, None, 9).await.unwrap().items.is_empty());
        assert!(reader.pending_playlists(9).await.unwrap().is_empty());
        assert!(reader.ratings_page(me, None, 9).await.unwrap().items.is_empty());
        assert_eq!(reader.session(&session(1)).await.unwrap(), None);
        world.catch_up(&world.handler()).await;
        world.destroy_key(me).await;
        assert_as_folded(world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_beside_working_handlers_loses_nothing() {
    let shared = Shared::new().await;
    let world = &shared.world;
    some_life(world).await;
    world.catch_up(&world.handler()).await;
    let (me, rebuilder) = (person(1), shared.other_store());
    let handler = world.handler();
    for round in 0..3 {
        let rebuilds = rebuild(&rebuilder, &world.log, &world.keys, ProjectionKind::TasteModels);
        let works = async {
            for number in 0..20 {
                world
                    .append(&listener_stream(me), Some(me), [played(number, round)])
                    .await;
                world.catch_up(&handler).await;
            }
        };
        let (rebuilt, ()) = tokio::join!(rebuilds, works);
        assert_eq!(rebuilt.unwrap().first_difference, None);
    }
    // What met the fence was to be tried again, and what was held up with it.
    let deadline = Instant::now() + Duration::from_secs(20);
    while handler.checkpoint().await.unwrap() < world.log.head().await.unwrap() {
        assert!(Instant::now() < deadline);
        world.catch_up(&handler).await;
    }
    assert_eq!(world.reader().taste(me).await.unwrap().view.plays, 61);
    assert_as_folded(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_leaves_the_same_views_and_none_of_the_old_keys() {
    let shared = Shared::new().await;
    let world = &shared.world;
    some_life(world).await;
    world.catch_up(&world.handler()).await;
    let keys = || {
        SERVER
            .cli(&["--scan", "--pattern", &shared.key("*")])
            .unwrap()
            .lines()
            .count()
    };
    let before = keys();
    for kind in ProjectionKind::ALL {
        let old = digest(&world.store, kind).unwrap();
        let status = world.reader().status(kind).await.unwrap();
        let rebuilt = rebuild(&world.store, &world.log, &world.keys, kind)
            .await
            .unwrap();
        assert_eq!(
            (rebuilt.first_difference, rebuilt.replaced),
            (None, status.generation)
        );
        assert_eq!(digest(&world.store, kind).unwrap(), old);
        assert_eq!(world.reader().status(kind).await.unwrap().views, status.views);
    }
    assert_eq!(keys(), before);
    assert_as_folded(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_behind_a_fence_and_go_on_when_its_rebuild_has_died() {
    let shared = Shared::new().await;
    let world = &shared.world;
    let (handler, me) = (world.handler(), person(1));
    let fence = shared.key("fence:taste-models");
    SERVER.cli(&["SET", &fence, "somebody", "PX", "700"]).unwrap();
    world.append(&listener_stream(me), Some(me), [played(1, 1)]).await;
    let verdicts = world.catch_up(&handler).await;
    assert!(
        matches!(verdicts[0].1, Verdict::RetryAfter(after) if !after.is_zero()),
        "{verdicts:?}"
    );
    assert_eq!(world.reader().taste(me).await.unwrap().version, Version(0));
    assert!(
        rebuild(&world.store, &world.log, &world.keys, ProjectionKind::TasteModels)
            .await
            .is_err(),
        "another rebuild does not take the fence over"
    );
    tokio::time::sleep(Duration::from_millis(800)).await;
    world.catch_up(&handler).await;
    assert_eq!(world.reader().taste(me).await.unwrap().version, Version(1));
    rebuild(&world.store, &world.log, &world.keys, ProjectionKind::TasteModels)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_stores_is_heard() {
    let shared = Shared::new().await;
    let world = &shared.world;
    let mut changes = shared.other_store().reader().changes();
    let other = shared.other_store();
    let mut heard = other.reader().changes();
    let (handler, me) = (world.handler(), person(1));
    // The listener may still be connecting, so there may be something to hear several times.
    let deadline = Instant::now() + Duration::from_secs(20);
    for number in 1.. {
        assert!(Instant::now() < deadline);
        world
            .append(&listener_stream(me), Some(me), [played(number, 1)])
            .await;
        world.catch_up(&handler).await;
        let next = tokio::time::timeout(Duration::from_millis(100), heard.next()).await;
        let Ok(Some(next)) = next else { continue };
        assert!(next.iter().any(|change| matches!(change,
            Change::View { projection: "taste-models", stream, .. } if *stream == listener_stream(me))));
        break;
    }
    let dropped = tokio::time::timeout(Duration::from_millis(10), changes.next()).await;
    assert!(dropped.is_err(), "a store that was dropped hears nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_beside_a_working_handler_takes_no_change_for_a_difference() {
    let shared = Shared::new().await;
    let world = &shared.world;
    some_life(world).await;
    let handler = world.handler();
    world.catch_up(&handler).await;
    let me = person(1);
    let works = async {
        for number in 100..130 {
            world
                .append(&account_stream(me), Some(me), [signed_in(number)])
                .await;
            world
                .append(&listener_stream(me), Some(me), [played(1, number.into())])
                .await;
            world.catch_up(&handler).await;
        }
    };
    let replays = async {
        for _ in 0..5 {
            let replayed = projectors::replay(&world.store, &world.log, &world.keys)
                .await
                .unwrap();
            assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
        }
    };
    tokio::join!(works, replays);
}

/// Each names what it is done to, by the names of `docs/views.md`.
async fn finds_and_heals(damage: impl Fn(&Shared, Generation, Generation) -> Vec<String>) {
    let shared = Shared::new().await;
    let world = &shared.world;
    some_life(world).await;
    world.catch_up(&world.handler()).await;
    let generation = async |kind| world.reader().status(kind).await.unwrap().generation.unwrap();
    let accounts = generation(ProjectionKind::Accounts).await;
    let tastes = generation(ProjectionKind::TasteModels).await;
    let damage = damage(&shared, accounts, tastes);
    SERVER
        .cli(&damage.iter().map(String::as_str).collect::<Vec<_>>())
        .unwrap();
    let replayed = projectors::replay(&world.store, &world.log, &world.keys)
        .await
        .unwrap();
    assert!(!replayed.is_identical(), "{damage:?}");
    for kind in [ProjectionKind::Accounts, ProjectionKind::TasteModels] {
        rebuild(&world.store, &world.log, &world.keys, kind)
            .await
            .unwrap();
    }
    assert_as_folded(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_finds_what_was_changed_in_redis_and_a_rebuild_heals_it() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    finds_and_heals(|shared, accounts, _| {
        let sessions = shared.key(&format!("lookup:{accounts}:session:"));
        words(&["ZREMRANGEBYRANK", &sessions, "0", "0"])
    })
    .await;
    finds_and_heals(|shared, _, tastes| {
        let view = shared.key(&format!("view:{tastes}:{}", listener_stream(person(1))));
        words(&["HDEL", &view, "r/track-1"])
    })
    .await;
    finds_and_heals(|shared, _, tastes| {
        let view = shared.key(&format!("view:{tastes}:{}", listener_stream(person(2))));
        words(&["DEL", &view])
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_of_a_listener_is_of_one_version() {
    let shared = Shared::new().await;
    let world = &shared.world;
    let (handler, me) = (world.handler(), person(1));
    world
        .append(&listener_stream(me), Some(me), [rated(0, Rating::Like)])
        .await;
    world.catch_up(&handler).await;
    let reader = shared.other_store().reader();
    let reads = async {
        loop {
            let seen = reader.listener_taste(me).await.unwrap();
            assert_eq!(seen.view.ratings.len() as u64, seen.version.0);
            let page = reader.ratings_page(me, None, 1_000).await.unwrap();
            let after = reader.taste(me).await.unwrap();
            assert!((seen.version.0..=after.version.0).contains(&(page.items.len() as u64)));
            if seen.version.0 > 80 {
                return;
            }
        }
    };
    let writes = async {
        for number in 1..=80 {
            world
                .append(&listener_stream(me), Some(me), [rated(number, Rating::Like)])
                .await;
            world.catch_up(&handler).await;
        }
    };
    tokio::join!(reads, writes);
}

/// Views that begin anew while a sweep is under way are in none of the generations that it knew at its start.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_leaves_views_alone_that_begin_meanwhile() {
    let server = start(RedisOptions::default());
    let config = config_of(&server);
    let store = || ViewStore::redis(config.clone()).unwrap();
    let world = &World::with_views(store()).await;
    some_life(world).await;
    world.catch_up(&world.handler()).await;
    // So many keys that the sweep takes a while.
    let fill = "for i = 1, 100000 do redis.call('SET', ARGV[1] .. i, '') end";
    server
        .cli(&["EVAL", fill, "0", &format!("{}filler:", config.prefix)])
        .unwrap();
    let (rebuilder, kind) = (store(), ProjectionKind::Accounts);
    let handler = world.handler_of(&[kind]);
    let rebuilds = rebuild(&rebuilder, &world.log, &world.keys, ProjectionKind::Library);
    let mut rebuilds = std::pin::pin!(rebuilds);
    loop {
        let rebuilt = tokio::time::timeout(Duration::from_millis(20), &mut rebuilds).await;
        let views = store().reader().status(kind).await.unwrap().views;
        assert_eq!(views, 5);
        if let Ok(rebuilt) = rebuilt {
            rebuilt.unwrap();
            return;
        }
        server
            .cli(&["HDEL", &format!("{}meta", config.prefix), "live/accounts"])
            .unwrap();
        world.catch_up(&handler).await;
    }
}
