// The tests of `views.rs`, which says what `new_world` is.

use std::{sync::Arc, time::Duration};

use crate::common::*;
use classifier::TasteState;
use domain::{
    AccountEvent, ListenerEvent, Rating, Role,
    account::{Erased, RoleGranted, SESSIONS_MAX, SignedOut},
    listener::RatingRetracted,
};
use eventing::{
    NewEvent, Position, SchemaVersion, Version,
    consumer::{Handler, Run, Verdict},
};
use projectors::{
    PlaylistStatus, ProjectionKind, Until, ViewError, digest, listener_taste_as_of, replay, testing::World,
};
use tokio::time::Instant;

fn erased() -> AccountEvent {
    Erased { erased_at: at(99) }.into()
}

#[tokio::test]
async fn a_session_is_found_until_it_ends() {
    let world = new_world().await;
    let (handler, reader, me) = (world.handler(), world.reader(), person(1));
    world
        .append(
            &account_stream(me),
            Some(me),
            [registered(me), signed_in(1), signed_in(2)],
        )
        .await;
    world
        .append(
            &account_stream(me),
            Some(me),
            [AccountEvent::from(RoleGranted {
                role: Role::Operator,
                granted_by: None,
            })],
        )
        .await;
    world.catch_up(&handler).await;
    let found = reader
        .session(&session(1))
        .await
        .unwrap()
        .expect("the session is live");
    assert_eq!((found.view.account, found.view.role), (me, Role::Operator));
    assert_eq!(found.version, Version(4));

    world
        .append(
            &account_stream(me),
            Some(me),
            [AccountEvent::from(SignedOut { session: session(1) })],
        )
        .await;
    world.catch_up(&handler).await;
    assert_eq!(reader.session(&session(1)).await.unwrap(), None);
    assert!(reader.session(&session(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn the_oldest_session_gives_way_to_one_too_many() {
    let world = new_world().await;
    let me = person(1);
    world
        .append(&account_stream(me), Some(me), [registered(me)])
        .await;
    let sessions = (0..=u32::try_from(SESSIONS_MAX).unwrap()).map(signed_in);
    world.append(&account_stream(me), Some(me), sessions).await;
    world.catch_up(&world.handler()).await;
    assert_eq!(world.reader().session(&session(0)).await.unwrap(), None);
    assert!(world.reader().session(&session(1)).await.unwrap().is_some());
}

async fn rate_some(world: &World) -> domain::AccountId {
    let me = person(1);
    let events = [
        rated(1, Rating::Like),
        rated(2, Rating::Like),
        rated(1, Rating::Dislike),
        RatingRetracted {
            track: track(2),
            retracted_at: at(50),
        }
        .into(),
        rated(3, Rating::Like),
        played(3, 20),
        played(3, 10),
    ];
    for event in events {
        world.append(&listener_stream(me), Some(me), [event]).await;
    }
    me
}

#[tokio::test]
async fn taste_is_what_the_ratings_that_hold_add_up_to() {
    let world = new_world().await;
    let me = rate_some(&world).await;
    world.catch_up(&world.handler()).await;
    let mut expected = TasteState::default();
    for event in [rated(1, Rating::Dislike), rated(3, Rating::Like)] {
        let ListenerEvent::TrackRated(rated) = event else {
            unreachable!()
        };
        expected.add(&rated.described, rated.rating);
    }
    let taste = world.reader().taste(me).await.unwrap();
    assert_eq!(taste.view.taste, expected);
    assert_eq!(
        (taste.view.likes, taste.view.dislikes, taste.view.plays),
        (1, 1, 2)
    );
    let whole = world.reader().listener_taste(me).await.unwrap();
    assert_eq!(
        whole.view.ratings.iter().map(|(track, rated)| (track.clone(), rated.rating)).collect::<Vec<_>>(),
        [(track(1), Rating::Dislike), (track(3), Rating::Like)]
    );
    assert_eq!(
        whole.view.played[&track(3)].played_at,
        at(20),
        "the latest play counts, whenever it was told"
    );
}

#[tokio::test]
async fn taste_as_of_a_version_is_what_the_view_was_then() {
    let world = new_world().await;
    let handler = world.handler();
    let me = person(1);
    for number in 1..=5 {
        world
            .append(&listener_stream(me), Some(me), [rated(number % 3, Rating::Like)])
            .await;
        world.catch_up(&handler).await;
        let viewed = world.reader().listener_taste(me).await.unwrap();
        let folded = listener_taste_as_of(&world.log, &world.keys, me, Version(number.into()))
            .await
            .unwrap();
        assert_eq!((viewed.view, viewed.version), (folded, Version(number.into())));
    }
}

#[tokio::test]
async fn ratings_come_in_pages_in_the_order_of_their_tracks() {
    let world = new_world().await;
    let me = person(1);
    world
        .append(
            &listener_stream(me),
            Some(me),
            (1..=5).map(|number| rated(number, Rating::Like)),
        )
        .await;
    world.catch_up(&world.handler()).await;
    let first = world.reader().ratings_page(me, None, 3).await.unwrap();
    let after = first.next.as_deref().map(|next| next.parse().unwrap());
    let second = world.reader().ratings_page(me, after.as_ref(), 3).await.unwrap();
    let tracks: Vec<_> = first
        .items
        .into_iter()
        .chain(second.items)
        .map(|item| item.track)
        .collect();
    assert_eq!(tracks, (1..=5).map(track).collect::<Vec<_>>());
    assert_eq!(second.next, None);
}

#[tokio::test]
async fn a_playlist_is_pending_until_it_is_answered() {
    let world = new_world().await;
    let (handler, reader, me) = (world.handler(), world.reader(), person(1));
    for number in 1..=3 {
        world
            .append(
                &playlist_stream(playlist(number)),
                Some(me),
                [requested(playlist(number), me)],
            )
            .await;
    }
    world.catch_up(&handler).await;
    assert_eq!(
        reader.pending_playlists(2).await.unwrap(),
        [playlist(1), playlist(2)]
    );
    world
        .append(&playlist_stream(playlist(1)), Some(me), [generated()])
        .await;
    world.catch_up(&handler).await;
    assert_eq!(
        reader.pending_playlists(9).await.unwrap(),
        [playlist(2), playlist(3)]
    );
    let (view, tracks) = reader
        .playlist_with_tracks(playlist(1))
        .await
        .unwrap()
        .expect("it is there")
        .view;
    assert!(matches!(view.status, PlaylistStatus::Ready { returned: 0, .. }));
    assert_eq!(tracks.expect("it was made").random_seed, u64::MAX);

    let first = reader.playlists_of(me, None, 2).await.unwrap();
    let second = reader.playlists_of(me, first.next.as_deref(), 2).await.unwrap();
    let ids: Vec<_> = first
        .items
        .into_iter()
        .chain(second.items)
        .map(|item| item.view.playlist)
        .collect();
    assert_eq!(ids, [playlist(3), playlist(2), playlist(1)], "the newest first");
    assert_eq!(second.next, None);
}

async fn a_life(world: &World) -> domain::AccountId {
    let me = rate_some(world).await;
    world
        .append(&account_stream(me), Some(me), [registered(me), signed_in(1)])
        .await;
    world
        .append(
            &playlist_stream(playlist(1)),
            Some(me),
            [requested(playlist(1), me)],
        )
        .await;
    me
}

#[tokio::test]
async fn erasing_an_account_removes_its_person_from_every_view() {
    let world = new_world().await;
    // As two workers keep them: the one that sees the erasure does not keep the others' views.
    let accounts = world.handler_of(&[ProjectionKind::Accounts, ProjectionKind::Library]);
    let others = world.handler_of(&[ProjectionKind::TasteModels, ProjectionKind::Playlists]);
    let me = a_life(&world).await;
    world.catch_up(&accounts).await;
    world.catch_up(&others).await;
    world.append(&account_stream(me), Some(me), [erased()]).await;
    world.catch_up(&accounts).await;

    let reader = world.reader();
    assert_eq!(reader.account(me).await.unwrap(), None);
    assert_eq!(reader.session(&session(1)).await.unwrap(), None);
    assert_eq!(reader.playlist(playlist(1)).await.unwrap(), None);
    assert!(reader.pending_playlists(9).await.unwrap().is_empty());
    assert!(reader.playlists_of(me, None, 9).await.unwrap().items.is_empty());
    assert!(reader.ratings_page(me, None, 9).await.unwrap().items.is_empty());
    let taste = reader.taste(me).await.unwrap();
    assert_eq!(
        (taste.view.likes, taste.version),
        (0, Version(7)),
        "the version is kept"
    );

    world.destroy_key(me).await;
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
}

#[tokio::test]
async fn what_comes_late_about_a_forgotten_person_is_not_kept() {
    let world = new_world().await;
    let handler = world.handler();
    let me = a_life(&world).await;
    world.append(&account_stream(me), Some(me), [erased()]).await;
    let late = world
        .append(&listener_stream(me), Some(me), [rated(9, Rating::Like)])
        .await;
    // The key is still there, as when the erasure is not finished.
    let account = world
        .log
        .read_stream(&account_stream(me), Version(0), 9)
        .await
        .unwrap();
    world.hand_over(&handler, account, None).await;
    let listener = world
        .log
        .read_stream(&listener_stream(me), Version(0), 99)
        .await
        .unwrap();
    let verdicts = world.hand_over(&handler, listener, None).await;
    assert_eq!(verdicts[0].1, Verdict::Done);
    let taste = world.reader().taste(me).await.unwrap();
    assert_eq!((taste.view.likes, taste.version), (0, late[0].version));
}

#[tokio::test]
async fn an_erasure_that_the_projector_has_not_seen_is_no_difference() {
    let world = new_world().await;
    let me = a_life(&world).await;
    world.catch_up(&world.handler()).await;
    world.append(&account_stream(me), Some(me), [erased()]).await;
    world.destroy_key(me).await;
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
    assert_eq!(replayed.erasures_pending, 3);
}

#[tokio::test]
async fn doubled_late_and_split_deliveries_give_the_same_views() {
    let (world, other) = (new_world().await, new_world().await);
    let me = a_life(&world).await;
    a_life(&other).await;
    world.catch_up(&world.handler()).await;

    let (one, two) = (other.handler(), other.handler());
    let events = other.log.read_after(Position(0), 99).await.unwrap();
    // A gap first, then everything twice by two handlers, one event at a time.
    let ahead = Run {
        stream: listener_stream(me),
        events: vec![Arc::new(events[3].clone())],
    };
    assert_eq!(
        one.handle(vec![ahead]).await,
        [Verdict::RetryAfter(Duration::ZERO)]
    );
    for event in events {
        let run = Run {
            stream: event.stream.clone(),
            events: vec![Arc::new(event)],
        };
        assert_eq!(one.handle(vec![run.clone()]).await, [Verdict::Done]);
        assert_eq!(two.handle(vec![run]).await, [Verdict::AlreadySeen]);
    }
    let digest_of = |world: &World| digest(&world.store, ProjectionKind::TasteModels).unwrap();
    assert_eq!(digest_of(&world), digest_of(&other));
}

#[tokio::test]
async fn handlers_that_compete_apply_every_event_once() {
    let world = new_world().await;
    let me = person(1);
    let events = world
        .append(
            &listener_stream(me),
            Some(me),
            (1..=40).map(|number| played(number, 1)),
        )
        .await;
    let tasks = (0..4).map(|_| {
        let (handler, events) = (world.handler(), events.clone());
        tokio::spawn(async move {
            for event in events {
                let run = Run {
                    stream: event.stream.clone(),
                    events: vec![Arc::new(event)],
                };
                while matches!(
                    handler.handle(vec![run.clone()]).await[0],
                    Verdict::RetryAfter(_)
                ) {
                    tokio::task::yield_now().await;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let taste = world.reader().taste(me).await.unwrap();
    assert_eq!((taste.view.plays, taste.version), (40, Version(40)));
}

#[tokio::test]
async fn an_unreadable_event_parks_its_own_stream_until_it_is_passed_over() {
    let world = new_world().await;
    let handler = world.handler();
    let (me, you) = (person(1), person(2));
    world.append(&listener_stream(me), Some(me), [played(1, 1)]).await;
    let poison = NewEvent::new("listener.track_played", SchemaVersion(1), &b"{\"track\":7}"[..]);
    let poison = world
        .append_raw(&listener_stream(me), Some(me), vec![poison])
        .await;
    world.append(&listener_stream(me), Some(me), [played(2, 1)]).await;
    world
        .append(&listener_stream(you), Some(you), [played(1, 1)])
        .await;
    let verdicts = world.catch_up(&handler).await;
    let of = |account| {
        &verdicts
            .iter()
            .find(|(stream, _)| *stream == listener_stream(account))
            .unwrap()
            .1
    };
    assert!(matches!(of(me), Verdict::DeadLetter(_)));
    assert_eq!(of(you), &Verdict::Done);
    assert_eq!(
        world.reader().taste(me).await.unwrap().version,
        Version(1),
        "what came before is stored"
    );

    handler
        .pass_over(&listener_stream(me), poison[0].version, poison[0].position)
        .await
        .unwrap();
    let rest = world
        .log
        .read_stream(&listener_stream(me), Version(2), 9)
        .await
        .unwrap();
    world.hand_over(&handler, rest, None).await;
    let taste = world.reader().taste(me).await.unwrap();
    assert_eq!((taste.view.plays, taste.version), (2, Version(3)));
    let replayed = replay(&world.store, &world.log, &world.keys).await.unwrap();
    assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
}

#[tokio::test]
async fn a_waiter_wakes_when_its_view_gets_there() {
    let world = new_world().await;
    let (handler, me) = (world.handler(), person(1));
    let (reader, stream) = (world.reader(), listener_stream(me));
    let deadline = Instant::now() + Duration::from_secs(30);
    let waiter = tokio::spawn(async move {
        reader
            .wait_for(
                ProjectionKind::TasteModels,
                &stream,
                Until::Version(Version(1)),
                deadline,
            )
            .await
    });
    world.append(&listener_stream(me), Some(me), [played(1, 1)]).await;
    world.catch_up(&handler).await;
    waiter.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_waiter_is_told_at_its_deadline_that_it_is_too_early() {
    let world = new_world().await;
    let handler = world.handler();
    let stream = listener_stream(person(1));
    let until = Until::Version(Version(1));
    let late = world
        .reader()
        .wait_for(ProjectionKind::TasteModels, &stream, until, Instant::now())
        .await;
    assert!(matches!(late, Err(ViewError::Late)));
    handler.store_checkpoint(Position(7)).await.expect("an answer");
    let until = Until::Position(Position(7));
    world
        .reader()
        .wait_for(ProjectionKind::TasteModels, &stream, until, Instant::now())
        .await
        .unwrap();
    assert_eq!(handler.checkpoint().await.unwrap(), Position(7));
}

#[tokio::test]
async fn views_that_were_never_built_are_an_error_and_not_an_absence() {
    let world = new_world().await;
    assert!(matches!(
        world.reader().session(&session(1)).await,
        Err(ViewError::NotBuilt("accounts"))
    ));
}
