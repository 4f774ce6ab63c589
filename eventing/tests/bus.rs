//! The in-process bus keeps the bus's contract, and more: it knows what is settled.

use std::sync::Arc;

use eventing::{
    Position, RecordedEvent, StreamId,
    bus::{Bus, Confirmation, Deliveries, Delivery, Settled, Topology},
    testing::bus::recorded,
};

async fn in_process() -> Bus {
    Bus::in_process()
}

eventing::bus_contract!(in_process_bus, super::in_process);

fn tag_of(stream: &StreamId) -> Option<&'static str> {
    match stream.category() {
        "account" => Some("users"),
        "playlist" => Some("lists"),
        _ => None,
    }
}

async fn bus_with_queues_of(length_max: usize) -> Bus {
    let mut topology = Topology::by_tag(tag_of, &["users", "lists"]);
    topology
        .queues
        .iter_mut()
        .for_each(|queue| queue.length_max = length_max);
    let bus = Bus::in_process();
    bus.declare(&topology).await.unwrap();
    bus
}

async fn publish(bus: &Bus, events: &[Arc<RecordedEvent>]) {
    let confirmations = bus.publish(events).await.unwrap();
    assert!(
        confirmations
            .iter()
            .all(|confirmation| *confirmation == Confirmation::Ok),
        "{confirmations:?}"
    );
}

async fn take(deliveries: &mut Deliveries) -> Vec<Delivery> {
    loop {
        let taken = deliveries.next(100).await.unwrap();
        if !taken.is_empty() {
            return taken;
        }
    }
}

fn settled(after: u64, to: u64) -> Option<Settled> {
    Some(Settled {
        after: Position(after),
        to: Position(to),
    })
}

#[tokio::test]
async fn a_queue_vouches_for_all_below_its_lowest_unacknowledged_message() {
    let bus = bus_with_queues_of(100).await;
    let mut deliveries = bus.consume("users", 10).await.unwrap();
    assert_eq!(deliveries.settled(), None);
    bus.begin_after(Position(10)).await.unwrap();
    publish(
        &bus,
        &[
            recorded(11, "account"),
            recorded(12, "playlist"),
            recorded(13, "account"),
        ],
    )
    .await;
    assert_eq!(deliveries.settled(), settled(10, 10));
    let mut taken = take(&mut deliveries).await;
    taken.pop().unwrap().ack().await.unwrap();
    assert_eq!(deliveries.settled(), settled(10, 10), "11 is not acknowledged");
    taken.pop().unwrap().ack().await.unwrap();
    assert_eq!(deliveries.settled(), settled(10, 13));
    publish(&bus, &[recorded(14, "playlist")]).await;
    assert_eq!(deliveries.settled(), settled(10, 14), "14 is for another queue");
}

#[tokio::test]
async fn what_another_consumer_holds_is_not_settled() {
    let bus = bus_with_queues_of(100).await;
    let mut one = bus.consume("users", 1).await.unwrap();
    let mut two = bus.consume("users", 1).await.unwrap();
    publish(&bus, &[recorded(1, "account"), recorded(2, "account")]).await;
    let held = take(&mut one).await;
    take(&mut two).await.pop().unwrap().ack().await.unwrap();
    assert_eq!(two.settled(), settled(0, 0));
    drop(held);
    drop(one);
    take(&mut two).await.pop().unwrap().ack().await.unwrap();
    assert_eq!(two.settled(), settled(0, 2));
}

#[tokio::test]
async fn what_a_lost_consumer_held_comes_again_in_its_old_order() {
    let bus = bus_with_queues_of(100).await;
    let events: Vec<_> = (1..=4).map(|position| recorded(position, "account")).collect();
    publish(&bus, &events).await;
    let mut lost = bus.consume("users", 3).await.unwrap();
    let held = take(&mut lost).await;
    drop((held, lost));
    let again = take(&mut bus.consume("users", 10).await.unwrap()).await;
    let came = again
        .iter()
        .map(|delivery| (delivery.content.as_ref().unwrap().position.0, delivery.attempt));
    assert_eq!(came.collect::<Vec<_>>(), [(1, 2), (2, 2), (3, 2), (4, 1)]);
}

#[tokio::test]
async fn an_overflowing_queue_sends_its_consumers_to_the_log_and_stays_small() {
    let bus = bus_with_queues_of(4).await;
    let mut deliveries = bus.consume("users", 10).await.unwrap();
    let events: Vec<_> = (1..=5).map(|position| recorded(position, "account")).collect();
    publish(&bus, &events).await;
    assert_eq!(bus.depth("users").await.unwrap().ready, 0);
    assert!(
        deliveries.next(10).await.unwrap().is_empty(),
        "it wakes all the same"
    );
    assert_eq!(
        deliveries.settled(),
        settled(5, 5),
        "what lies below has to be read from the log"
    );
}

#[tokio::test]
async fn a_hole_in_what_was_published_is_left_to_the_log() {
    let bus = bus_with_queues_of(100).await;
    let deliveries = bus.consume("lists", 10).await.unwrap();
    publish(&bus, &[recorded(1, "account"), recorded(4, "account")]).await;
    assert_eq!(deliveries.settled(), settled(3, 4));
}

#[tokio::test]
async fn what_comes_after_a_message_that_was_not_published_is_not_vouched_for() {
    let mut topology = Topology::by_tag(tag_of, &["users"]);
    topology.queues[0].name = "only".to_owned();
    let bus = Bus::in_process();
    bus.declare(&topology).await.unwrap();
    let deliveries = bus.consume("only", 10).await.unwrap();
    bus.begin_after(Position(0)).await.unwrap();
    let confirmations = bus
        .publish(&[recorded(1, "playlist"), recorded(2, "account")])
        .await
        .unwrap();
    assert_eq!(confirmations, [Confirmation::Unroutable, Confirmation::Ok]);
    assert_eq!(deliveries.settled(), settled(0, 0));
}
