//! A Redis that loses what it was told is noticed, shows nothing old meanwhile, and is healed from the log.

mod common;
mod server;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::*;
use domain::Rating;
use eventing::{
    Position, RecordedEvent,
    consumer::{Handler, Run},
};
use projectors::{
    ProjectionHandler, ProjectionKind, StoreStatus, ViewError, ViewReader, ViewStore, rebuild, testing::World,
};
use server::{config_of, start};
use servers::{Redis, RedisOptions};

struct Lost {
    server: Redis,
    world: World,
}

impl Lost {
    async fn new() -> Self {
        let server = start(RedisOptions::default());
        let store = ViewStore::redis(config_of(&server)).unwrap();
        let world = World::with_views(store).await;
        Self { server, world }
    }

    /// Puts an older dump back, and waits until the store has noticed that the server is there again.
    async fn restore(&mut self, dump: &[u8]) {
        self.server.restore(dump).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while self
            .world
            .store
            .reader()
            .catalogues()
            .await
            .is_err_and(|error| is_silence(&error))
        {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn rate(&self, number: u32) -> Vec<RecordedEvent> {
        let (stream, me) = (listener_stream(person(1)), person(1));
        self.world
            .append(&stream, Some(me), [rated(number, Rating::Like)])
            .await
    }
}

fn is_silence(error: &ViewError) -> bool {
    matches!(error, ViewError::Unavailable(_))
}

async fn is_refused(reader: &ViewReader) -> bool {
    let session = reader.session(&session(1)).await;
    let taste = reader.taste(person(1)).await;
    let refused = |error: Option<ViewError>| matches!(error, Some(ViewError::BeingRebuilt(_)));
    refused(session.err()) && refused(taste.err())
}

async fn likes(reader: &ViewReader) -> u64 {
    reader.taste(person(1)).await.unwrap().view.likes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_shows_nothing_until_the_log_was_folded_again() {
    let lost = Lost::new().await;
    let (world, reader) = (&lost.world, lost.world.reader());
    some_life(world).await;
    let handler = world.handler();
    world.catch_up(&handler).await;
    assert!(reader.session(&session(1)).await.unwrap().is_some());
    let before = likes(&reader).await;

    lost.server.cli(&["FLUSHALL"]).unwrap();
    assert!(is_refused(&reader).await, "nothing is there");
    assert_eq!(handler.checkpoint().await.unwrap(), Position(0));
    assert!(is_refused(&reader).await, "empty views are there");
    let events = world.log.read_after(Position(0), 3).await.unwrap();
    world.hand_over(&handler, events, Some(Position(3))).await;
    assert!(is_refused(&reader).await, "a part is there");

    world.catch_up(&handler).await;
    assert!(reader.session(&session(1)).await.unwrap().is_some());
    assert_eq!(likes(&reader).await, before);
    assert_as_folded(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_at_work_makes_views_again_and_claims_nothing_that_is_lost() {
    let lost = Lost::new().await;
    let world = &lost.world;
    some_life(world).await;
    let handler = world.handler();
    world.catch_up(&handler).await;
    lost.server.cli(&["FLUSHALL"]).unwrap();
    let new = lost.rate(9).await;
    let head = new[0].position;
    world.hand_over(&handler, new, Some(head)).await;
    handler.store_checkpoint(head).await.expect("an answer");
    let stored = world.store.reader();
    assert!(stored.checkpoint(ProjectionKind::TasteModels).await.unwrap() < head);
    assert!(handler.checkpoint().await.unwrap() < head, "the consumer is told");
    world.catch_up(&handler).await;
    assert_as_folded(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_dump_is_noticed_and_folded_on_from_its_own_checkpoint() {
    let mut lost = Lost::new().await;
    some_life(&lost.world).await;
    let handler = lost.world.handler();
    lost.world.catch_up(&handler).await;
    let (dump, then) = (lost.server.dump().unwrap(), handler.checkpoint().await.unwrap());
    let reader = lost.world.reader();
    let new = lost.rate(9).await;
    lost.world.catch_up(&handler).await;
    let before = likes(&reader).await;
    reader.session(&session(1)).await.unwrap();

    lost.restore(&dump).await;
    assert!(is_refused(&reader).await);
    handler
        .store_checkpoint(new[0].position.next())
        .await
        .expect("an answer");
    assert!(
        is_refused(&reader).await,
        "the checkpoint is not raised over what is lost"
    );
    assert_eq!(handler.checkpoint().await.unwrap(), then);
    lost.world.catch_up(&handler).await;
    assert_eq!(likes(&reader).await, before);
    assert_as_folded(&lost.world).await;
}

/// The checkpoint alone does not tell: it stood at the same place before and after.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_was_stored_after_the_last_checkpoint_is_not_lost_with_a_restart() {
    let mut lost = Lost::new().await;
    some_life(&lost.world).await;
    let handler = lost.world.handler();
    lost.world.catch_up(&handler).await;
    let dump = lost.server.dump().unwrap();
    let new = lost.rate(9).await;
    let head = new[0].position;
    lost.world.hand_over(&handler, new, None).await;
    let reader = lost.world.reader();
    let shown = reader.taste(person(1)).await.unwrap();
    assert_eq!(shown.position, head);

    lost.restore(&dump).await;
    handler.store_checkpoint(head).await.expect("an answer");
    assert!(
        matches!(reader.taste(person(1)).await, Err(ViewError::BeingRebuilt(_))),
        "what was shown before is not there"
    );
    assert!(handler.checkpoint().await.unwrap() < head, "the consumer is told");
    lost.world.catch_up(&handler).await;
    assert_eq!(reader.taste(person(1)).await.unwrap().view, shown.view);
    assert_as_folded(&lost.world).await;
}

/// As the one before, but the consumer asks before it raises, and hears of no other checkpoint than it knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_asks_after_a_restart_is_sent_back_at_least_once() {
    let mut lost = Lost::new().await;
    some_life(&lost.world).await;
    let handler = lost.world.handler();
    lost.world.catch_up(&handler).await;
    let believed = handler.checkpoint().await.unwrap();
    let dump = lost.server.dump().unwrap();
    let new = lost.rate(9).await;
    lost.world.hand_over(&handler, new, None).await;
    lost.restore(&dump).await;
    assert!(handler.checkpoint().await.unwrap() < believed);
    assert_eq!(handler.checkpoint().await.unwrap(), believed, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_replica_is_refused_and_takes_no_writes() {
    let mut lost = Lost::new().await;
    some_life(&lost.world).await;
    let handler = lost.world.handler();
    lost.world.catch_up(&handler).await;
    let dump = lost.server.dump().unwrap();
    let new = lost.rate(9).await;
    lost.world.catch_up(&handler).await;
    let reader = lost.world.reader();
    assert!(reader.session(&session(1)).await.unwrap().is_some());
    likes(&reader).await;

    // The same address now leads to a server that follows one that is gone, and stands where the dump does.
    lost.restore(&dump).await;
    lost.server.cli(&["REPLICAOF", "127.0.0.1", "1"]).unwrap();
    assert!(is_refused(&reader).await);
    let run = Run {
        stream: new[0].stream.clone(),
        events: new.into_iter().map(Arc::new).collect(),
    };
    let verdicts = handler.handle(vec![run]).await;
    assert!(matches!(verdicts[0], eventing::consumer::Verdict::RetryAfter(_)));
    assert_eq!(lost.world.store.status(), StoreStatus::Connected);
    let refused = lost.world.store.claim("any").unwrap_err();
    assert!(refused.to_string().contains("REDIS_HOST"), "{refused}");
}

/// The server's run is the same, and another process has brought the checkpoint back to where it stood.
#[tokio::test(flavor = "multi_thread")]
async fn views_that_another_handler_folded_again_are_not_taken_for_those_that_were_lost() {
    let lost = Lost::new().await;
    let (world, reader) = (&lost.world, lost.world.reader());
    some_life(world).await;
    let handler = world.handler();
    world.catch_up(&handler).await;
    let believed = handler.checkpoint().await.unwrap();
    let new = lost.rate(9).await;
    let head = new[0].position;
    world.hand_over(&handler, new, None).await;
    let shown = reader.taste(person(1)).await.unwrap();
    assert_eq!(shown.position, head);

    lost.server.cli(&["FLUSHALL"]).unwrap();
    let other = ViewStore::redis(config_of(&lost.server)).unwrap();
    let other = ProjectionHandler::new(other, world.keys.clone(), "test", &ProjectionKind::ALL).unwrap();
    let mut events = world.log.read_after(Position(0), 1_000).await.unwrap();
    events.retain(|event| event.position <= believed);
    world.hand_over(&other, events, Some(believed)).await;
    assert_eq!(other.checkpoint().await.unwrap(), believed);

    assert!(
        matches!(reader.taste(person(1)).await, Err(ViewError::BeingRebuilt(_))),
        "what was shown before is not there"
    );
    handler.store_checkpoint(head).await.expect("an answer");
    assert!(handler.checkpoint().await.unwrap() < head, "the consumer is told");
    world.catch_up(&handler).await;
    assert_eq!(reader.taste(person(1)).await.unwrap().view, shown.view);
    assert_as_folded(world).await;
}

/// What a rebuild switches to holds all that was there before.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_no_loss() {
    let lost = Lost::new().await;
    let (world, reader) = (&lost.world, lost.world.reader());
    some_life(world).await;
    let handler = world.handler();
    world.catch_up(&handler).await;
    let new = lost.rate(9).await;
    let head = new[0].position;
    world.hand_over(&handler, new, None).await;
    let shown = reader.taste(person(1)).await.unwrap();
    let kind = ProjectionKind::TasteModels;
    rebuild(&world.store, &world.log, &world.keys, kind)
        .await
        .unwrap();
    assert_eq!(reader.taste(person(1)).await.unwrap().view, shown.view);
    handler.store_checkpoint(head.next()).await.expect("an answer");
    assert_eq!(handler.checkpoint().await.unwrap(), head.next());
}
