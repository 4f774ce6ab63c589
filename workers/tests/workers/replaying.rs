//! Every answer computed again in one walk, and what is said of those that the history does not give.

use domain::listener::NewRating;
use domain::*;
use eventing::record::seal_context;
use eventing::{
    Append, Body, ExpectedVersion, Metadata, NewEvent, Position, RecordedEvent, StreamId, SubjectId, Version,
};
use projectors::{Count, Watcher, fold_watched};
use uuid::Uuid;
use workers::{
    Cause, CheckAll, Checked, Explainer, Generator, Parts, PublicationCheck, Recomputer, recompute,
};

use crate::world::*;

fn recomputer(world: &World) -> Recomputer {
    let Parts { log, keys, .. } = &world.parts;
    Recomputer::new(log.clone(), keys.clone(), world.registry.clone())
}

async fn check_all(world: &World) -> Checked {
    recomputer(world).check_all(&CheckAll::default()).await.unwrap()
}

/// Answers `list` as a worker does.
async fn make(world: &World, list: PlaylistId) {
    let generator = Generator::new(world.parts.clone(), world.library());
    generator.make(list).await.unwrap();
}

/// Appends an answer by hand, as somebody does who has the log and the keys.
async fn forge(world: &World, list: PlaylistId, version: u64, event: PlaylistEvent) -> RecordedEvent {
    let stream = StreamId::parse(&list.stream_name()).unwrap();
    let encoded = event.encode();
    let mut event = NewEvent::new(
        encoded.event_type,
        eventing::SchemaVersion(encoded.schema_version),
        encoded.payload.clone(),
    );
    let context = seal_context(event.id, &stream, Version(version), &event.event_type);
    let keys = &world.parts.keys;
    let sealed = keys.seal(subject(), context.as_bytes(), &encoded.payload).await;
    event.body = Body::Sealed(sealed.unwrap());
    let metadata = Metadata {
        subject: Some(subject()),
        ..Metadata::new()
    };
    let expected = ExpectedVersion::at(Version(version - 1));
    let append = Append::new(stream, expected, vec![event], metadata);
    world.parts.log.append(append).await.unwrap().events.remove(0)
}

/// What the history gives for `list`.
async fn honest(world: &World, list: PlaylistId) -> Generated {
    let Parts { log, keys, .. } = &world.parts;
    let bytes = recompute(log, keys, &world.registry, list).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Three playlists between ratings; one of the ratings comes between a request and its answer, and does not count.
async fn some_playlists(world: &World) {
    world.import().await;
    world.live().await;
    for number in 1..=3 {
        let index = 900 + u32::try_from(number).unwrap();
        world.rate(index, Rating::Like).await;
        world.ask(playlist(number), request(number as u64)).await;
        if number == 3 {
            world.rate(950, Rating::Dislike).await;
        }
        make(world, playlist(number)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_answers_are_computed_again_in_one_reading_of_the_log() {
    let world = World::new().await;
    world.ask(playlist(9), request(9)).await;
    make(&world, playlist(9)).await;
    some_playlists(&world).await;
    world.ask(playlist(4), request(4)).await;
    world.rate(990, Rating::Dislike).await;

    let how = CheckAll::default();
    let checked = recomputer(&world).check_all(&how).await.unwrap();
    let expected = Checked {
        computed: 3,
        failures: 1,
        pending: 1,
        ..Checked::default()
    };
    assert_eq!(checked, expected);
    let read = how.events.load(std::sync::atomic::Ordering::Relaxed);
    let head = world.parts.log.head().await.unwrap();
    assert!(0 < read && read <= head.0, "{read} of {head} events were read");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_behind_the_end_are_not_looked_at() {
    let world = World::new().await;
    some_playlists(&world).await;
    let stream = StreamId::parse(&playlist(2).stream_name()).unwrap();
    let answer = world.parts.log.read_stream(&stream, Version(1), 1).await.unwrap();
    for (until, computed, pending) in [
        (answer[0].position, 2, 0),
        (Position(answer[0].position.0 - 1), 1, 1),
    ] {
        let how = CheckAll {
            until: Some(until),
            ..CheckAll::default()
        };
        let checked = recomputer(&world).check_all(&how).await.unwrap();
        assert_eq!(
            (checked.computed, checked.pending),
            (computed, pending),
            "{until}"
        );
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_score_is_found_with_its_cause_and_place() {
    let world = World::new().await;
    some_playlists(&world).await;
    world.ask(playlist(4), request(4)).await;
    let honest = honest(&world, playlist(4)).await;
    let mut forged = honest.clone();
    forged.tracks[2].score += 0.25;
    let record = forge(&world, playlist(4), 2, forged.clone().into()).await;
    world.rate(990, Rating::Dislike).await;

    let checked = check_all(&world).await;
    assert_eq!((checked.computed, checked.differences), (3, 1));
    let first = checked.first_difference.unwrap();
    assert_eq!(first.position, record.position);
    assert_eq!(first.stream, record.stream);
    let track = honest.tracks[2].track.clone();
    let words = format!(
        "the score of {track} is {}, and should be {}",
        forged.tracks[2].score, honest.tracks[2].score
    );
    let expected = Cause::Score {
        track,
        recorded: forged.tracks[2].score,
        computed: honest.tracks[2].score,
    };
    assert_eq!((first.cause, first.words), (expected, words));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_part_that_was_changed_is_named() {
    type Change = fn(&mut Generated);
    let changes: &[(&str, Change)] = &[
        ("listener_version", |it| it.listener_version -= 1),
        ("catalogue", |it| it.catalogue = Digest::of("other")),
        ("model", |it| it.model = Digest::of("other")),
        ("companions", |it| it.companions = Some(Digest::of("other"))),
        ("tracks", |it| _ = it.tracks.pop()),
        ("order", |it| it.tracks.swap(0, 1)),
        ("score", |it| it.tracks[0].score = 9.0),
        ("contribution", |it| it.tracks[0].contributions[1] += 1.0),
        ("field", |it| it.notes.push("something".to_owned())),
    ];
    let world = World::new().await;
    world.import().await;
    world.live().await;
    for (number, (part, change)) in (1..).zip(changes) {
        let list = playlist(number);
        world.ask(list, request(number as u64)).await;
        let mut forged = honest(&world, list).await;
        change(&mut forged);
        forge(&world, list, 2, forged.into()).await;
        let checked = recomputer(&world).check(list).await.unwrap();
        let workers::Recomputed::Differs { cause, .. } = checked else {
            panic!("{part}: {checked:?}")
        };
        assert_eq!(serde_json::to_value(&cause).unwrap()["part"], *part, "{cause}");
    }
    assert_eq!(check_all(&world).await.differences, changes.len() as u64);
    let other = playlist(100);
    world.ask(other, request(1)).await;
    let mut unknown = honest(&world, other).await;
    unknown.generator = 99;
    forge(&world, other, 2, unknown.into()).await;
    let checked = check_all(&world).await;
    assert_eq!(
        (checked.computed, checked.differences),
        (0, changes.len() as u64 + 1)
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_answer_and_an_unreadable_one_are_differences() {
    let world = World::new().await;
    some_playlists(&world).await;
    let again = honest(&world, playlist(1)).await;
    forge(&world, playlist(1), 3, again.into()).await;
    let checked = check_all(&world).await;
    assert_eq!((checked.computed, checked.differences), (3, 1));
    assert_eq!(checked.first_difference.unwrap().cause, Cause::SecondAnswer);

    world.ask(playlist(5), request(5)).await;
    let stream = StreamId::parse(&playlist(5).stream_name()).unwrap();
    let garbage = NewEvent::new(
        "playlist.generated",
        eventing::SchemaVersion(1),
        &b"{\"no\":1}"[..],
    );
    let expected = ExpectedVersion::Exactly(Version(1));
    let append = Append::new(stream, expected, vec![garbage], Metadata::new());
    world.parts.log.append(append).await.unwrap();
    assert_eq!(check_all(&world).await.differences, 2);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_catalogue_is_named_as_the_cause() {
    let world = World::new().await;
    let blob = Digest::of("nothing lies here");
    let command = CatalogueCommand::Import {
        version: world.catalogue.version(),
        tracks: world.catalogue.len() as u64,
        schema: world.catalogue.schema().clone(),
        blob,
        source: None,
        at: at(1),
    };
    let elsewhere = World::new().await;
    elsewhere.import().await;
    elsewhere.ask(playlist(1), request(1)).await;
    let made = honest(&elsewhere, playlist(1)).await;
    world
        .execute::<domain::Catalogue>(CatalogueId::MAIN.stream_name(), command)
        .await;
    world.ask(playlist(1), request(1)).await;
    forge(&world, playlist(1), 2, made.clone().into()).await;
    let first = check_all(&world).await.first_difference.unwrap();
    let expected = Cause::CatalogueMissing {
        recorded: made.catalogue,
    };
    assert_eq!(first.cause, expected);
    elsewhere.close().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_checked_beside_live_traffic() {
    let world = World::new().await;
    some_playlists(&world).await;
    let worker = world.classifier(2);
    let traffic = async {
        for number in 10..20 {
            world
                .rate(1_000 + u32::try_from(number).unwrap(), Rating::Like)
                .await;
            world.ask(playlist(number), request(number as u64)).await;
        }
        for number in 10..20 {
            world.answer(playlist(number)).await;
        }
    };
    let audit = async {
        for _ in 0..5 {
            let checked = check_all(&world).await;
            assert_eq!(checked.differences, 0, "{checked:?}");
        }
    };
    tokio::join!(traffic, audit);
    let checked = check_all(&world).await;
    assert_eq!((checked.computed, checked.differences), (13, 0));
    worker.stop().await;
    world.close().await;
}

/// A listener's likes.
async fn likes(world: &World, number: u128, tracks: &[u32]) {
    let who = AccountId::new(Uuid::from_u128(number));
    let rated = |&index: &u32| NewRating {
        track: world.catalogue.id(index),
        rating: Rating::Like,
        described: world.catalogue.describe(index),
    };
    let command = ListenerCommand::Rate {
        ratings: tracks.iter().map(rated).collect(),
        at: at(3),
    };
    let subject = SubjectId(who.uuid());
    world
        .execute_about::<Listener>(Some(subject), who.listener_stream_name(), command)
        .await;
}

/// A like that stands in no log.
fn rated_event(world: &World, index: u32) -> ListenerEvent {
    domain::listener::TrackRated {
        track: world.catalogue.id(index),
        rating: Rating::Like,
        rated_at: at(3),
        described: world.catalogue.describe(index),
    }
    .into()
}

async fn publish(world: &World, content: &classifier::Companions, as_of: u64) {
    let blob = world.parts.log.put_blob(content.to_bytes()).await.unwrap();
    let command = CompanionsCommand::Publish {
        digest: content.digest(),
        blob: Digest::from_bytes(blob),
        as_of,
        listeners: content.listeners().into(),
        likes: content.likes(),
        at: at(4),
    };
    world
        .execute_about::<domain::Companions>(None, CompanionsId::MAIN.stream_name(), command)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_companions_are_what_the_log_before_them_gives() {
    let world = World::new().await;
    let mut counted = classifier::companions::Likes::default();
    for number in 1..=3 {
        likes(&world, number, &[1, 2, 30]).await;
    }
    let records = world.parts.log.read_after(Position::START, 100).await.unwrap();
    for record in &records {
        let eventing::Payload::Open(payload) = world.parts.keys.open_event(record).await.unwrap() else {
            panic!("nobody was forgotten")
        };
        for event in domain::decode(&record.event_type, record.schema_version.0, &payload).unwrap() {
            let Event::Listener(event) = event else { continue };
            counted.apply(AccountId::new(record.stream.uuid()), &event);
        }
    }
    let as_of = world.parts.log.head().await.unwrap();
    publish(&world, &classifier::Companions::count(&counted), as_of.0).await;
    let check = async |publications_max| {
        let Parts { log, keys, .. } = &world.parts;
        let head = log.head().await.unwrap();
        let check = PublicationCheck::begin(log, head, publications_max)
            .await
            .unwrap();
        let mut following = check.follow();
        let watcher = Watcher {
            folded: following.folded.take(),
            ..Watcher::default()
        };
        fold_watched(log, keys, head, watcher).await.unwrap();
        following.finish().await.unwrap()
    };
    assert_eq!(check(20).await.counted, 1);

    likes(&world, 4, &[5, 6]).await;
    let wrong = world.parts.log.head().await.unwrap();
    let more = rated_event(&world, 7);
    counted.apply(AccountId::new(Uuid::from_u128(1)), &more);
    publish(&world, &classifier::Companions::count(&counted), wrong.0).await;
    let checked = check(20).await;
    assert_eq!((checked.counted, checked.differences), (1, 1));
    let first = checked.first_difference.unwrap();
    assert_eq!(first.as_of, wrong.0);
    let last_alone = check(1).await;
    assert_eq!((last_alone.left_out, last_alone.differences), (1, 1));

    let forgotten = SubjectId(Uuid::from_u128(1));
    world.parts.keys.destroy(forgotten).await.unwrap();
    let checked = check(20).await;
    assert_eq!((checked.not_reproducible, checked.differences), (2, 0));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_gives_the_numbers_of_the_record_and_the_ratings_behind_them() {
    let world = World::new().await;
    some_playlists(&world).await;
    let Parts { log, keys, .. } = &world.parts;
    let catalogues = projectors::Catalogues::new(log.clone());
    let explainer = Explainer::new(log.clone(), keys.clone(), world.registry.clone(), catalogues);
    let explained = explainer.explain(playlist(2), &Count::default()).await.unwrap();
    let recorded = world.generated(playlist(2)).await;

    assert_eq!(explained.tracks.len(), recorded.tracks.len());
    let items = explained.tracks.iter().map(|told| &told.item);
    for (told, track) in items.zip(&recorded.tracks) {
        assert_eq!((&told.track, told.score), (&track.track, track.score));
        assert_eq!((told.rank, told.propensity), (track.rank, track.propensity));
        let shares: Vec<f64> = told
            .contributions
            .iter()
            .map(|share| share.contribution)
            .collect();
        assert_eq!(shares, track.contributions);
        assert!(told.name.is_some() && !told.artists.is_empty());
    }
    let rules = explained.rules.as_ref().unwrap();
    assert_eq!((rules.pool, &rules.notes), (recorded.pool, &recorded.notes));
    let left_out = rules.left_out.unwrap();
    assert_eq!(
        recorded.pool.initial - left_out.rated - left_out.heard - left_out.bounds,
        recorded.pool.after_filtering
    );
    assert_eq!(explained.listener_version.0, recorded.listener_version);
    assert_eq!(explained.catalogue.as_ref().unwrap().version, recorded.catalogue);
    let [request, answer] = &explained.events[..] else {
        panic!("a request and its answer")
    };
    assert_eq!(answer.causation_id.unwrap().as_uuid(), request.id.as_uuid());
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["recomputation"]["verdict"], "same");

    let ratings = explained.ratings.as_ref().unwrap();
    assert_eq!((ratings.standing, ratings.tried), (12, 12));
    let strongest = &ratings.strongest[0];
    let record = log
        .read_after(Position(strongest.position.0 - 1), 1)
        .await
        .unwrap();
    assert_eq!(record[0].event_type, "listener.track_rated");
    let effect = effect_of_retracting(&world, &strongest.track).await;
    assert!(
        (effect - strongest.mean_effect).abs() < 1e-9,
        "{effect} {}",
        strongest.mean_effect
    );
    world.close().await;
}

/// What the scores of playlist 2 lose on average when a rating had been taken back before: computed by another world's
/// history, in which it was.
async fn effect_of_retracting(world: &World, track: &TrackId) -> f64 {
    let other = World::new().await;
    some_ratings_but(&other, track).await;
    other.ask(playlist(2), request(2)).await;
    let recorded = world.generated(playlist(2)).await;
    let Parts { log, keys, .. } = &other.parts;
    let version = log
        .stream_head(&StreamId::parse(&owner().listener_stream_name()).unwrap())
        .await
        .unwrap();
    let taste = projectors::listener_taste_as_of(log, keys, owner(), version.unwrap().version).await;
    let input = taste.unwrap().into_input(at(1_000));
    let base = classifier::BaseModel::neutral(world.catalogue.schema());
    let evidence = classifier::Evidence {
        catalogue: &world.catalogue,
        base: &base,
        companions: None,
        listener: &input,
        listener_version: 0,
    };
    let index = |track: &GeneratedTrack| world.catalogue.index_of(&track.track).unwrap();
    let tracks: Vec<u32> = recorded.tracks.iter().map(index).collect();
    let version = classifier::GeneratorVersion::CURRENT;
    let told = classifier::inspect::contributions(version, &evidence, &request(2), &tracks);
    let sum = |names: &[String], shares: &[f64]| -> f64 {
        let learned = names
            .iter()
            .zip(shares)
            .filter(|(name, _)| *name != "exploration");
        learned.map(|(_, share)| share).sum()
    };
    let with = recorded
        .tracks
        .iter()
        .map(|it| sum(&recorded.features, &it.contributions));
    let without = told.of_tracks.iter().map(|shares| sum(&told.names, shares));
    let lost: f64 = with.zip(without).map(|(with, without)| with - without).sum();
    other.close().await;
    lost / recorded.tracks.len() as f64
}

/// The ratings before playlist 2, with one of them taken back.
async fn some_ratings_but(world: &World, track: &TrackId) {
    world.live().await;
    world.rate(901, Rating::Like).await;
    world.rate(902, Rating::Like).await;
    let command = ListenerCommand::Retract {
        track: track.clone(),
        at: at(999),
    };
    world
        .execute::<Listener>(owner().listener_stream_name(), command)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_of_what_is_not_there_says_why() {
    let world = World::new().await;
    let Parts { log, keys, .. } = &world.parts;
    let catalogues = projectors::Catalogues::new(log.clone());
    let explainer = Explainer::new(log.clone(), keys.clone(), world.registry.clone(), catalogues);
    let explain = async |list| explainer.explain(list, &Count::default()).await;
    assert!(matches!(
        explain(playlist(1)).await,
        Err(workers::ExplainError::Unknown(_))
    ));
    world.ask(playlist(1), request(1)).await;
    assert_eq!(explain(playlist(1)).await.unwrap().status, "pending");
    make(&world, playlist(1)).await;
    let failed = explain(playlist(1)).await.unwrap();
    assert_eq!(
        (failed.status, failed.failure.unwrap().reason),
        ("failed", FailureReason::NoCatalogue)
    );
    keys.destroy(subject()).await.unwrap();
    assert!(matches!(
        explain(playlist(1)).await,
        Err(workers::ExplainError::Erased)
    ));
    world.close().await;
}
