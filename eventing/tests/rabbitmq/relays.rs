//! Relays to a broker: one at a time, in order, and patient with a queue that is full.

use std::{sync::Arc, time::Duration};

use eventing::{
    Position,
    bus::{Bus, Deliveries, Topology},
    relay::{Relay, RelayRole, RelayStart, RelayStatus},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{config, shared},
    world::{PATIENCE, QUEUE, World, stream},
};

pub(crate) struct RunningRelay {
    pub(crate) status: watch::Receiver<RelayStatus>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl RunningRelay {
    pub(crate) fn start(world: &World, bus: Bus) -> Self {
        let relay = Relay::new(world.log.clone(), bus, RelayStart::Noted);
        let (status, shutdown) = (relay.status(), CancellationToken::new());
        let running = relay.run(shutdown.clone());
        Self {
            status,
            shutdown,
            task: tokio::spawn(async move { running.await.expect("it stops when asked only") }),
        }
    }

    pub(crate) async fn until(&mut self, what: &str, holds: impl FnMut(&RelayStatus) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.status.wait_for(holds))
            .await
            .map(|status| status.is_ok());
        assert_eq!(
            waited,
            Ok(true),
            "waited in vain until {what}: {:?}",
            self.status.borrow()
        );
    }

    pub(crate) async fn published(&mut self, position: Position) {
        self.until("it is published", |status| status.published >= position)
            .await;
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("it stops in time")
            .expect("it does not panic");
    }

    async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Takes and acknowledges `count` deliveries; their positions.
async fn take(deliveries: &mut Deliveries, count: usize) -> Vec<u64> {
    let mut positions = Vec::new();
    while positions.len() < count {
        let taken = tokio::time::timeout(PATIENCE, deliveries.next(count - positions.len())).await;
        for delivery in taken.expect("in time").expect("the bus answers") {
            let event = Arc::clone(delivery.content.as_ref().expect("an event"));
            positions.push(event.position.0);
            delivery.ack().await.expect("acknowledged");
        }
    }
    positions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_relay_publishes_and_another_takes_over_when_it_dies() {
    let world = World::on(Bus::rabbitmq(config(shared()))).await;
    let mut one = RunningRelay::start(&world, world.bus.clone());
    one.until("it leads", |status| status.role == RelayRole::Leading)
        .await;
    let mut two = RunningRelay::start(&world, world.bus.clone());
    world.append(&stream(1), 700).await;
    one.published(Position(700)).await;
    two.until("it knows how far the other is", |status| {
        status.published == Position(700)
    })
    .await;
    assert_eq!(two.status.borrow().role, RelayRole::Standby);
    one.crash().await;
    world.append(&stream(1), 300).await;
    two.published(Position(1_000)).await;
    assert_eq!(two.status.borrow().role, RelayRole::Leading);
    let mut deliveries = world.bus.consume(QUEUE, 1_000).await.expect("it is there");
    let positions = take(&mut deliveries, 1_000).await;
    assert_eq!(positions, (1..=1_000).collect::<Vec<_>>(), "each once, in order");
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_holds_the_relay_and_nothing_is_lost() {
    let bus = Bus::rabbitmq(config(shared()));
    let mut topology = Topology::by_tag(|_| Some(QUEUE), &[QUEUE]);
    topology.queues[0].length_max = 50;
    topology.queues[0].overflow = eventing::bus::Overflow::Refuse;
    bus.declare(&topology).await.expect("declared");
    let world = World::beside(bus).await;
    world.append(&stream(1), 2_000).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    relay
        .until("it tells that a queue is full", |status| {
            status
                .last_error
                .as_ref()
                .is_some_and(|error| error.contains("Refused"))
        })
        .await;
    assert!(relay.status.borrow().published < Position(2_000));
    let noted = world.log.checkpoint("relay").await.expect("a read");
    assert!(noted < Some(Position(2_000)), "{noted:?}");
    let running = world.live().await;
    relay.published(Position(2_000)).await;
    world.applied(&stream(1), 2_000).await;
    running.stop().await;
    relay.stop().await;
    world.recorder.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_somebody_deletes_is_declared_again() {
    let config = config(shared());
    let url = shared().url(&config.vhost);
    let world = World::on(Bus::rabbitmq(config)).await;
    let mut relay = RunningRelay::start(&world, world.bus.clone());
    let running = world.live().await;
    world.append(&stream(1), 1).await;
    world.applied(&stream(1), 1).await;
    let stranger = lapin::Connection::connect(&url, lapin::ConnectionProperties::default());
    let channel = stranger
        .await
        .expect("it connects")
        .create_channel()
        .await
        .expect("a channel");
    channel
        .queue_delete(QUEUE.into(), lapin::options::QueueDeleteOptions::default())
        .await
        .expect("deleted");
    world.append(&stream(1), 1).await;
    relay.published(Position(2)).await;
    world.applied(&stream(1), 2).await;
    running.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checkpoint_trails_the_head_on_a_broker_and_replicas_share_the_work() {
    let mut world = World::on(Bus::rabbitmq(config(shared()))).await;
    world.settings.trail_every = Duration::from_millis(50);
    let relay = RunningRelay::start(&world, world.bus.clone());
    let (one, two) = (world.live().await, world.live().await);
    for number in 1..=40 {
        world.append(&stream(number), 25).await;
    }
    world.checkpoint(Position(1_000)).await;
    assert_eq!(world.recorder.effects(), 1_000);
    one.stop().await;
    two.stop().await;
    relay.stop().await;
    world.recorder.check();
}
