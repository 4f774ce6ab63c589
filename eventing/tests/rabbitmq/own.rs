//! What a consumer's own process appends is applied before any message tells of it, and the message changes nothing.

use eventing::{DeadLetterState, Position, dead_letters::DeadLetters};

use crate::{
    recorder::Fault,
    world::{World, stream},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_own_process_appends_needs_no_message() {
    let world = World::new().await;
    let running = world.live().await;
    let mut events = world.append_here(&stream(1), 3).await;
    world.applied(&stream(1), 3).await;
    events.extend(world.append_here(&stream(2), 2).await);
    world.applied(&stream(2), 2).await;
    let calls = world.recorder.calls();
    world.publish(&events).await;
    world.drained().await;
    running.stop().await;
    assert_eq!((world.recorder.effects(), world.recorder.calls()), (5, calls));
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_appended_in_between_is_read_from_the_log() {
    let world = World::new().await;
    let running = world.live().await;
    world.append(&stream(1), 2).await;
    world.append_here(&stream(1), 1).await;
    world.applied(&stream(1), 3).await;
    running.stop().await;
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_appended_while_no_consumer_listened_is_heard_or_read_once() {
    let world = World::new().await;
    world.append_here(&stream(1), 4).await;
    let running = world.live().await;
    assert_eq!(world.recorder.stored_checkpoint(), Position(4));
    let offered = world.recorder.offered();
    world.append_here(&stream(2), 1).await;
    world.applied(&stream(2), 1).await;
    running.stop().await;
    assert_eq!(
        world.recorder.offered(),
        offered + 1,
        "the others were read at the start"
    );
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_stream_keeps_its_order_whatever_is_heard() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 2, Fault::Poison);
    let mut running = world.live().await;
    let mut events = world.append_here(&stream(1), 3).await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    events.extend(world.append_here(&stream(1), 1).await);
    events.extend(world.append_here(&stream(2), 1).await);
    world.applied(&stream(2), 1).await;
    world.publish(&events).await;
    world.drained().await;
    assert_eq!(world.recorder.version_of(&stream(1)), 1, "what lies behind waits");
    let row = world.one_dead_letter().await;
    assert_eq!((row.key.version.0, row.state), (2, DeadLetterState::Parked));

    world.recorder.repair();
    let letters = DeadLetters::new(world.log.clone());
    letters.retry(&row.key).await.expect("decided");
    world.applied(&stream(1), 4).await;
    running.stop().await;
    world.recorder.check();
}
