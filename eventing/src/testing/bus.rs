//! The contract of the bus, for every adapter.
//!
//! [`bus_contract!`](crate::bus_contract) makes a test of each function here.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use uuid::Uuid;

use crate::{
    Metadata, NewEvent, Position, RecordedEvent, SchemaVersion, StreamId, Version,
    bus::{Bus, Confirmation, DEAD_QUEUE, Deliveries, Delivery, Overflow, QueueSettings, Topology},
    record::line::{self, Place},
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
            what_a_lost_consumer_held_comes_again,
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
    let stream = StreamId::new(category, Uuid::nil());
    let place = Place {
        position: Position(position),
        stream: &stream,
        version: Version(position),
        recorded_at: DateTime::UNIX_EPOCH,
    };
    let event = NewEvent::new(format!("{category}.happened"), SchemaVersion(1), "{}");
    Arc::new(line::record(&event, &Metadata::new(), place))
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

/// Waits until `queue` holds `ready` and, as far as the bus tells, `unacknowledged` messages.
async fn reaches(bus: &Bus, queue: &str, ready: usize, unacknowledged: usize) {
    let reached = async {
        loop {
            let depth = bus.depth(queue).await.expect("the queue is there");
            if depth.ready == ready && depth.unacknowledged.is_none_or(|held| held == unacknowledged) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, reached).await;
    let held = bus.depth(queue).await;
    assert!(
        waited.is_ok(),
        "{queue} holds {held:?}, not {ready} and {unacknowledged}"
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
    assert_eq!(*got, event, "byte for byte");
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

/// See the name. How many it takes above its bound is up to the bus: a broker knows it a little late.
pub async fn a_full_queue_refuses_and_keeps_what_it_has(bus: Bus) {
    declared(&bus).await;
    let mut kept = Vec::new();
    let refused = loop {
        let next = recorded(kept.len() as u64 + 1, "account");
        let confirmations = bus.publish(&[Arc::clone(&next)]).await.expect("the bus answers");
        match confirmations[..] {
            [Confirmation::Ok] => kept.push(next.position.0),
            [Confirmation::Refused] => break next,
            _ => panic!("{confirmations:?}"),
        }
        assert!(kept.len() <= 4 * LENGTH_MAX, "it takes {} messages", kept.len());
    };
    assert!(kept.len() >= LENGTH_MAX, "{} messages fill it", kept.len());
    let mut deliveries = consumer(&bus, "users", kept.len()).await;
    let taken = take(&mut deliveries, kept.len()).await;
    assert_eq!(positions(&taken), kept);
    for delivery in taken {
        delivery.ack().await.expect("acknowledged");
    }
    let taken_again = async {
        while bus
            .publish(&[Arc::clone(&refused)])
            .await
            .expect("the bus answers")
            != [Confirmation::Ok]
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken_again)
        .await
        .expect("there is room again");
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

/// See the name. In which order is up to the bus.
pub async fn what_a_lost_consumer_held_comes_again(bus: Bus) {
    declared(&bus).await;
    publish(&bus, &accounts(1..=4)).await;
    let mut lost = consumer(&bus, "users", 3).await;
    let mut held = take(&mut lost, 3).await;
    held.remove(1).ack().await.expect("acknowledged");
    drop(lost);
    let again = take(&mut consumer(&bus, "users", 10).await, 3).await;
    let mut came = positions(&again);
    came.sort_unstable();
    assert_eq!(came, [1, 3, 4]);
    for delivery in again {
        let position = delivery.content.expect("a recorded event").position.0;
        // What nobody took may have been on its way to the lost consumer.
        let attempts = if position == 4 { 1..=2 } else { 2..=2 };
        assert!(
            attempts.contains(&delivery.attempt),
            "{position}: {}",
            delivery.attempt
        );
    }
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
