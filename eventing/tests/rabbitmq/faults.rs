//! A broker that dies, hangs, is away for long, or comes back without its disk. Commands go on throughout: appends never
//! ask the broker.

use std::time::{Duration, Instant};

use eventing::{
    Append, ExpectedVersion, Metadata, NewEvent, Position, SchemaVersion,
    bus::{Bus, BusError, BusStatus, RabbitMqConfig},
    testing::bus::recorded,
};

use servers::{Proxy, RabbitMq, Trouble};

use crate::{
    broker::{config, harmed, shared},
    relays::RunningRelay,
    world::{PATIENCE, QUEUE, World, stream},
};

/// RabbitMQ 3.10 writes the name of a new quorum queue to disk up to three seconds late: killed before, it comes back with
/// a queue that has no leader and never gets one.
const SETTLED_AFTER: Duration = Duration::from_secs(4);

async fn until_connected(bus: &Bus, connected: bool) {
    let begun = Instant::now();
    while (bus.status() == BusStatus::Connected) != connected {
        assert!(begun.elapsed() < PATIENCE, "{:?}", bus.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Appends to ten streams until `stop`; how many events it appended to each.
async fn load(world: &World, stop: &tokio_util::sync::CancellationToken) -> usize {
    let mut each = 0;
    while !stop.is_cancelled() {
        for number in 1..=10 {
            world.append(&stream(number), 1).await;
        }
        each += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    each
}

async fn all_applied(world: &World, each: usize) {
    for number in 1..=10 {
        world.applied(&stream(number), each as u64).await;
    }
    assert_eq!(world.recorder.effects(), 10 * each);
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_under_load_delays_and_loses_nothing() {
    let mut broker = harmed().await;
    let world = World::on(Bus::rabbitmq(config(&broker))).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    let (one, two) = (world.live().await, world.live().await);
    let stop = tokio_util::sync::CancellationToken::new();
    let harm = async {
        tokio::time::sleep(SETTLED_AFTER).await;
        broker.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        broker.restart().await.expect("it starts again");
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    };
    let (each, ()) = tokio::join!(load(&world, &stop), harm);
    relay.published(Position(10 * each as u64)).await;
    all_applied(&world, each).await;
    one.stop().await;
    two.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_is_noticed_and_used_again_when_it_goes_on() {
    let broker = harmed().await;
    let mut config = config(&broker);
    config.answer_limit = Duration::from_secs(2);
    config.connect_limit = Duration::from_secs(1);
    let world = World::on(Bus::rabbitmq(config)).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    let running = world.live().await;
    world.append(&stream(1), 1).await;
    world.applied(&stream(1), 1).await;
    broker.pause();
    let begun = Instant::now();
    let hanging = world.bus.publish(&[recorded(9, "thing")]).await;
    assert!(matches!(hanging, Err(BusError::Unavailable(_))), "{hanging:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    until_connected(&world.bus, false).await;
    world.append(&stream(1), 5).await;
    // Longer than the heartbeat's two seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.recorder.version_of(&stream(1)), 1);
    broker.resume();
    relay.published(Position(6)).await;
    world.applied(&stream(1), 6).await;
    until_connected(&world.bus, true).await;
    running.stop().await;
    relay.stop().await;
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_away_fails_fast_consumers_go_by_the_log_and_the_backlog_comes_after() {
    let mut broker = harmed().await;
    let mut config = config(&broker);
    config.connect_limit = Duration::from_secs(1);
    let mut world = World::on(Bus::rabbitmq(config)).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    let patient = world.live().await;
    world.append(&stream(1), 1).await;
    world.applied(&stream(1), 1).await;
    broker.stop();
    until_connected(&world.bus, false).await;
    world.append(&stream(1), 3_000).await;
    let begun = Instant::now();
    let failed = world.bus.publish(&[recorded(9, "thing")]).await;
    assert!(matches!(failed, Err(BusError::Unavailable(_))), "{failed:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    relay
        .until("it is told", |status| status.last_error.is_some())
        .await;
    assert_eq!(world.recorder.version_of(&stream(1)), 1, "the bus is away");
    patient.stop().await;
    world.settings.heal_every = Duration::from_millis(50);
    let by_the_log = world.live().await;
    world.append(&stream(1), 1).await;
    world.applied(&stream(1), 3_002).await;
    broker.restart().await.expect("it starts again");
    relay.published(Position(3_002)).await;
    world.drained().await;
    by_the_log.stop().await;
    relay.stop().await;
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_without_its_disk_gets_its_queues_again_and_the_log_has_what_was_lost() {
    let mut broker = harmed().await;
    let mut config = config(&broker);
    config.vhost = "/".to_owned();
    let mut world = World::on(Bus::rabbitmq(config)).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    // Nobody consumes: what is confirmed lies in the broker when it is lost.
    world.append(&stream(1), 100).await;
    relay.published(Position(100)).await;
    broker.lose_volume().expect("deleted");
    broker.restart().await.expect("it starts anew");
    world.append(&stream(1), 10).await;
    relay.published(Position(110)).await;
    world.holds("work", 10).await;
    world.settings.heal_every = Duration::from_millis(50);
    let running = world.live().await;
    world.applied(&stream(1), 110).await;
    broker.lose_volume().expect("deleted");
    world.append(&stream(1), 10).await;
    world.applied(&stream(1), 120).await;
    broker.restart().await.expect("it starts anew");
    relay.published(Position(120)).await;
    world.drained().await;
    running.stop().await;
    relay.stop().await;
    world.recorder.check();
}

/// A way to a broker that can be troubled, with no heartbeat that would notice.
async fn behind_proxy(broker: &RabbitMq) -> (Proxy, RabbitMqConfig) {
    let proxy = Proxy::start(broker.port()).await.expect("a proxy");
    let mut config = config(broker);
    config.port = proxy.port();
    config.heartbeat = Duration::from_secs(600);
    (proxy, config)
}

/// A consumer has more to do than to wait for its queue, so it drops each wait after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_does_not_answer_is_given_up_also_when_each_wait_is_short() {
    let (proxy, mut config) = behind_proxy(shared()).await;
    config.look_every = Duration::from_millis(200);
    config.answer_limit = Duration::from_secs(1);
    let world = World::on(Bus::rabbitmq(config)).await;
    let mut deliveries = world.bus.consume(QUEUE, 10).await.expect("it is there");
    proxy.make(Trouble::Silence);
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < Duration::from_secs(10), "it waits for ever");
        let wait = tokio::time::timeout(Duration::from_millis(100), deliveries.next(1));
        if let Ok(answer) = wait.await {
            break answer.expect_err("nothing can come");
        }
    };
    let why = std::error::Error::source(&error).expect("a reason").to_string();
    assert!(why.contains("did not answer within 1s"), "{why}");
}

/// A window was once sent for ever, whole, when the broker could not answer for all of it in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_too_slow_for_a_whole_window_gets_all_in_smaller_ones() {
    let (proxy, mut config) = behind_proxy(shared()).await;
    config.answer_limit = Duration::from_secs(1);
    let world = World::on(Bus::rabbitmq(config)).await;
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(30_000));
    let new = |_| NewEvent::new("thing.happened", SchemaVersion(1), large.clone());
    for _ in 0..5 {
        let events = (0..20).map(new).collect();
        let append = Append::new(stream(1), ExpectedVersion::Any, events, Metadata::new());
        world.log.append(append).await.expect("appended");
    }
    // At most 64 KiB in 50 ms: a second is enough for a megabyte, and all of them are three.
    proxy.make(Trouble::Delay(Duration::from_millis(50)));
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    relay.published(Position(100)).await;
    proxy.make(Trouble::None);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_stops_in_time_though_its_broker_hangs() {
    let (proxy, mut config) = behind_proxy(shared()).await;
    config.answer_limit = Duration::from_secs(40);
    let world = World::on(Bus::rabbitmq(config)).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    world.append(&stream(1), 1).await;
    relay.published(Position(1)).await;
    proxy.make(Trouble::Silence);
    world.append(&stream(1), 1).await;
    // It has noticed the append, and waits for the broker.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    relay.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(
        world.log.checkpoint("relay").await.expect("a read"),
        Some(Position(1))
    );
}
