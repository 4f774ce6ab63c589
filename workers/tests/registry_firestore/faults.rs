//! Firestore that is down, slow, killed in the middle or empty again: told, bounded, and in no playlist's way.

use std::error::Error;
use std::time::{Duration, Instant};

use domain::Digest;
use servers::Firestore;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use workers::registry::FirestoreConfig;
use workers::registry::watched::Fallback;
use workers::{Registry, RegistryError};

use crate::contract::{UnderTest, model};
use crate::documents::large;
use crate::library::{Shelf, serve};
use crate::server::{InFirestore, start};

/// Longer than a registry waits for a request and its repetition, with time for a busy machine.
const BOUND: Duration = Duration::from_secs(8);

/// The emulator that these tests harm, one at a time; each finds it running, however the last one ended.
async fn server() -> MutexGuard<'static, Firestore> {
    static SERVER: std::sync::LazyLock<Mutex<Firestore>> = std::sync::LazyLock::new(|| Mutex::new(start()));
    let mut server = SERVER.lock().await;
    server.resume();
    if !server.is_ready().await {
        server.restart().await.expect("the emulator starts");
    }
    server
}

fn in_full(error: &RegistryError) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_at_the_start_is_told_with_its_setting_and_used_once_it_is_up() {
    let mut server = server().await;
    server.stop();
    let registry = Registry::firestore(FirestoreConfig::new("demo-late").emulator(server.host()));
    let error = registry.put(model(1).to_bytes()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable(_)), "{error:?}");
    let said = in_full(&error);
    assert!(
        said.contains("FIRESTORE_EMULATOR_HOST") && said.contains(&server.host()),
        "{said}"
    );
    server.restart().await.unwrap();
    let digest = registry.put(model(1).to_bytes()).await.unwrap();
    assert!(registry.get(digest).await.unwrap().is_some());
}

/// More than a server takes in a moment.
const LARGE: usize = 24 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_a_put_leaves_no_part_of_a_model() {
    let mut server = server().await;
    let world = InFirestore::at(&server.host()).await;
    let (bytes, registry) = (large(LARGE), world.registry());
    let digest = Digest::of(&bytes);
    let putting = tokio::spawn({
        let (registry, bytes) = (registry.clone(), bytes.clone());
        async move { registry.put(bytes).await }
    });
    // Looking for its chunks would take longer than it does.
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert!(!putting.is_finished(), "so much cannot be kept so soon");
    server.kill();
    let error = putting.await.unwrap().expect_err("nobody was there to keep it");
    assert!(matches!(error, RegistryError::Unavailable(_)), "{error:?}");
    server.restart().await.unwrap();
    assert_eq!(registry.list().await.unwrap(), []);
    registry.put(bytes.clone()).await.expect("doing it again is safe");
    assert!(registry.get(digest).await.unwrap() == Some(bytes), "it is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_cut_short_anywhere_leaves_a_whole_model_or_none_and_can_be_done_again() {
    let server = server().await;
    let world = InFirestore::at(&server.host()).await;
    let (bytes, registry) = (large(LARGE / 4), world.registry());
    let digest = Digest::of(&bytes);
    let (mut cuts_between, mut bound) = (0, Duration::ZERO);
    // Each goes on a little longer than the one before, until one is not cut.
    while timeout(bound, registry.put(bytes.clone())).await.is_err() {
        match registry.get(digest).await.unwrap() {
            Some(kept) => assert!(kept == bytes, "it is whole"),
            None => cuts_between += u32::from(world.has_chunk(digest, 0).await),
        }
        bound += Duration::from_millis(10);
    }
    assert!(cuts_between > 0, "no cut came between chunks and metadata");
    assert!(registry.get(digest).await.unwrap() == Some(bytes), "it is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_waited_for_no_longer_than_was_said() {
    let server = server().await;
    let world = InFirestore::at(&server.host()).await;
    let registry = world.registry();
    let digest = registry.put(model(1).to_bytes()).await.unwrap();
    server.pause();
    let began = Instant::now();
    let error = registry.get(digest).await.unwrap_err();
    let took = began.elapsed();
    server.resume();
    assert!(matches!(error, RegistryError::Unavailable(_)), "{error:?}");
    assert!(took < BOUND, "it took {took:?}");
    assert!(registry.get(digest).await.unwrap().is_some(), "it is used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_registry_delays_one_playlist_a_little_and_the_next_not_at_all() {
    let server = server().await;
    let world = InFirestore::at(&server.host()).await;
    let shelf = Shelf::over(world.registry()).await;
    for number in 1..=3 {
        world.registry().put(model(number).to_bytes()).await.unwrap();
    }
    let [one, two, three] = [
        shelf.publish(&model(1)).await,
        shelf.publish(&model(2)).await,
        shelf.publish(&model(3)).await,
    ];
    serve(&shelf.library, &model(1), one).await;
    assert!(shelf.health().is_well());
    server.pause();
    let loading = tokio::spawn({
        let library = shelf.library.clone();
        async move {
            let began = Instant::now();
            serve(&library, &model(2), two).await;
            began.elapsed()
        }
    });
    // Until that one waits for the server; nothing outside shows it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        took(serve(&shelf.library, &model(1), one)).await < Duration::from_secs(1),
        "memory waits for nobody"
    );
    let first = loading.await.unwrap();
    assert!(first < Duration::from_secs(4), "the first took {first:?}");
    let second = took(serve(&shelf.library, &model(3), three)).await;
    assert!(second < Duration::from_secs(1), "the second took {second:?}");
    let health = shelf.health();
    assert_eq!(health.fallback, Some(Fallback::LogCopy(model(3).fingerprint())));
    assert_eq!((health.from_log_total, health.failures_total), (2, 1));
    server.resume();
    shelf.library.look().await;
    assert!(shelf.health().is_well(), "{}", shelf.health());
}

async fn took(work: impl Future<Output = ()>) -> Duration {
    let began = Instant::now();
    work.await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_keeps_its_last_verified_model_while_the_server_is_down_and_recovers() {
    let mut server = server().await;
    let world = InFirestore::at(&server.host()).await;
    let shelf = Shelf::over(world.registry()).await;
    let registry = world.registry();
    let digest = registry.put(model(1).to_bytes()).await.unwrap();
    registry.set_current(digest, None).await.unwrap();
    shelf.library.look().await;
    server.kill();
    shelf.library.look().await;
    let health = shelf.health();
    assert_eq!(health.fallback, Some(Fallback::Kept(digest)));
    let said = health.to_string();
    assert!(
        said.contains("kept the last verified model") && said.contains("FIRESTORE_EMULATOR_HOST"),
        "{said}"
    );
    serve(&shelf.library, &model(1), Digest::of("no such blob")).await;
    // Another worker, which has nothing in memory, takes the log's copy.
    let blob = shelf.publish(&model(1)).await;
    let another = shelf.another();
    serve(&another, &model(1), blob).await;
    assert_eq!(
        another.health().borrow().fallback,
        Some(Fallback::LogCopy(digest))
    );

    server.restart().await.unwrap();
    assert_eq!(
        registry.current().await.unwrap(),
        None,
        "the emulator kept nothing"
    );
    let third = shelf.another();
    serve(&third, &model(1), blob).await;
    assert!(
        third.health().borrow().to_string().contains("has no model"),
        "an empty registry is told"
    );
    registry.put(model(1).to_bytes()).await.unwrap();
    registry.set_current(digest, None).await.unwrap();
    shelf.library.look().await;
    assert!(shelf.health().is_well(), "{}", shelf.health());
}
