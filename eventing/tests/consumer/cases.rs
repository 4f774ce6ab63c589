//! What holds on every bus.

use std::{sync::Arc, time::Duration};

use eventing::{
    DeadLetterState, Position,
    bus::DEAD_QUEUE,
    consumer::{ConsumerError, ConsumerState},
    dead_letters::{DeadLetters, DecisionError},
    testing::bus::recorded,
};

use crate::{
    recorder::Fault,
    world::{PATIENCE, QUEUE, World, stream},
};

#[tokio::test]
async fn lost_messages_are_read_from_the_log() {
    let world = World::new().await;
    let running = world.live().await;
    let events = world.append(&stream(1), 5).await;
    world.publish(&events[4..]).await;
    world.applied(&stream(1), 5).await;
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn doubled_and_reordered_messages_change_nothing() {
    let world = World::new().await;
    let running = world.live().await;
    let mut events = world.append(&stream(1), 50).await;
    events.extend(world.append(&stream(2), 50).await);
    events.reverse();
    world.publish(&events).await;
    events.rotate_left(33);
    world.publish(&events).await;
    world.applied(&stream(1), 50).await;
    world.applied(&stream(2), 50).await;
    world.drained().await;
    running.stop().await;
    world.recorder.check();
    assert_eq!(world.recorder.effects(), 100);
}

#[tokio::test]
async fn a_message_from_beyond_the_log_is_set_aside() {
    let world = World::new().await;
    let running = world.live().await;
    world.publish(&[recorded(1, "thing")]).await;
    world.holds(DEAD_QUEUE, 1).await;
    world.drained().await;
    running.stop().await;
    assert_eq!(world.recorder.effects(), 0);
}

#[tokio::test]
async fn what_no_message_told_is_found_in_time() {
    let mut world = World::new().await;
    world.settings.heal_every = Duration::from_millis(20);
    let running = world.live().await;
    world.append(&stream(1), 3).await;
    world.applied(&stream(1), 3).await;
    world.checkpoint(Position(3)).await;
    running.stop().await;
}

#[tokio::test]
async fn a_stream_stays_parked_over_a_restart() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 1, Fault::Poison);
    world.append(&stream(1), 2).await;
    let mut running = world.live().await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    running.stop().await;
    let calls = world.recorder.calls();
    let mut running = world.live().await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    world.publish(&world.append(&stream(1), 1).await).await;
    world.drained().await;
    running.stop().await;
    assert_eq!(world.recorder.calls(), calls);
}

#[tokio::test]
async fn a_retry_after_the_repair_applies_all_that_waited() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 3, Fault::Poison);
    world.append(&stream(1), 1_500).await;
    let mut running = world.live().await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    let (letters, key) = (
        DeadLetters::new(world.log.clone()),
        world.one_dead_letter().await.key,
    );
    let shown = letters
        .show(&key)
        .await
        .expect("the log answers")
        .expect("it is there");
    assert_eq!(
        (shown.event.map(|event| event.version), shown.stream_version.0),
        (Some(key.version), 1_500)
    );
    world.recorder.repair();
    letters.retry(&key).await.expect("decided");
    world.applied(&stream(1), 1_500).await;
    running
        .until("nothing is parked", |status| {
            status.parked == 0 && status.waiting == 0
        })
        .await;
    assert!(letters.list(None, 10).await.expect("the log answers").is_empty());
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn a_retry_without_a_repair_parks_again() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 1, Fault::Poison);
    world.append(&stream(1), 1).await;
    let mut running = world.live().await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    let (letters, key) = (
        DeadLetters::new(world.log.clone()),
        world.one_dead_letter().await.key,
    );
    let calls = world.recorder.calls();
    letters.retry(&key).await.expect("decided");
    world
        .until("it is tried", || world.recorder.calls() > calls)
        .await;
    running
        .until("it is parked again", |status| {
            status.parked == 1 && status.waiting == 0
        })
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_skip_goes_on_behind_the_event_also_in_a_store_built_anew() {
    let mut world = World::new().await;
    world.recorder.fail_at(&stream(1), 3, Fault::Poison);
    world.append(&stream(1), 5).await;
    let mut running = world.live().await;
    running
        .until("one stream is parked", |status| status.parked == 1)
        .await;
    let (letters, key) = (
        DeadLetters::new(world.log.clone()),
        world.one_dead_letter().await.key,
    );
    letters.skip(&key).await.expect("decided");
    world.applied(&stream(1), 5).await;
    assert_eq!(world.recorder.effects_of(&stream(1), 3), 0);
    assert!(matches!(
        letters.retry(&key).await,
        Err(DecisionError::NotParked(DeadLetterState::Skipped))
    ));
    world.publish(&world.append(&stream(1), 1).await).await;
    world.applied(&stream(1), 6).await;
    running.stop().await;
    world.recorder.check();

    world.recorder = Arc::default();
    world.recorder.fail_at(&stream(1), 3, Fault::Poison);
    let running = world.live().await;
    world.applied(&stream(1), 6).await;
    assert_eq!(world.recorder.effects(), 5);
    running.stop().await;
}

#[tokio::test]
async fn a_failure_that_passes_is_tried_again_until_it_has() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 2, Fault::Retry(2));
    world.append(&stream(1), 3).await;
    let mut running = world.live().await;
    world.applied(&stream(1), 3).await;
    running.until("nothing waits", |status| status.waiting == 0).await;
    world.checkpoint(Position(3)).await;
    assert!(
        world
            .log
            .dead_letters(None, 10)
            .await
            .expect("the log answers")
            .is_empty()
    );
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn a_stream_that_waits_holds_back_the_checkpoint_of_a_catch_up_too() {
    let mut world = World::new().await;
    world.settings.backoff_min = Duration::from_secs(3_600);
    world.settings.backoff_max = Duration::from_secs(3_600);
    world.recorder.fail_at(&stream(2), 1, Fault::Retry(1));
    for number in 1..=3 {
        world.append(&stream(number), 2).await;
    }
    let running = world.live().await;
    world.applied(&stream(3), 2).await;
    running.stop().await;
    assert_eq!(world.recorder.stored_checkpoint(), Position(2));
}

#[tokio::test]
async fn an_event_that_fails_for_good_while_others_go_well_is_parked() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 1, Fault::Retry(u32::MAX));
    let mut running = world.live().await;
    world.publish(&world.append(&stream(1), 1).await).await;
    running.until("it waits", |status| status.waiting == 1).await;
    world.publish(&world.append(&stream(2), 1).await).await;
    running.until("it is parked", |status| status.parked == 1).await;
    assert_eq!(world.one_dead_letter().await.attempts, 3);
    running.stop().await;
}

#[tokio::test]
async fn a_panic_parks_the_event_at_fault_and_none_of_its_batch() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(2), 4, Fault::Panic);
    for number in 1..=3 {
        world.append(&stream(number), 5).await;
    }
    let mut running = world.live().await;
    running
        .until("one stream is parked", |status| {
            status.parked == 1 && status.waiting == 0
        })
        .await;
    world.applied(&stream(1), 5).await;
    world.applied(&stream(3), 5).await;
    let row = world.one_dead_letter().await;
    assert_eq!((row.key.stream, row.key.version.0), (stream(2), 4));
    running.stop().await;
    world.recorder.check();
}

/// Each replica once took every failure of another one for a decision to try again at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_the_attempts_at_an_event_and_the_waits_between() {
    let mut world = World::new().await;
    world.settings.backoff_min = Duration::from_millis(200);
    world.settings.backoff_max = Duration::from_secs(3_600);
    world.recorder.fail_at(&stream(1), 1, Fault::Panic);
    let (mut one, two, three) = (world.live().await, world.live().await, world.live().await);
    let begun = std::time::Instant::now();
    world.publish(&world.append(&stream(1), 1).await).await;
    one.until("it is parked", |status| status.parked == 1).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(200 + 400 + 800),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(world.one_dead_letter().await.attempts, 3);
    for running in [one, two, three] {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_waits_for_a_stream_stops_when_another_has_parked_it() {
    let mut world = World::new().await;
    world.settings.backoff_min = Duration::from_secs(3_600);
    world.settings.backoff_max = Duration::from_secs(3_600);
    world.recorder.fail_at(&stream(1), 1, Fault::Retry(u32::MAX));
    let mut running = world.live().await;
    world.publish(&world.append(&stream(1), 2).await).await;
    running.until("it waits", |status| status.waiting == 1).await;
    let mut row = world.one_dead_letter().await;
    row.state = DeadLetterState::Parked;
    let key = row.key.clone();
    world
        .log
        .put_dead_letter(row)
        .await
        .expect("another replica parks it");
    running
        .until("it waits no more", |status| {
            status.parked == 1 && status.waiting == 0
        })
        .await;
    world.drained().await;
    let letters = DeadLetters::new(world.log.clone());
    letters.skip(&key).await.expect("decided");
    world.applied(&stream(1), 2).await;
    assert_eq!(world.recorder.effects_of(&stream(1), 1), 0);
    assert_eq!(world.one_dead_letter().await.state, DeadLetterState::Skipped);
    running.stop().await;
}

/// A consumer that dies with its process at an event can count nothing afterwards; so it counts before.
#[tokio::test]
async fn an_event_that_kills_the_process_each_time_is_parked_in_the_end() {
    let world = World::new().await;
    for number in 1..=3 {
        world.append(&stream(number), 2).await;
    }
    world.recorder.fail_at(&stream(2), 2, Fault::Hang);
    let mut deaths = 0;
    loop {
        let mut running = world.start();
        let live = async {
            running
                .status
                .wait_for(|status| status.parked == 1 && status.is_live())
                .await
                .is_ok()
        };
        let is_parked = tokio::select! {
            parked = live => parked,
            hanging = world.recorder.hanging.0.acquire() => {
                hanging.expect("open").forget();
                false
            }
            () = tokio::time::sleep(PATIENCE) => panic!("it neither dies nor parks"),
        };
        if is_parked {
            running.stop().await;
            break;
        }
        running.crash().await;
        deaths += 1;
        assert!(deaths < 20, "it dies for ever");
    }
    let row = world.one_dead_letter().await;
    assert_eq!((row.key.stream, row.key.version.0), (stream(2), 2));
    for number in [1, 3] {
        assert_eq!(world.recorder.version_of(&stream(number)), 2);
    }
    world.recorder.check();
}

#[tokio::test]
async fn a_crash_between_effect_and_acknowledgement_does_nothing_twice() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 2, Fault::HangAfter);
    let running = world.live().await;
    world.publish(&world.append(&stream(1), 3).await).await;
    world.crash_when_hanging(running).await;
    assert!(world.recorder.version_of(&stream(1)) >= 2);
    // All come again, but for the first, which a broker may have sent alone.
    world.holds_from(QUEUE, 2..=3).await;
    let running = world.live().await;
    world.applied(&stream(1), 3).await;
    world.drained().await;
    running.stop().await;
    world.recorder.check();
    assert_eq!(world.recorder.effects(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn competing_consumers_do_everything_once_though_one_of_them_dies() {
    let mut world = World::new().await;
    world.settings.batch_max = 7;
    world.settings.prefetch = 14;
    let (one, two, three) = (world.live().await, world.live().await, world.live().await);
    let (stop, relay) = world.relay();
    for round in 0..20_u128 {
        for number in 1..=5 {
            world.append(&stream(number), 2).await;
        }
        if round == 10 {
            world.recorder.fail_at(&stream(1), 30, Fault::HangAfter);
        }
    }
    let hung = tokio::time::timeout(PATIENCE, world.recorder.hanging.0.acquire()).await;
    if let Ok(permit) = hung {
        permit.expect("open").forget();
    }
    // Whichever hangs, it is one of these; the others have all the streams but what it holds.
    one.crash().await;
    for number in 2..=5 {
        world
            .until("the others go on", || {
                world.recorder.version_of(&stream(number)) > 0
            })
            .await;
    }
    two.crash().await;
    three.crash().await;
    world.recorder.repair();
    let running = world.live().await;
    for number in 1..=5 {
        world.applied(&stream(number), 40).await;
    }
    world.checkpoint(Position(200)).await;
    stop.cancel();
    relay.await.expect("the relay ends");
    running.stop().await;
    world.recorder.check();
    assert_eq!(world.recorder.effects(), 200);
}

#[tokio::test]
async fn a_halt_stops_the_consumer_and_is_told() {
    let world = World::new().await;
    world.recorder.fail_at(&stream(1), 1, Fault::Halt);
    world.append(&stream(1), 1).await;
    let running = world.start();
    let status = running.status.clone();
    let error = running.fails().await;
    assert!(
        matches!(&error, ConsumerError::Halted { stream: at, .. } if *at == stream(1)),
        "{error:?}"
    );
    let status = status.borrow();
    assert_eq!((status.state, status.is_live()), (ConsumerState::Halted, false));
    assert!(
        status
            .last_error
            .as_ref()
            .is_some_and(|error| error.contains("too dangerous")),
        "{status:?}"
    );
}

#[tokio::test]
async fn an_outage_of_the_store_parks_nothing_and_passes() {
    let world = World::new().await;
    let mut running = world.live().await;
    world.recorder.set_down(true);
    world.publish(&world.append(&stream(1), 4).await).await;
    running
        .until("it is told", |status| status.last_error.is_some())
        .await;
    world.recorder.set_down(false);
    world.applied(&stream(1), 4).await;
    running
        .until("nothing is parked", |status| {
            status.parked == 0 && status.waiting == 0
        })
        .await;
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn a_consumer_stops_though_its_store_is_down() {
    let world = World::new().await;
    let mut running = world.live().await;
    world.recorder.set_down(true);
    world.publish(&world.append(&stream(1), 1).await).await;
    running
        .until("it is told", |status| status.last_error.is_some())
        .await;
    running.stop().await;
    // It comes again.
    world.holds(QUEUE, 1).await;
}

#[tokio::test]
async fn a_store_that_was_lost_is_filled_again_by_a_consumer_that_goes_on() {
    let mut world = World::new().await;
    world.settings.heal_every = Duration::from_millis(20);
    world.append(&stream(1), 5).await;
    world.append(&stream(2), 5).await;
    let running = world.live().await;
    world.checkpoint(Position(10)).await;
    world.recorder.lose_everything();
    world.applied(&stream(1), 5).await;
    world.applied(&stream(2), 5).await;
    world.checkpoint(Position(10)).await;
    running.stop().await;
    world.recorder.check();
}

/// It catches up in batches: the next one must not raise the checkpoint over what was lost in this one.
#[tokio::test]
async fn what_a_store_loses_while_it_is_filled_is_read_again() {
    let mut world = World::new().await;
    world.settings.catch_up_batch = 5;
    world.append(&stream(1), 10).await;
    world.append(&stream(2), 10).await;
    world.recorder.lose_before_checkpoint(Position(10), &stream(1));
    let running = world.live().await;
    world.checkpoint(Position(20)).await;
    world.applied(&stream(1), 10).await;
    running.stop().await;
    world.recorder.check();
}

/// The checkpoint is what it was, but what lay above it is lost.
#[tokio::test]
async fn what_a_store_loses_above_its_checkpoint_is_read_again() {
    let mut world = World::new().await;
    // A broker cannot vouch for a checkpoint: there it is raised after a look at the log.
    world.settings.trail_every = Duration::from_millis(20);
    let running = world.live().await;
    world.publish(&world.append(&stream(1), 5).await).await;
    world.checkpoint(Position(5)).await;
    world.recorder.lose_before_checkpoint(Position(7), &stream(2));
    world.publish(&world.append(&stream(2), 2).await).await;
    world.checkpoint(Position(7)).await;
    world.applied(&stream(2), 2).await;
    running.stop().await;
    world.recorder.check();
}

#[tokio::test]
async fn what_another_replica_has_stored_is_not_read_again() {
    let mut world = World::new().await;
    world.settings.heal_every = Duration::from_millis(20);
    let mut running = world.live().await;
    world.recorder.set_down(true);
    running
        .until("it waits for its store", |status| status.last_error.is_some())
        .await;
    world.append(&stream(1), 500).await;
    world.recorder.has_stored(&stream(1), 490);
    world.recorder.set_down(false);
    world.applied(&stream(1), 500).await;
    world.checkpoint(Position(500)).await;
    running.stop().await;
    assert_eq!(world.recorder.offered(), 10);
}

/// Readiness would promise what readers do not find.
#[tokio::test]
async fn a_checkpoint_that_is_not_stored_is_not_told() {
    let mut world = World::new().await;
    world.settings.heal_every = Duration::from_millis(20);
    let mut running = world.live().await;
    world.recorder.keep_checkpoint(true);
    world.append(&stream(1), 3).await;
    world.applied(&stream(1), 3).await;
    running
        .until("it is seen", |status| status.head_seen == Position(3))
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(running.status.borrow().checkpoint, Position(0));
    world.recorder.keep_checkpoint(false);
    running
        .until("it is stored", |status| status.checkpoint == Position(3))
        .await;
    assert_eq!(world.recorder.stored_checkpoint(), Position(3));
    running.stop().await;
}
