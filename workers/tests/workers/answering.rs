use std::collections::BTreeMap;

use bytes::Bytes;
use classifier::BaseModel;
use domain::*;
use eventing::{StreamId, Version};
use projectors::{PlaylistStatus, ProjectionKind};
use workers::{Generator, Library, Outcome};

use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_answered_with_a_playlist_and_the_view_shows_it() {
    let world = World::new().await;
    let worker = world.classifier(2);
    world.import().await;
    world.live().await;
    world.ask(playlist(1), request(42)).await;

    let generated = world.generated(playlist(1)).await;
    assert_eq!(
        (generated.requested, generated.returned, generated.random_seed),
        (20, 20, 42)
    );
    assert_eq!(generated.catalogue, world.catalogue.version());
    assert_eq!(generated.listener_version, 11);
    assert_eq!(
        generated.model,
        BaseModel::neutral(world.catalogue.schema()).fingerprint()
    );

    world
        .viewed(ProjectionKind::Playlists, &playlist(1).stream_name())
        .await;
    let view = world
        .parts
        .views
        .reader()
        .playlist(playlist(1))
        .await
        .unwrap()
        .unwrap()
        .view;
    assert!(
        matches!(view.status, PlaylistStatus::Ready { returned: 20, .. }),
        "{:?}",
        view.status
    );
    assert_eq!(
        world.parts.views.reader().pending_playlists(10).await.unwrap(),
        []
    );
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_names_its_request_as_its_cause_and_is_sealed() {
    let world = World::new().await;
    let worker = world.classifier(1);
    world.import().await;
    world.ask(playlist(1), request(42)).await;
    world.answer(playlist(1)).await;

    let stream = StreamId::parse(&playlist(1).stream_name()).unwrap();
    let events = world
        .parts
        .log
        .read_stream(&stream, Version::NONE, 10)
        .await
        .unwrap();
    let [requested, generated] = events.as_slice() else {
        panic!("{} events", events.len())
    };
    assert_eq!(generated.causation_id, Some(requested.id.into()));
    assert_eq!(generated.correlation_id, requested.correlation_id);
    assert_eq!(generated.subject, Some(subject()));
    assert!(matches!(generated.body, eventing::Body::Sealed(_)));
    worker.stop().await;
    world.close().await;
}

/// The whole history, answered by so many workers, from playlist to payload.
async fn answered_by(workers: usize) -> BTreeMap<PlaylistId, Bytes> {
    let world = World::new().await;
    world.import().await;
    let running: Vec<Running> = (0..workers).map(|_| world.classifier(2)).collect();
    let mut answers = BTreeMap::new();
    for number in 0..8 {
        world
            .rate(
                number * 31,
                if number % 2 == 0 {
                    Rating::Like
                } else {
                    Rating::Dislike
                },
            )
            .await;
        world.ask(playlist(number.into()), request(number.into())).await;
    }
    for number in 0..8 {
        let (event_type, payload) = world.answer(playlist(number)).await;
        assert_eq!(event_type, "playlist.generated");
        answers.insert(playlist(number), payload);
    }
    for worker in running {
        worker.stop().await;
    }
    world.close().await;
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_history_gives_the_same_bytes_in_any_run_with_one_worker_or_two() {
    let first = answered_by(1).await;
    assert_eq!(first, answered_by(1).await);
    assert_eq!(first, answered_by(2).await);
    let distinct: std::collections::BTreeSet<_> = first.values().collect();
    assert_eq!(
        distinct.len(),
        first.len(),
        "different requests gave the same playlist"
    );
}

/// Views follow the head of the log; a playlist belongs to the moment of its request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_after_the_request_does_not_change_the_bytes_however_far_the_views_are() {
    let prompt = World::new().await;
    prompt.import().await;
    prompt.live().await;
    prompt.ask(playlist(1), request(42)).await;
    let worker = prompt.classifier(1);
    let (_, expected) = prompt.answer(playlist(1)).await;
    worker.stop().await;
    prompt.close().await;

    let late = World::new().await;
    late.import().await;
    late.live().await;
    late.ask(playlist(1), request(42)).await;
    let liked: Generated = serde_json::from_slice(&expected).unwrap();
    let best = late.catalogue.index_of(&liked.tracks[0].track).unwrap();
    late.rate(best, Rating::Dislike).await;
    let mut model = BaseModel::neutral(late.catalogue.schema());
    model.like.mean[0] = 1.5;
    late.publish(&model, true).await;
    // No slot: this worker keeps the views only.
    let viewer = late.classifier(0);
    late.viewed(ProjectionKind::TasteModels, &owner().listener_stream_name())
        .await;
    viewer.stop().await;

    let generator = Generator::new(late.parts.clone(), late.library());
    assert_eq!(generator.make(playlist(1)).await.unwrap(), Outcome::Answered);
    assert_eq!(late.answer(playlist(1)).await.1, expected);

    late.ask(playlist(2), request(42)).await;
    assert_eq!(generator.make(playlist(2)).await.unwrap(), Outcome::Answered);
    let after = late.generated(playlist(2)).await;
    assert_eq!(
        (after.listener_version, after.model),
        (12, model.fingerprint()),
        "the later request sees what came"
    );
    assert!(
        after
            .tracks
            .iter()
            .all(|track| track.track != liked.tracks[0].track),
        "a disliked track came back"
    );
    late.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_model_is_used_from_the_registry_or_from_the_log() {
    let world = World::new().await;
    world.import().await;
    let mut model = BaseModel::neutral(world.catalogue.schema());
    model.like.mean[1] = 0.75;
    world.publish(&model, false).await;
    world.ask(playlist(1), request(1)).await;
    let generator = |library: Library| Generator::new(world.parts.clone(), library);
    assert_eq!(
        generator(world.library()).make(playlist(1)).await.unwrap(),
        Outcome::Answered
    );
    assert_eq!(world.generated(playlist(1)).await.model, model.fingerprint());

    world.registry.put(model.to_bytes()).await.unwrap();
    world.ask(playlist(2), request(1)).await;
    assert_eq!(
        generator(world.library()).make(playlist(2)).await.unwrap(),
        Outcome::Answered
    );
    assert_eq!(
        world.generated(playlist(2)).await,
        world.generated(playlist(1)).await
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_of_other_features_is_not_used_and_the_playlist_says_so() {
    let world = World::new().await;
    world.import().await;
    let mut schema = world.catalogue.schema().clone();
    schema.features.pop();
    world.publish(&BaseModel::neutral(&schema), true).await;
    let worker = world.classifier(1);
    world.ask(playlist(1), request(1)).await;
    let generated = world.generated(playlist(1)).await;
    assert_eq!(
        generated.model,
        BaseModel::neutral(world.catalogue.schema()).fingerprint()
    );
    assert!(
        generated.notes.iter().any(|note| note.contains("other features")),
        "{:?}",
        generated.notes
    );
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_made_fails_with_its_reason() {
    let world = World::new().await;
    let worker = world.classifier(1);
    world.ask(playlist(1), request(1)).await;
    assert_eq!(world.failure(playlist(1)).await, FailureReason::NoCatalogue);

    world.import().await;
    let nothing = PlaylistRequest {
        minimums: [("energy".to_owned(), 2.0)].into(),
        ..request(1)
    };
    world.ask(playlist(2), nothing).await;
    assert_eq!(world.failure(playlist(2)).await, FailureReason::EmptyPool);

    let unknown = PlaylistRequest {
        targets: [("sparkle".to_owned(), 0.5)].into(),
        ..request(1)
    };
    world.ask(playlist(3), unknown).await;
    assert_eq!(world.failure(playlist(3)).await, FailureReason::UnknownFeature);
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_answered_once_however_often_it_is_taken_up() {
    let world = World::new().await;
    world.import().await;
    world.ask(playlist(1), request(1)).await;
    let generator = Generator::new(world.parts.clone(), world.library());
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let generator = Generator::new(world.parts.clone(), world.library());
        making.spawn(async move { generator.make(playlist(1)).await.unwrap() });
    }
    let outcomes = making.join_all().await;
    let answered = outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Answered)
        .count();
    assert_eq!(answered, 1, "{outcomes:?}");
    assert_eq!(
        generator.make(playlist(1)).await.unwrap(),
        Outcome::AnsweredBefore
    );
    assert_eq!(generator.make(playlist(9)).await.unwrap(), Outcome::Unknown);
    let stream = StreamId::parse(&playlist(1).stream_name()).unwrap();
    assert_eq!(
        world
            .parts
            .log
            .read_stream(&stream, Version::NONE, 10)
            .await
            .unwrap()
            .len(),
        2
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_for_a_person_who_was_forgotten() {
    let world = World::new().await;
    world.import().await;
    world.ask(playlist(1), request(1)).await;
    world.parts.keys.destroy(subject()).await.unwrap();
    let generator = Generator::new(world.parts.clone(), world.library());
    assert_eq!(generator.make(playlist(1)).await.unwrap(), Outcome::Erased);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_reaches_the_view_of_accounts() {
    let world = World::new().await;
    let worker = world.usermanagement();
    let command = AccountCommand::Register {
        account: owner(),
        username: Username::parse("Ada.L").unwrap(),
        password_hash: "$argon2id$".into(),
        at: at(0),
    };
    world.execute::<Account>(owner().stream_name(), command).await;
    world
        .viewed(ProjectionKind::Accounts, &owner().stream_name())
        .await;
    let account = world
        .parts
        .views
        .reader()
        .account(owner())
        .await
        .unwrap()
        .unwrap()
        .view;
    assert_eq!(account.role, Role::Listener);
    worker.stop().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_the_inbox_holds_are_all_answered() {
    let world = World::new().await;
    world.import().await;
    for number in 0..30 {
        world.ask(playlist(number), request(1)).await;
    }
    let sweep_every = std::time::Duration::from_millis(50);
    let settings = workers::GeneratorSettings {
        slots: 2,
        inbox_max: 1,
        sweep_every,
        ..Default::default()
    };
    let worker = workers::ClassifierWorker::new(&world.parts, world.library(), settings).unwrap();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(worker.run(shutdown.clone()));
    for number in 0..30 {
        world.answer(playlist(number)).await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    world.close().await;
}
