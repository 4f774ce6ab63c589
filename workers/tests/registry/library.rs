//! What a library does with a registry, sound or not.

use std::time::Duration;

use bytes::Bytes;
use classifier::BaseModel;
use domain::Digest;
use eventing::{EventLog, LogConfig};
use projectors::Catalogues;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use workers::registry::watched::Fallback;
use workers::{Library, Registry, RegistryHealth};

use crate::contract::{UnderTest, model};

const PATIENCE: Duration = Duration::from_secs(30);

/// A log that holds models, and a library over it.
pub(crate) struct Shelf {
    log: EventLog,
    pub(crate) library: Library,
    registry: Registry,
    _dir: tempfile::TempDir,
}

impl Shelf {
    pub(crate) async fn over(registry: Registry) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = EventLog::open(LogConfig::new(dir.path())).await.unwrap();
        Self {
            library: library(&log, &registry),
            log,
            registry,
            _dir: dir,
        }
    }

    /// The library of another worker, which knows nothing yet.
    pub(crate) fn another(&self) -> Library {
        library(&self.log, &self.registry)
    }

    /// Puts `model` into the log, as its publication does, and gives the blob's name.
    pub(crate) async fn publish(&self, model: &BaseModel) -> Digest {
        Digest::from_bytes(self.log.put_blob(model.to_bytes()).await.unwrap())
    }

    pub(crate) fn health(&self) -> RegistryHealth {
        self.library.health().borrow().clone()
    }
}

fn library(log: &EventLog, registry: &Registry) -> Library {
    Library::new(log.clone(), registry.clone(), Catalogues::new(log.clone()))
}

/// Serves `wanted` by the library, and checks that it is the very model.
pub(crate) async fn serve(library: &Library, wanted: &BaseModel, blob: Digest) {
    let served = library.model(wanted.fingerprint(), blob).await.unwrap();
    assert_eq!(*served, *wanted);
}

pub(crate) async fn a_library_uses_the_registry_and_says_so(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    assert!(
        shelf.health().is_well(),
        "nothing is wrong before anything was asked"
    );
    under_test.registry().put(model(1).to_bytes()).await.unwrap();
    serve(&shelf.library, &model(1), Digest::of("no such blob")).await;
    serve(&shelf.another(), &model(1), Digest::of("no such blob")).await;
    let health = shelf.health();
    assert!(health.is_well() && health.last_success_at.is_some(), "{health:?}");
    assert_eq!(health.verified, Some(model(1).fingerprint()));
    assert_eq!((health.failures_total, health.from_log_total), (0, 0));
    assert!(
        health.to_string().contains(&model(1).fingerprint().to_string()),
        "{health}"
    );
}

pub(crate) async fn a_changed_model_is_served_from_the_logs_copy(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    let digest = under_test.registry().put(model(1).to_bytes()).await.unwrap();
    under_test.change(digest).await;
    is_served_from_the_log(&shelf, "another digest", 1).await;
}

pub(crate) async fn a_model_that_lost_its_end_is_served_from_the_logs_copy(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    let digest = under_test.registry().put(model(1).to_bytes()).await.unwrap();
    under_test.cut(digest).await;
    is_served_from_the_log(&shelf, "damaged", 1).await;
}

pub(crate) async fn an_absent_model_is_served_from_the_logs_copy(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    is_served_from_the_log(&shelf, "has no model", 0).await;
}

async fn is_served_from_the_log(shelf: &Shelf, because: &str, damaged: u64) {
    let blob = shelf.publish(&model(1)).await;
    serve(&shelf.library, &model(1), blob).await;
    let health = shelf.health();
    assert_eq!(health.fallback, Some(Fallback::LogCopy(model(1).fingerprint())));
    assert_eq!(
        (health.from_log_total, health.damaged_total),
        (1, damaged),
        "{health:?}"
    );
    let (said, fingerprint) = (health.to_string(), model(1).fingerprint().to_string());
    assert!(
        said.contains("log's copy") && said.contains(because) && said.contains(&fingerprint),
        "{said}"
    );
    assert!(!said.contains("pseudo") && !said.contains('{'), "{said}");
}

pub(crate) async fn the_current_model_is_in_memory_before_it_is_asked_for(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    shelf.library.look().await;
    assert!(shelf.health().is_well(), "{:?}", shelf.health());
    let digest = shelf.registry.put(model(1).to_bytes()).await.unwrap();
    shelf.registry.set_current(digest, None).await.unwrap();
    shelf.library.look().await;
    under_test.cut(digest).await;
    serve(&shelf.library, &model(1), Digest::of("no such blob")).await;
    assert_eq!(shelf.health().failures_total, 0);
}

pub(crate) async fn the_last_verified_model_is_kept_when_the_next_one_is_damaged(
    under_test: &impl UnderTest,
) {
    let shelf = Shelf::over(under_test.registry()).await;
    let first = shelf.registry.put(model(1).to_bytes()).await.unwrap();
    let current = shelf.registry.set_current(first, None).await.unwrap();
    shelf.library.look().await;
    let second = shelf.registry.put(model(2).to_bytes()).await.unwrap();
    shelf
        .registry
        .set_current(second, Some(current.generation))
        .await
        .unwrap();
    under_test.change(second).await;
    shelf.library.look().await;
    let health = shelf.health();
    assert_eq!(health.fallback, Some(Fallback::Kept(first)));
    assert_eq!((health.verified, health.damaged_total), (Some(first), 1));
    let said = health.to_string();
    assert!(
        said.contains(&format!("kept the last verified model {first}")),
        "{said}"
    );
    assert!(said.contains(&second.to_string()), "{said}");
    serve(&shelf.library, &model(1), Digest::of("no such blob")).await;
}

pub(crate) async fn bytes_that_are_no_model_are_told_and_not_used(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    let nonsense = Bytes::from_static(b"{\"format\":99}");
    let digest = shelf.registry.put(nonsense.clone()).await.unwrap();
    shelf.registry.set_current(digest, None).await.unwrap();
    shelf.library.look().await;
    let health = shelf.health();
    assert_eq!(
        (health.fallback, health.damaged_total),
        (Some(Fallback::Nothing), 1)
    );
    assert!(!health.to_string().contains("format"), "{health}");
    shelf.library.model(digest, digest).await.unwrap_err();
}

pub(crate) async fn following_warms_the_current_model_and_ends_when_asked_to(under_test: &impl UnderTest) {
    let shelf = Shelf::over(under_test.registry()).await;
    let digest = shelf.registry.put(model(1).to_bytes()).await.unwrap();
    shelf.registry.set_current(digest, None).await.unwrap();
    let (mut health, shutdown) = (shelf.library.health(), CancellationToken::new());
    let following = tokio::spawn(shelf.library.clone().follow(shutdown.clone()));
    let verified = health.wait_for(|health| health.verified == Some(digest));
    timeout(PATIENCE, verified)
        .await
        .expect("it looks at once")
        .unwrap();
    shutdown.cancel();
    timeout(PATIENCE, following).await.expect("it ends").unwrap();
}
