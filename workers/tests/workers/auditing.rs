use domain::*;
use eventing::{Append, ExpectedVersion, Metadata, StreamId, Version};
use workers::{Generator, Recomputed, Recomputer, recompute};

use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playlist_is_computed_again_byte_for_byte_from_the_log_alone() {
    let world = World::new().await;
    world.import().await;
    world.live().await;
    world.ask(playlist(1), request(42)).await;
    let worker = world.classifier(1);
    let (_, recorded) = world.answer(playlist(1)).await;
    worker.stop().await;
    world.rate(700, Rating::Dislike).await;

    let (log, keys) = (&world.parts.log, &world.parts.keys);
    let computed = recompute(log, keys, &world.registry, playlist(1)).await.unwrap();
    assert_eq!(computed, recorded);
    let recomputer = Recomputer::new(log.clone(), keys.clone(), world.registry.clone());
    assert_eq!(
        recomputer.check(playlist(1)).await.unwrap(),
        Recomputed::Same { payload: recorded }
    );
    assert_eq!(recomputer.check(playlist(2)).await.unwrap(), Recomputed::Unknown);
    keys.destroy(subject()).await.unwrap();
    assert_eq!(recomputer.check(playlist(1)).await.unwrap(), Recomputed::Erased);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playlist_that_the_history_does_not_give_is_found_out() {
    let world = World::new().await;
    world.import().await;
    world.ask(playlist(1), request(42)).await;
    let honest = recompute(&world.parts.log, &world.parts.keys, &world.registry, playlist(1))
        .await
        .unwrap();
    let mut forged: Generated = serde_json::from_slice(&honest).unwrap();
    forged.tracks.swap(0, 1);
    let command = PlaylistCommand::RecordGeneration(Box::new(forged));
    world
        .execute::<Playlist>(playlist(1).stream_name(), command)
        .await;

    let recomputer = Recomputer::new(
        world.parts.log.clone(),
        world.parts.keys.clone(),
        world.registry.clone(),
    );
    let checked = recomputer.check(playlist(1)).await.unwrap();
    assert!(matches!(checked, Recomputed::Differs { .. }), "{checked:?}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_computed_again_too() {
    let world = World::new().await;
    world.ask(playlist(1), request(1)).await;
    Generator::new(world.parts.clone(), world.library())
        .make(playlist(1))
        .await
        .unwrap();
    world.import().await;
    world.ask(playlist(2), request(1)).await;
    let command = PlaylistCommand::RecordFailure {
        reason: FailureReason::NoCatalogue,
        detail: None,
        at: at(5),
    };
    world
        .execute::<Playlist>(playlist(2).stream_name(), command)
        .await;
    world.ask(playlist(3), request(1)).await;

    let recomputer = Recomputer::new(
        world.parts.log.clone(),
        world.parts.keys.clone(),
        world.registry.clone(),
    );
    assert_eq!(
        recomputer.check(playlist(1)).await.unwrap(),
        Recomputed::SameFailure
    );
    assert!(matches!(
        recomputer.check(playlist(2)).await.unwrap(),
        Recomputed::Differs { .. }
    ));
    assert_eq!(recomputer.check(playlist(3)).await.unwrap(), Recomputed::Pending);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_begin_with_a_request_is_an_error_and_no_answer() {
    let world = World::new().await;
    let stream = StreamId::parse(&playlist(1).stream_name()).unwrap();
    let event = eventing::NewEvent::new("playlist.failed", 1.into(), &b"{\"no\":1}"[..]);
    let append = Append::new(
        stream.clone(),
        ExpectedVersion::NoStream,
        vec![event],
        Metadata::new(),
    );
    world.parts.log.append(append).await.unwrap();
    let generator = Generator::new(world.parts.clone(), world.library());
    assert!(generator.make(playlist(1)).await.is_err());
    assert_eq!(
        world
            .parts
            .log
            .read_stream(&stream, Version::NONE, 9)
            .await
            .unwrap()
            .len(),
        1
    );
    world.close().await;
}
