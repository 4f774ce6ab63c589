//! How fast the log is folded. Prints, and asserts nothing: `cargo test --release -p projectors --test speed -- --ignored --nocapture`.

mod common;

use std::time::Instant;

use common::*;
use domain::Rating;
use projectors::{ProjectionKind, rebuild, replay, testing::World};

const LISTENERS: u128 = 500;
const RATINGS: u32 = 200;
/// Ratings appended at a time, so that a listener's events lie scattered over the log.
const AT_A_TIME: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn events_folded_per_second() {
    let world = World::new().await;
    for first in (0..RATINGS).step_by(AT_A_TIME as usize) {
        for number in 1..=LISTENERS {
            let ratings = (first..first + AT_A_TIME).map(|number| rated(number, Rating::Like));
            world
                .append(&listener_stream(person(number)), Some(person(number)), ratings)
                .await;
        }
    }
    let started = Instant::now();
    world.catch_up(&world.handler()).await;
    let events = world.log.head().await.unwrap().0;
    report("handled, a thousand at a time", events, started);
    let rebuilt = rebuild(&world.store, &world.log, &world.keys, ProjectionKind::TasteModels)
        .await
        .unwrap();
    assert_eq!(rebuilt.first_difference, None);
    report("rebuilt", events, Instant::now() - rebuilt.took);
    let started = Instant::now();
    assert!(
        replay(&world.store, &world.log, &world.keys)
            .await
            .unwrap()
            .is_identical()
    );
    report("replayed and compared", events, started);
    let started = Instant::now();
    let mut after = eventing::Position(0);
    while let Some(last) = world.log.read_after(after, 4_096).await.unwrap().last() {
        after = last.position;
    }
    report("read and parsed, nothing else", events, started);
}

#[expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement is printed"
)]
fn report(what: &str, events: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{what}: {events} events in {seconds:.2} s, {:.0} a second",
        events as f64 / seconds
    );
}
