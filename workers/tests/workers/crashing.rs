//! A worker dies at a failpoint, in a process of its own; another one takes up what it left.

use std::process::Command;

use eventing::testing::TempDir;
use eventing::{StreamId, Version, failpoints};

use crate::world::*;

const DIR: &str = "SEGUE_TEST_DIR";

/// Not a test of its own: the process that dies. Without a folder there is nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_makes_a_playlist_and_dies() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let world = World::open(dir.as_ref()).await;
    world.import().await;
    world.live().await;
    world.ask(playlist(1), request(42)).await;
    let _worker = world.classifier(1);
    world.answer(playlist(1)).await;
    // `after_append` comes a moment after the answer can be seen.
    tokio::time::sleep(PATIENCE).await;
}

fn die_at(failpoint: &str, dir: &TempDir) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crashing::child_that_makes_a_playlist_and_dies",
            "--nocapture",
        ])
        .env(DIR, dir.path())
        .env(failpoints::VARIABLE, failpoint)
        .output()
        .unwrap()
        .status;
    assert!(!status.success(), "the process did not die at {failpoint}");
}

async fn undisturbed() -> bytes::Bytes {
    let world = World::new().await;
    world.import().await;
    world.live().await;
    world.ask(playlist(1), request(42)).await;
    let worker = world.classifier(1);
    let (_, payload) = world.answer(playlist(1)).await;
    worker.stop().await;
    world.close().await;
    payload
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_around_the_append_leaves_one_answer_to_its_successor() {
    let expected = undisturbed().await;
    for failpoint in [
        "generate.before_append",
        "generate.after_append",
        "view.after_commit:2",
    ] {
        let dir = TempDir::new();
        die_at(failpoint, &dir);
        let world = World::open(dir.path()).await;
        if failpoint == "generate.before_append" {
            let stream = StreamId::parse(&playlist(1).stream_name()).unwrap();
            assert_eq!(
                world
                    .parts
                    .log
                    .stream_head(&stream)
                    .await
                    .unwrap()
                    .unwrap()
                    .version,
                Version(1)
            );
        }
        let worker = world.classifier(1);
        assert_eq!(world.answer(playlist(1)).await.1, expected, "died at {failpoint}");
        world
            .viewed(projectors::ProjectionKind::Playlists, &playlist(1).stream_name())
            .await;
        assert_eq!(
            world.parts.views.reader().pending_playlists(10).await.unwrap(),
            [],
            "died at {failpoint}"
        );
        worker.stop().await;
        world.close().await;
    }
}
