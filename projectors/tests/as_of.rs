//! Streams as they were, against folds of the log's beginning.

mod common;

use common::*;
use domain::{
    AccountEvent, AccountId, CatalogueId, Rating, Role,
    account::{Erased, RoleGranted, SignedOut},
};
use eventing::{EventLog, NewEvent, Position, SchemaVersion, StreamId, Version};
use projectors::{
    AsOfError, At, AtError, Catalogues, Count, History, Moment, PlaylistStatus, State, StateAt, TasteWalk,
    ViewChange, fold_until, listener_taste_as_of, log_diff, testing::World,
};

fn history(world: &World) -> History {
    let catalogues = Catalogues::new(world.log.clone());
    History::new(world.log.clone(), world.keys.clone(), catalogues)
}

async fn moment(log: &EventLog, position: u64) -> Moment {
    let now = std::time::SystemTime::now().into();
    At::Position(Position(position)).find(log, now).await.unwrap()
}

async fn state(world: &World, stream: &StreamId, position: Position) -> Result<StateAt, AsOfError> {
    let moment = moment(&world.log, position.0).await;
    history(world).state(stream, moment).await
}

/// Some lives, with a role granted, a session ended and a playlist made.
async fn some_history(world: &World) -> Position {
    some_life(world).await;
    let me = person(1);
    let granted = RoleGranted {
        role: Role::Auditor,
        granted_by: None,
    };
    let ended = SignedOut { session: session(1) };
    world
        .append(
            &account_stream(me),
            Some(me),
            [AccountEvent::from(granted), ended.into()],
        )
        .await;
    world.log.head().await.unwrap()
}

/// What a fold of the log's beginning says of a person, as what is told of them says it.
async fn assert_as_folded_until(world: &World, who: AccountId, list: u128, position: Position) {
    let folded = fold_until(&world.log, &world.keys, position).await.unwrap();
    let reader = folded.reader();
    let account = reader.account(who).await.unwrap();
    match state(world, &account_stream(who), position).await {
        Err(AsOfError::NotYet { .. }) => assert_eq!(account, None, "{position}"),
        told => {
            let (told, account) = (told.unwrap(), account.unwrap());
            assert_eq!((told.version, told.position), (account.version, account.position));
            let State::Account(state) = told.state else {
                panic!("an account was expected")
            };
            let view = account.view;
            assert_eq!((state.role, state.open), (view.role, true), "{position}");
            assert_eq!(
                (state.sessions, state.registered_at),
                (view.sessions.len(), view.registered_at)
            );
        }
    }
    let taste = reader.taste(who).await.unwrap();
    match state(world, &listener_stream(who), position).await {
        Err(AsOfError::NotYet { .. }) => assert_eq!(taste.version, Version::NONE, "{position}"),
        told => {
            let told = told.unwrap();
            assert_eq!((told.version, told.position), (taste.version, taste.position));
            let State::Listener(state) = told.state else {
                panic!("a listener was expected")
            };
            let view = taste.view;
            assert_eq!(
                (state.likes, state.dislikes, state.plays),
                (view.likes, view.dislikes, view.plays),
                "{position}"
            );
        }
    }
    let made = reader.playlist_with_tracks(playlist(list)).await.unwrap();
    match state(world, &playlist_stream(playlist(list)), position).await {
        Err(AsOfError::NotYet { .. }) => assert_eq!(made, None, "{position}"),
        told => {
            let (told, made) = (told.unwrap(), made.unwrap());
            assert_eq!((told.version, told.position), (made.version, made.position));
            let State::Playlist(state) = told.state else {
                panic!("a playlist was expected")
            };
            let (view, generated) = made.view;
            let status = match view.status {
                PlaylistStatus::Pending => "pending",
                PlaylistStatus::Ready { .. } => "ready",
                PlaylistStatus::Failed(_) => "failed",
            };
            assert_eq!((state.status, state.owner), (status, view.owner), "{position}");
            assert_eq!(state.requested_position, view.requested_position);
            assert_eq!(state.items.is_some(), generated.is_some(), "{position}");
        }
    }
}

#[tokio::test]
async fn every_state_is_that_of_a_fold_of_the_logs_beginning() {
    let world = World::new().await;
    let head = some_history(&world).await;
    for position in 0..=head.0 {
        for number in [1, 2] {
            assert_as_folded_until(&world, person(number), number, Position(position)).await;
        }
    }
}

#[tokio::test]
async fn a_time_is_the_last_record_until_then() {
    let world = World::new().await;
    let head = some_history(&world).await;
    let records = world.log.read_after(Position::START, 100).await.unwrap();
    let now = std::time::SystemTime::now().into();
    for record in &records {
        let at = At::Time(record.recorded_at).find(&world.log, now).await.unwrap();
        let later = records
            .iter()
            .filter(|other| other.recorded_at <= record.recorded_at);
        assert_eq!(at.position, later.last().unwrap().position);
        let just_before = record.recorded_at - chrono::TimeDelta::microseconds(1);
        let before = At::Time(just_before).find(&world.log, now).await.unwrap();
        let earlier = records
            .iter()
            .filter(|other| other.recorded_at < record.recorded_at);
        let expected = earlier.last().map_or(Position::START, |last| last.position);
        assert_eq!(before.position, expected);
    }
    let beyond = At::Position(head.next()).find(&world.log, now).await;
    assert!(matches!(beyond, Err(AtError::BeyondHead { head: at, .. }) if at == head));
    let future = now + chrono::TimeDelta::seconds(1);
    let future = At::Time(future).find(&world.log, now).await;
    assert!(matches!(future, Err(AtError::InFuture(_))));
}

#[tokio::test]
async fn of_a_person_who_was_erased_nothing_is_told_for_any_time() {
    let world = World::new().await;
    let before = some_history(&world).await;
    let me = person(1);
    let streams = [
        account_stream(me),
        listener_stream(me),
        playlist_stream(playlist(1)),
    ];
    // The fact stands in the log before the key is destroyed, and already counts then.
    let erased = AccountEvent::from(Erased { erased_at: at(9) });
    world.append(&account_stream(me), Some(me), [erased]).await;
    for is_destroyed in [false, true] {
        if is_destroyed {
            world.destroy_key(me).await;
        }
        for stream in &streams {
            let told = state(&world, stream, before).await.unwrap();
            assert_eq!(told.state, State::Erased { erased: true }, "{stream}");
            let told = serde_json::to_value(&told).unwrap();
            assert_eq!(told["state"], serde_json::json!({"erased": true}));
        }
    }
    let other = state(&world, &account_stream(person(2)), before).await.unwrap();
    assert!(matches!(other.state, State::Account(_)));
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_told_from_one_that_was_not_there_yet() {
    let world = World::new().await;
    some_history(&world).await;
    let unknown = state(&world, &account_stream(person(9)), Position(3)).await;
    assert!(matches!(unknown, Err(AsOfError::UnknownStream(_))), "{unknown:?}");
    let later = state(&world, &account_stream(person(5)), Position(3)).await;
    assert!(
        matches!(later, Err(AsOfError::NotYet { at: Position(3), .. })),
        "{later:?}"
    );
}

#[tokio::test]
async fn a_listeners_beliefs_are_those_under_the_catalogue_of_that_time() {
    let world = World::new().await;
    some_life(&world).await;
    let without = world.log.head().await.unwrap();
    let catalogue = classifier::generator::catalogue(50, 1);
    let blob = world.log.put_blob(catalogue.to_bytes()).await.unwrap();
    let imported = domain::catalogue::Imported {
        version: catalogue.version(),
        tracks: 50,
        schema: catalogue.schema().clone(),
        blob: domain::Digest::from_bytes(blob),
        source: None,
        imported_at: at(5),
    };
    let stream = StreamId::new(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid());
    world
        .append(&stream, None, [domain::CatalogueEvent::Imported(imported)])
        .await;
    let with = world.log.head().await.unwrap();
    let listener = listener_stream(person(1));
    let State::Listener(before) = state(&world, &listener, without).await.unwrap().state else {
        panic!("a listener was expected")
    };
    assert_eq!((before.model, before.features.len()), (None, 0));
    let State::Listener(after) = state(&world, &listener, with).await.unwrap().state else {
        panic!("a listener was expected")
    };
    assert_eq!(after.schema, Some(catalogue.schema().digest()));
    assert_eq!(after.features.len(), catalogue.schema().features.len());
    assert_eq!((after.likes, after.dislikes), (0, 2));
    let imported = state(&world, &stream, with).await.unwrap();
    assert!(matches!(imported.state, State::Catalogue(view) if view.position == with));
}

#[tokio::test]
async fn a_walk_gives_the_taste_of_every_position_and_reads_each_event_once() {
    let world = World::new().await;
    some_life(&world).await;
    let head = world.log.head().await.unwrap();
    let read = Count::default();
    let (log, keys) = (&world.log, &world.keys);
    let listeners = [person(1), person(2)];
    let mut walk = TasteWalk::new(log.clone(), keys.clone(), listeners, read.clone()).unwrap();
    for position in (0..=head.0).map(Position) {
        walk.advance(position).await.unwrap();
        for who in listeners {
            let walked = walk.taste(who).await.unwrap().unwrap();
            let version = log
                .stream_version_before(&listener_stream(who), position.next())
                .await;
            let version = version.unwrap();
            let folded = listener_taste_as_of(log, keys, who, version).await.unwrap();
            assert_eq!((walked.version, walked.view), (version, folded), "{position}");
        }
    }
    assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), head.0);
    let others = walk.taste(person(3)).await.unwrap().unwrap();
    assert_eq!(others.version, Version::NONE);
}

#[tokio::test]
async fn a_walk_says_whose_events_it_cannot_read_and_goes_on() {
    let world = World::new().await;
    some_life(&world).await;
    let garbage = NewEvent::new("listener.track_rated", SchemaVersion(1), &b"{\"no\":1}"[..]);
    let (broken, whole) = (person(1), person(2));
    world
        .append_raw(&listener_stream(broken), Some(broken), vec![garbage])
        .await;
    let (log, keys) = (&world.log, &world.keys);
    let mut walk = TasteWalk::new(log.clone(), keys.clone(), [broken, whole], Count::default()).unwrap();
    walk.advance(log.head().await.unwrap()).await.unwrap();
    for who in [broken, whole] {
        world
            .append(&listener_stream(who), Some(who), [rated(7, Rating::Like)])
            .await;
    }
    walk.advance(log.head().await.unwrap()).await.unwrap();
    assert_eq!(walk.taste(broken).await.unwrap(), None);
    assert_eq!(walk.taste(whole).await.unwrap().unwrap().version, Version(5));
}

#[tokio::test]
async fn a_difference_counts_what_came_changed_and_went() {
    let world = World::new().await;
    one_life(&world, 1).await;
    one_life(&world, 2).await;
    let from = world.log.head().await.unwrap();
    one_life(&world, 3).await;
    world
        .append(&playlist_stream(playlist(1)), Some(person(1)), [generated()])
        .await;
    let erased = AccountEvent::from(Erased { erased_at: at(9) });
    world
        .append(&account_stream(person(2)), Some(person(2)), [erased])
        .await;
    let to = world.log.head().await.unwrap();
    world
        .append(
            &listener_stream(person(1)),
            Some(person(1)),
            [rated(7, Rating::Like)],
        )
        .await;

    let read = Count::default();
    let diff = log_diff(&world.log, from, to, &read).await.unwrap();
    assert_eq!((diff.events, diff.by_type["listener.track_rated"]), (9, 3));
    let counts: Vec<_> = diff
        .projections
        .iter()
        .map(|one| (one.projection, one.added, one.changed, one.removed))
        .collect();
    assert_eq!(
        counts,
        [
            ("accounts", 1, 0, 1),
            ("playlists", 1, 1, 1),
            ("taste-models", 1, 0, 1)
        ]
    );
    let playlists = &diff.projections[1].streams;
    let of = |number| {
        let stream = playlist_stream(playlist(number));
        playlists.iter().find(|one| one.stream == stream).unwrap()
    };
    assert_eq!(
        (of(1).change, of(1).to_version),
        (ViewChange::Changed, Version(2))
    );
    assert_eq!(
        (of(2).change, of(2).from_version),
        (ViewChange::Removed, Version(1))
    );
    assert_eq!(of(3).change, ViewChange::Added);
    let nothing = log_diff(&world.log, to, to, &read).await.unwrap();
    assert_eq!((nothing.events, nothing.projections.len()), (0, 0));
}
