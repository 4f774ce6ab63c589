//! A Redis that does not answer, is full, or is not what it should be.

mod common;
mod server;

use std::time::{Duration, Instant};

use common::*;
use domain::Rating;
use eventing::consumer::{Handler, Verdict};
use projectors::{RedisConfig, StoreStatus, ViewError, ViewReader, ViewStore, testing::World};
use server::{config_of, start};
use servers::{Redis, RedisOptions};

const TIMEOUT: Duration = Duration::from_millis(400);

async fn world_on(options: RedisOptions) -> (Redis, World) {
    let server = start(options);
    let store = ViewStore::redis(config_of(&server).with_timeout(TIMEOUT)).unwrap();
    (server, World::with_views(store).await)
}

async fn until_shown(reader: &ViewReader) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = reader.taste(person(1)).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_is_no_absence_and_goes_on_where_it_was() {
    let options = RedisOptions {
        append_only: true,
        ..RedisOptions::default()
    };
    let (mut server, world) = world_on(options).await;
    some_life(&world).await;
    let (handler, reader) = (world.handler(), world.reader());
    world.catch_up(&handler).await;
    let before = reader.taste(person(1)).await.unwrap().view;

    server.kill();
    let down = reader.session(&session(1)).await;
    assert!(matches!(down, Err(ViewError::Unavailable(_))), "{down:?}");
    assert!(handler.store_checkpoint(eventing::Position(999)).await.is_err());
    assert!(matches!(world.store.status(), StoreStatus::Unavailable(_)));
    server.restart().await.unwrap();
    until_shown(&reader).await;
    assert_eq!(reader.taste(person(1)).await.unwrap().view, before);
    assert_eq!(world.store.status(), StoreStatus::Connected);
    world.catch_up(&handler).await;
    assert_as_folded(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_redis_costs_one_timeout_and_then_nothing() {
    let (server, world) = world_on(RedisOptions::default()).await;
    some_life(&world).await;
    let (handler, reader) = (world.handler(), world.reader());
    world.catch_up(&handler).await;
    until_shown(&reader).await;

    server.pause();
    let started = Instant::now();
    assert!(matches!(
        reader.taste(person(1)).await,
        Err(ViewError::Unavailable(_))
    ));
    assert!(started.elapsed() < TIMEOUT * 3, "{:?}", started.elapsed());
    let again = Instant::now();
    for _ in 0..100 {
        assert!(reader.taste(person(1)).await.is_err());
    }
    assert!(again.elapsed() < TIMEOUT * 2, "{:?}", again.elapsed());
    let verdicts = world.store.status();
    assert!(matches!(verdicts, StoreStatus::Unavailable(_)));
    server.resume();
    until_shown(&reader).await;
    assert_as_folded(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgot_its_scripts_is_told_them_again() {
    let (server, world) = world_on(RedisOptions::default()).await;
    some_life(&world).await;
    let handler = world.handler();
    server.cli(&["SCRIPT", "FLUSH"]).unwrap();
    world.catch_up(&handler).await;
    assert_as_folded(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_stores_nothing_by_halves_and_goes_on_when_there_is_space() {
    let (server, world) = world_on(RedisOptions::default()).await;
    let handler = world.handler();
    some_life(&world).await;
    world.catch_up(&handler).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1mb"]).unwrap();
    let me = person(1);
    let ratings = (10..60).map(|number| rated(number, Rating::Like));
    world.append(&listener_stream(me), Some(me), ratings).await;
    let before = world.reader().taste(me).await.unwrap();
    let verdicts = world.catch_up(&handler).await;
    assert!(
        matches!(verdicts[0].1, Verdict::RetryAfter(after) if !after.is_zero()),
        "{verdicts:?}"
    );
    assert_eq!(world.reader().taste(me).await.unwrap(), before);
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    world.catch_up(&handler).await;
    assert_as_folded(&world).await;
}

fn refusal(config: RedisConfig) -> String {
    let refused = ViewStore::redis(config).expect_err("it is refused");
    assert!(matches!(refused, ViewError::Connect { .. }), "{refused:?}");
    refused.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_or_password_is_told_with_its_setting() {
    let options = RedisOptions {
        password: Some("right".to_owned()),
        ..RedisOptions::default()
    };
    let server = start(options);
    assert!(refusal(RedisConfig::new("127.0.0.1", 1)).contains("REDIS_HOST"));
    assert!(refusal(RedisConfig::new("no.such.host.invalid", 6379)).contains("REDIS_HOST"));
    for wrong in [None, Some("wrong".to_owned())] {
        let config = config_of(&server).with_password(wrong);
        assert!(refusal(config).contains("REDIS_PASSWORD"));
    }
    ViewStore::redis(config_of(&server)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_throws_keys_away_is_refused() {
    let arguments = ["--maxmemory-policy", "allkeys-lru"].map(str::to_owned).to_vec();
    let server = start(RedisOptions {
        arguments,
        ..RedisOptions::default()
    });
    assert!(refusal(config_of(&server)).contains("noeviction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forbids_the_channel_serves_everything_else() {
    let (server, world) = world_on(RedisOptions::default()).await;
    server
        .cli(&["ACL", "SETUSER", "default", "resetchannels"])
        .unwrap();
    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
    some_life(&world).await;
    let (handler, reader) = (world.handler(), world.reader());
    let verdicts = world.catch_up(&handler).await;
    let is_done = |verdict: &Verdict| *verdict == Verdict::Done;
    assert!(
        verdicts.iter().all(|(_, verdict)| is_done(verdict)),
        "{verdicts:?}"
    );
    // The listener tries again and again meanwhile.
    let until = Instant::now() + Duration::from_millis(1_500);
    while Instant::now() < until {
        reader.taste(person(1)).await.unwrap();
        assert_eq!(world.store.status(), StoreStatus::Connected);
    }
    assert_as_folded(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_asks_nothing_knows_whether_redis_answers() {
    let (mut server, world) = world_on(RedisOptions::default()).await;
    let until = async |wanted: fn(&StoreStatus) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !wanted(&world.store.status()) {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until(|status| *status == StoreStatus::Connected).await;
    server.kill();
    until(|status| *status != StoreStatus::Connected).await;
    server.restart().await.unwrap();
    until(|status| *status == StoreStatus::Connected).await;
}
