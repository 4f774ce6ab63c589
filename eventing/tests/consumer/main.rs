//! A consumer trusts the log: whatever the bus does, each event has its effect once, in its stream's order.
//!
//! What holds on every bus is in [`cases`], which `tests/rabbitmq` runs as well.

mod cases;
mod recorder;
mod world;

use std::time::Duration;

use eventing::{DeadLetterState, Position, StreamId, bus::Bus};

use recorder::Fault;
use world::{World, stream};

async fn fresh_bus() -> Bus {
    Bus::in_process()
}

#[tokio::test]
async fn the_checkpoint_follows_the_relay_without_a_look_at_the_log() {
    let world = World::new().await;
    let running = world.live().await;
    let (stop, relay) = world.relay();
    let other = StreamId::new("other", uuid::Uuid::nil());
    for number in 1..=20 {
        world.append_here(&stream(number), 2).await;
    }
    world.append_here(&other, 1).await;
    world.checkpoint(Position(41)).await;
    assert_eq!(world.recorder.effects(), 40);
    stop.cancel();
    relay.await.expect("the relay ends");
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn an_overflowing_queue_costs_nothing_but_a_look_at_the_log() {
    let world = World::new().await;
    let running = world.live().await;
    let (stop, relay) = world.relay();
    for number in 1..=4 {
        world.append(&stream(number), 2_000).await;
    }
    world.checkpoint(Position(8_000)).await;
    assert_eq!(world.recorder.effects(), 8_000);
    stop.cancel();
    relay.await.expect("the relay ends");
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn a_poison_event_parks_its_own_stream_and_all_else_flows() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 3, Fault::Poison);
    let mut running = world.live().await;
    let mut events = world.append(&stream(1), 5).await;
    events.extend(world.append(&stream(2), 5).await);
    world.publish(&events).await;
    world.applied(&stream(2), 5).await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    world.drained().await;
    world.checkpoint(Position(10)).await;

    let row = world.one_dead_letter().await;
    assert_eq!(
        (row.key.stream, row.key.version.0, row.state),
        (stream(1), 3, DeadLetterState::Parked)
    );
    assert_eq!((row.position, row.last_error.as_str()), (Position(3), "poison"));
    assert_eq!(
        world.recorder.version_of(&stream(1)),
        2,
        "what lies before it is applied"
    );

    world.publish(&world.append(&stream(1), 1).await).await;
    world.drained().await;
    assert_eq!(
        world.recorder.version_of(&stream(1)),
        2,
        "what lies behind it waits"
    );
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn a_stream_that_waits_holds_back_the_checkpoint_but_no_other_stream() {
    let mut world = World::new().await;
    world.settings.backoff_min = Duration::from_secs(3_600);
    world.settings.backoff_max = Duration::from_secs(3_600);
    world.recorder.fail_at(&stream(2), 1, Fault::Retry(1));
    let mut running = world.live().await;
    let mut events = world.append(&stream(1), 2).await;
    events.extend(world.append(&stream(2), 2).await);
    events.extend(world.append(&stream(3), 2).await);
    world.publish(&events).await;
    world.applied(&stream(3), 2).await;
    running.until("one waits", |status| status.waiting == 1).await;
    world.checkpoint(Position(2)).await;
    running.stop().await;
    assert_eq!(world.recorder.stored_checkpoint(), Position(2));
    let running = world.live().await;
    world.applied(&stream(2), 2).await;
    running.stop().await;
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_events_are_caught_up_in_few_calls() {
    let world = World::new().await;
    for number in 1..=50 {
        let events = world.append(&stream(number), 2_000).await;
        assert_eq!(events.last().map(|event| event.version.0), Some(2_000));
    }
    let mut running = world.live().await;
    assert_eq!(world.recorder.effects(), 100_000);
    assert_eq!(world.recorder.stored_checkpoint(), Position(100_000));
    assert!(world.recorder.calls() <= 25, "{} calls", world.recorder.calls());
    running.until("there is no lag", |status| status.lag() == 0).await;
    running.stop().await;
    world.recorder.check();
}
