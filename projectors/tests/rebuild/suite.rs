// The tests of `rebuild.rs`, which says what `new_world` is.

use crate::common::*;
use domain::{AccountEvent, account::Erased};
use eventing::{Position, Version, consumer::Handler};
use projectors::{ProjectionKind, digest, fold_until, rebuild, replay, testing::World};

#[tokio::test]
async fn a_rebuild_gives_the_same_views_in_a_new_generation() {
    let world = new_world().await;
    some_life(&world).await;
    world.catch_up(&world.handler()).await;
    for kind in ProjectionKind::ALL {
        let before = digest(&world.store, kind).unwrap();
        let status = world.reader().status(kind).await.unwrap();
        let rebuilt = rebuild(&world.store, &world.log, &world.keys, kind)
            .await
            .unwrap();
        assert_eq!(rebuilt.first_difference, None);
        assert_eq!(
            (rebuilt.replaced, rebuilt.position),
            (status.generation, world.log.head().await.unwrap())
        );
        assert_eq!(digest(&world.store, kind).unwrap(), before);
        let after = world.reader().status(kind).await.unwrap();
        assert_eq!(
            (after.generation, after.building),
            (Some(rebuilt.generation), None)
        );
    }
}

#[tokio::test]
async fn a_rebuild_without_live_views_makes_them() {
    let world = new_world().await;
    some_life(&world).await;
    rebuild(&world.store, &world.log, &world.keys, ProjectionKind::TasteModels)
        .await
        .unwrap();
    assert_eq!(world.reader().taste(person(1)).await.unwrap().version, Version(4));
    assert_eq!(
        world
            .reader()
            .checkpoint(ProjectionKind::TasteModels)
            .await
            .unwrap(),
        world.log.head().await.unwrap()
    );
}

#[tokio::test]
async fn a_handler_goes_on_through_a_rebuild() {
    let world = new_world().await;
    let handler = world.handler();
    some_life(&world).await;
    world.catch_up(&handler).await;
    rebuild(&world.store, &world.log, &world.keys, ProjectionKind::TasteModels)
        .await
        .unwrap();
    let me = person(1);
    world.append(&listener_stream(me), Some(me), [played(5, 5)]).await;
    world.catch_up(&handler).await;
    assert_eq!(world.reader().taste(me).await.unwrap().version, Version(5));
    assert_eq!(
        handler.checkpoint().await.unwrap(),
        world.log.head().await.unwrap()
    );
}

#[tokio::test]
async fn a_rebuild_beside_a_working_handler_loses_nothing() {
    let world = new_world().await;
    some_life(&world).await;
    let handler = world.handler();
    let me = person(1);
    for round in 0..5 {
        let rebuilds = rebuild(&world.store, &world.log, &world.keys, ProjectionKind::TasteModels);
        let works = async {
            for number in 0..10 {
                world
                    .append(&listener_stream(me), Some(me), [played(number, round)])
                    .await;
                world.catch_up(&handler).await;
            }
        };
        let (rebuilt, ()) = tokio::join!(rebuilds, works);
        assert_eq!(rebuilt.unwrap().first_difference, None);
    }
    world.catch_up(&handler).await;
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
    assert_eq!(world.reader().taste(me).await.unwrap().view.plays, 51);
}

#[tokio::test]
async fn a_replay_finds_live_views_that_lag_behind_identical() {
    let world = new_world().await;
    some_life(&world).await;
    world.catch_up(&world.handler()).await;
    world
        .append(&listener_stream(person(1)), Some(person(1)), [played(5, 5)])
        .await;
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
    assert!(
        replayed
            .projections
            .iter()
            .all(|projection| projection.live == projection.replayed)
    );
}

#[tokio::test]
async fn a_fold_until_a_position_shows_how_things_stood_then() {
    let world = new_world().await;
    some_life(&world).await;
    let then = fold_until(&world.log, &world.keys, Position(3)).await.unwrap();
    assert_eq!(then.reader().taste(person(1)).await.unwrap().view.likes, 1);
    let later = fold_until(&world.log, &world.keys, Position(6)).await.unwrap();
    assert_eq!(later.reader().taste(person(1)).await.unwrap().view.likes, 0);
}

#[tokio::test]
async fn a_rebuild_after_an_erasure_knows_nothing_of_the_person() {
    let world = new_world().await;
    some_life(&world).await;
    let me = person(1);
    world
        .append(
            &account_stream(me),
            Some(me),
            [AccountEvent::from(Erased { erased_at: at(9) })],
        )
        .await;
    world.catch_up(&world.handler()).await;
    // The key is still there, as when the erasure is not finished.
    for kind in ProjectionKind::ALL {
        let rebuilt = rebuild(&world.store, &world.log, &world.keys, kind)
            .await
            .unwrap();
        assert_eq!(rebuilt.first_difference, None);
    }
    assert_eq!(world.reader().playlist(playlist(1)).await.unwrap(), None);
    assert_eq!(world.reader().taste(me).await.unwrap().view.dislikes, 0);
}
