//! The contract of the bus, for every adapter.
//!
//! [`bus_contract!`](crate::bus_contract) makes a test of each function here.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::DateTime;
use uuid::Uuid;

use crate::{
    Body, CorrelationId, EventId, Position, RecordedEvent, SchemaVersion, StreamId, Version,
    bus::{Bus, Confirmation, DEAD_QUEUE, Deliveries, Delivery, Depth, Overflow, QueueSettings, Topology},
};

/// Longer than any wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Deliveries of one message before it is dead.
const DELIVERY_LIMIT: u32 = 3;
/// Messages that fill a queue of the contract's topology.
const LENGTH_MAX: usize = 8;

/// Makes a module `$name` with a test for every sentence of the bus's contract. `$factory` is an async function that
/// gives a fresh [`Bus`](crate::bus::Bus), on which nothing is declared.
#[macro_export]
macro_rules! bus_contract {
    ($name:ident, $factory:expr) => {
        $crate::bus_contract! { @each $name, $factory,
            an_event_reaches_the_queue_of_its_tag_only,
            deliveries_come_in_the_order_of_publishing,
            an_event_that_no_queue_takes_is_unroutable,
            an_event_without_a_tag_is_meant_for_no_queue,
            nothing_is_published_before_the_topology_is_declared,
            declaring_again_changes_nothing_and_otherwise_is_a_conflict,
            a_full_queue_refuses_and_keeps_what_it_has,
            a_consumer_holds_no_more_than_its_prefetch,
            competing_consumers_share_and_none_gets_the_others_message,
            what_a_lost_consumer_held_comes_again_in_its_old_order,
            a_message_given_back_comes_again_before_later_ones,
            a_message_refused_for_good_is_a_dead_letter,
            a_message_delivered_too_often_is_a_dead_letter,
            an_acknowledged_message_never_comes_again,
            a_message_published_twice_is_delivered_twice,
            a_waiting_consumer_wakes_for_a_message,
        }
    };
    (@each $name:ident, $factory:expr, $($test:ident),+ $(,)?) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::testing::bus::$test($factory().await).await;
                }
            )+
        }
    };
}

/// A recorded event made up for a test: of `category`'s one stream, with its version equal to its position.
#[must_use]
pub fn recorded(position: u64, category: &str) -> Arc<RecordedEvent> {
    Arc::new(RecordedEvent {
        position: Position(position),
        id: EventId::new(),
        stream: StreamId::new(category, Uuid::nil()),
        version: Version(position),
        event_type: format!("{category}.happened"),
        schema_version: SchemaVersion(1),
        recorded_at: DateTime::UNIX_EPOCH,
        subject: None,
        correlation_id: CorrelationId::new(),
        causation_id: None,
        traceparent: None,
        body: Body::Open(Bytes::from_static(b"{}")),
        record: Bytes::new(),
        leaf_hash: [0; 32],
    })
}

fn tag_of(stream: &StreamId) -> Option<&'static str> {
    match stream.category() {
        "account" => Some("users"),
        "playlist" => Some("lists"),
        "stray" => Some("nowhere"),
        _ => None,
    }
}

fn topology() -> Topology {
    let mut topology = Topology::by_tag(tag_of, &["users", "lists"]);
    for queue in &mut topology.queues {
        queue.delivery_limit = DELIVERY_LIMIT;
        queue.length_max = LENGTH_MAX;
        queue.overflow = Overflow::Refuse;
    }
    topology
}

async fn declared(bus: &Bus) {
    bus.declare(&topology()).await.expect("the topology is declared");
}

async fn publish(bus: &Bus, events: &[Arc<RecordedEvent>]) {
    let confirmations = bus.publish(events).await.expect("the bus answers");
    assert_eq!(confirmations, vec![Confirmation::Ok; events.len()]);
}

async fn consumer(bus: &Bus, queue: &str, prefetch: usize) -> Deliveries {
    bus.consume(queue, prefetch).await.expect("the queue is there")
}

/// Takes exactly `count` deliveries.
async fn take(deliveries: &mut Deliveries, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = tokio::time::timeout(PATIENCE, deliveries.next(count - taken.len())).await;
        taken.extend(next.expect("a delivery comes").expect("the bus answers"));
    }
    taken
}

/// Waits until `queue` holds `ready` and `unacknowledged` messages.
async fn reaches(bus: &Bus, queue: &str, ready: usize, unacknowledged: usize) {
    let wanted = Depth {
        ready,
        unacknowledged,
    };
    let reached = async {
        while bus.depth(queue).await.expect("the queue is there") != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, reached).await;
    assert!(
        waited.is_ok(),
        "{queue} holds {:?}, not {wanted:?}",
        bus.depth(queue).await
    );
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries
        .iter()
        .map(|delivery| delivery.content.as_ref().expect("a recorded event").position.0)
        .collect()
}

fn accounts(positions: impl IntoIterator<Item = u64>) -> Vec<Arc<RecordedEvent>> {
    positions
        .into_iter()
        .map(|position| recorded(position, "account"))
        .collect()
}

/// See the name.
pub async fn an_event_reaches_the_queue_of_its_tag_only(bus: Bus) {
    declared(&bus).await;
    let event = recorded(1, "account");
    publish(&bus, &[Arc::clone(&event), recorded(2, "playlist")]).await;
    let taken = take(&mut consumer(&bus, "users", 10).await, 1).await;
    let got = taken[0].content.as_ref().expect("a recorded event");
    assert_eq!(
        (got.position, got.id, &got.stream),
        (event.position, event.id, &event.stream)
    );
    assert_eq!(taken[0].attempt, 1);
    reaches(&bus, "lists", 1, 0).await;
}

/// See the name.
pub async fn deliveries_come_in_the_order_of_publishing(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts(1..=5)).await;
    let taken = take(&mut consumer(&bus, "users", 10).await, 5).await;
    assert_eq!(positions(&taken), [1, 2, 3, 4, 5]);
}

/// See the name.
pub async fn an_event_that_no_queue_takes_is_unroutable(bus: Bus) {
    declared(&bus).await;
    let events = [recorded(1, "account"), recorded(2, "stray")];
    let confirmations = bus.publish(&events).await.expect("the bus answers");
    assert_eq!(confirmations, [Confirmation::Ok, Confirmation::Unroutable]);
}

/// See the name.
pub async fn an_event_without_a_tag_is_meant_for_no_queue(bus: Bus) {
    declared(&bus).await;
    let confirmations = bus
        .publish(&[recorded(1, "private")])
        .await
        .expect("the bus answers");
    assert_eq!(confirmations, [Confirmation::Untagged]);
    reaches(&bus, "users", 0, 0).await;
}

/// See the name.
pub async fn nothing_is_published_before_the_topology_is_declared(bus: Bus) {
    assert!(bus.publish(&[recorded(1, "account")]).await.is_err());
    assert!(bus.consume("users", 1).await.is_err());
}

/// See the name.
pub async fn declaring_again_changes_nothing_and_otherwise_is_a_conflict(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts([1])).await;
    declared(&bus).await;
    reaches(&bus, "users", 1, 0).await;
    let mut other = topology();
    other.queues[0] = QueueSettings {
        delivery_limit: DELIVERY_LIMIT + 1,
        ..other.queues[0].clone()
    };
    assert!(bus.declare(&other).await.is_err());
    reaches(&bus, "users", 1, 0).await;
}

/// See the name.
pub async fn a_full_queue_refuses_and_keeps_what_it_has(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts(1..=LENGTH_MAX as u64)).await;
    let more = recorded(100, "account");
    let refused = bus.publish(&[Arc::clone(&more)]).await.expect("the bus answers");
    assert_eq!(refused, [Confirmation::Refused]);
    let mut deliveries = consumer(&bus, "users", LENGTH_MAX).await;
    let taken = take(&mut deliveries, LENGTH_MAX).await;
    assert_eq!(positions(&taken), (1..=LENGTH_MAX as u64).collect::<Vec<_>>());
    for delivery in taken {
        delivery.ack().await.expect("acknowledged");
    }
    publish(&bus, &[more]).await;
}

/// See the name.
pub async fn a_consumer_holds_no_more_than_its_prefetch(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts(1..=5)).await;
    let mut deliveries = consumer(&bus, "users", 2).await;
    let first = take(&mut deliveries, 2).await;
    let more = tokio::time::timeout(Duration::from_millis(50), take(&mut deliveries, 1)).await;
    assert!(more.is_err(), "a third delivery came while two were held");
    for delivery in first {
        delivery.ack().await.expect("acknowledged");
    }
    assert_eq!(positions(&take(&mut deliveries, 2).await), [3, 4]);
}

/// See the name.
pub async fn competing_consumers_share_and_none_gets_the_others_message(bus: Bus) {
    declared(&bus).await;
    let mut one = consumer(&bus, "users", 3).await;
    let mut two = consumer(&bus, "users", 3).await;
    publish(&bus, &accounts(1..=6)).await;
    let mut all = positions(&take(&mut one, 3).await);
    all.extend(positions(&take(&mut two, 3).await));
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3, 4, 5, 6]);
}

/// See the name.
pub async fn what_a_lost_consumer_held_comes_again_in_its_old_order(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts(1..=4)).await;
    let mut lost = consumer(&bus, "users", 3).await;
    let mut held = take(&mut lost, 3).await;
    held.remove(1).ack().await.expect("acknowledged");
    drop(lost);
    let again = take(&mut consumer(&bus, "users", 10).await, 3).await;
    assert_eq!(positions(&again), [1, 3, 4]);
    assert_eq!(
        again.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(),
        [2, 2, 1]
    );
}

/// See the name.
pub async fn a_message_given_back_comes_again_before_later_ones(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts(1..=3)).await;
    let mut deliveries = consumer(&bus, "users", 1).await;
    let first = take(&mut deliveries, 1).await.remove(0);
    first.nack(true).await.expect("given back");
    let again = take(&mut deliveries, 1).await;
    assert_eq!((positions(&again), again[0].attempt), (vec![1], 2));
}

/// See the name.
pub async fn a_message_refused_for_good_is_a_dead_letter(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts([1])).await;
    let mut deliveries = consumer(&bus, "users", 1).await;
    take(&mut deliveries, 1)
        .await
        .remove(0)
        .nack(false)
        .await
        .expect("given back");
    let dead = take(&mut consumer(&bus, DEAD_QUEUE, 1).await, 1).await;
    assert_eq!(positions(&dead), [1]);
    reaches(&bus, "users", 0, 0).await;
}

/// See the name.
pub async fn a_message_delivered_too_often_is_a_dead_letter(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts([1])).await;
    for attempt in 1..=DELIVERY_LIMIT {
        let mut deliveries = consumer(&bus, "users", 1).await;
        assert_eq!(take(&mut deliveries, 1).await[0].attempt, attempt);
    }
    let dead = take(&mut consumer(&bus, DEAD_QUEUE, 1).await, 1).await;
    assert_eq!(positions(&dead), [1]);
    reaches(&bus, "users", 0, 0).await;
}

/// See the name.
pub async fn an_acknowledged_message_never_comes_again(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts([1])).await;
    let mut deliveries = consumer(&bus, "users", 1).await;
    take(&mut deliveries, 1)
        .await
        .remove(0)
        .ack()
        .await
        .expect("acknowledged");
    drop(deliveries);
    reaches(&bus, "users", 0, 0).await;
    publish(&bus, &accounts([2])).await;
    assert_eq!(
        positions(&take(&mut consumer(&bus, "users", 1).await, 1).await),
        [2]
    );
}

/// See the name.
pub async fn a_message_published_twice_is_delivered_twice(bus: Bus) {
    declared(&bus).await;
    let event = recorded(1, "account");
    publish(&bus, &[Arc::clone(&event), event]).await;
    assert_eq!(
        positions(&take(&mut consumer(&bus, "users", 2).await, 2).await),
        [1, 1]
    );
}

/// See the name.
pub async fn a_waiting_consumer_wakes_for_a_message(bus: Bus) {
    declared(&bus).await;
    let mut deliveries = consumer(&bus, "users", 1).await;
    let waiting = tokio::spawn(async move { positions(&take(&mut deliveries, 1).await) });
    publish(&bus, &accounts([1])).await;
    assert_eq!(waiting.await.expect("the consumer ends"), [1]);
}
