//! How fast the log is folded. Prints, and asserts nothing: `cargo test --release -p projectors --test speed -- --ignored --nocapture`.

mod common;
mod server;

use std::time::Instant;

use common::*;
use domain::{Described, Digest, ListenerEvent, Rating, listener::TrackRated};
use projectors::{ProjectionKind, ViewStore, rebuild, replay, testing::World};
use server::{SERVER, shared_config};

const LISTENERS: u128 = 500;
const RATINGS: u32 = 200;
/// Ratings appended at a time, so that a listener's events lie scattered over the log.
const AT_A_TIME: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn events_folded_per_second_embedded() {
    fold(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn events_folded_per_second_in_redis() {
    fold(World::with_views(ViewStore::redis(shared_config()).unwrap()).await).await;
}

async fn fold(world: World) {
    for first in (0..RATINGS).step_by(AT_A_TIME as usize) {
        for number in 1..=LISTENERS {
            let ratings = (first..first + AT_A_TIME).map(described);
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

/// A rating as they come from a catalogue with twelve features.
fn described(number: u32) -> ListenerEvent {
    let z = (0..12).map(|feature| (i32::try_from(number).unwrap() * 7_919 + feature * 104_729) % 4_000_000);
    let described = Described {
        schema: Digest::of("schema"),
        z: z.collect(),
        artists: vec![format!("An Artist of Some Name {}", number % 300)],
    };
    TrackRated {
        track: format!("4uLU6hMCjMI75M1A2tK{number:03}").parse().unwrap(),
        rating: Rating::Like,
        rated_at: at(i64::from(number)),
        described,
    }
    .into()
}

/// What `docs/views.md` says of memory.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn bytes_a_listener_takes_in_redis() {
    let config = shared_config();
    let world = World::with_views(ViewStore::redis(config.clone()).unwrap()).await;
    let handler = world.handler();
    for (person_number, ratings) in [(1, 0), (2, 10), (3, 100), (4, 1_000)] {
        let me = person(person_number);
        let session = u32::try_from(person_number).unwrap();
        world
            .append(
                &account_stream(me),
                Some(me),
                [registered(me), signed_in(session)],
            )
            .await;
        if ratings > 0 {
            world
                .append(&listener_stream(me), Some(me), (0..ratings).map(described))
                .await;
            world
                .append(
                    &listener_stream(me),
                    Some(me),
                    (0..ratings / 10).map(|track| played(track, 1)),
                )
                .await;
        }
    }
    world.catch_up(&handler).await;
    let keys = SERVER
        .cli(&["--scan", "--pattern", &format!("{}*", config.prefix)])
        .unwrap();
    for key in keys.lines() {
        let bytes = SERVER.cli(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).unwrap();
        print(&format!("{key}: {bytes} bytes"));
    }
}

#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn print(line: &str) {
    println!("{line}");
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
