//! Facts to fold.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses a part of this"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    AccountEvent, AccountId, Described, Digest, Generated, ListenerEvent, Order, PlaylistEvent, PlaylistId,
    PlaylistRequest, Pool, Rating, Role, SessionHash, TrackId,
    account::{Registered, SignedIn},
    listener::{TrackPlayed, TrackRated},
    playlist::Requested,
};
use eventing::StreamId;
use projectors::testing::World;
use uuid::Uuid;

pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).expect("a time")
}

pub(crate) fn person(number: u128) -> AccountId {
    AccountId::new(Uuid::from_u128(number))
}

pub(crate) fn account_stream(account: AccountId) -> StreamId {
    StreamId::parse(&account.stream_name()).expect("a stream")
}

pub(crate) fn listener_stream(account: AccountId) -> StreamId {
    StreamId::parse(&account.listener_stream_name()).expect("a stream")
}

pub(crate) fn playlist_stream(playlist: PlaylistId) -> StreamId {
    StreamId::parse(&playlist.stream_name()).expect("a stream")
}

pub(crate) fn registered(account: AccountId) -> AccountEvent {
    let (username, password_hash) = ("somebody".to_owned(), "$argon2id$".to_owned());
    Registered {
        account,
        username,
        password_hash,
        role: Role::Listener,
        registered_at: at(0),
    }
    .into()
}

pub(crate) fn session(number: u32) -> SessionHash {
    SessionHash::of(number.to_be_bytes())
}

pub(crate) fn signed_in(number: u32) -> AccountEvent {
    SignedIn {
        session: session(number),
        signed_in_at: at(1),
        idle_ttl_s: 60,
        expires_at: at(9_999),
    }
    .into()
}

pub(crate) fn track(number: u32) -> TrackId {
    TrackId::parse(format!("track-{number}")).expect("a track id")
}

pub(crate) fn rated(number: u32, rating: Rating) -> ListenerEvent {
    let z = vec![i32::try_from(number).expect("a small number") * 1_000, -5];
    let described = Described {
        schema: Digest::of("schema"),
        z,
        artists: vec![format!("artist {}", number % 3)],
    };
    TrackRated {
        track: track(number),
        rating,
        rated_at: at(i64::from(number)),
        described,
    }
    .into()
}

pub(crate) fn played(number: u32, second: i64) -> ListenerEvent {
    TrackPlayed {
        track: track(number),
        played_at: at(second),
        duration_played_ms: 1_000,
    }
    .into()
}

pub(crate) fn playlist(number: u128) -> PlaylistId {
    PlaylistId::new(Uuid::from_u128(number))
}

pub(crate) fn requested(playlist: PlaylistId, owner: AccountId) -> PlaylistEvent {
    let request = PlaylistRequest {
        limit: 2,
        seed_tracks: Vec::new(),
        seed_artists: Vec::new(),
        seed_genres: Vec::new(),
        targets: BTreeMap::new(),
        minimums: BTreeMap::new(),
        maximums: BTreeMap::new(),
        max_per_artist: None,
        not_heard_since_days: None,
        exploration: 0.0,
        order: Order::Score,
        arc: None,
        random_seed: u64::MAX,
    };
    Requested {
        playlist,
        owner,
        name: Some("mine".to_owned()),
        request,
        requested_at: at(2),
    }
    .into()
}

pub(crate) fn generated() -> PlaylistEvent {
    Generated {
        generator: 1,
        model: Digest::of("model"),
        schema: Digest::of("schema"),
        listener_version: 1,
        catalogue: Digest::of("catalogue"),
        companions: None,
        random_seed: u64::MAX,
        requested: 2,
        returned: 0,
        pool: Pool::default(),
        notes: vec!["nothing fits".to_owned()],
        features: Vec::new(),
        learned_from: None,
        arrangement: None,
        tracks: Vec::new(),
    }
    .into()
}

/// Five people who signed in, rated, played and asked for a playlist.
pub(crate) async fn some_life(world: &World) {
    for number in 1..=5 {
        one_life(world, number).await;
    }
    world
        .append(&playlist_stream(playlist(1)), Some(person(1)), [generated()])
        .await;
}

pub(crate) async fn one_life(world: &World, number: u32) {
    let (me, list) = (person(number.into()), playlist(number.into()));
    let listener = listener_stream(me);
    world
        .append(&account_stream(me), Some(me), [registered(me), signed_in(number)])
        .await;
    world
        .append(
            &listener,
            Some(me),
            [rated(1, Rating::Like), rated(2, Rating::Dislike)],
        )
        .await;
    world
        .append(&playlist_stream(list), Some(me), [requested(list, me)])
        .await;
    world
        .append(&listener, Some(me), [rated(1, Rating::Dislike), played(1, 3)])
        .await;
}

/// The views are what the log gives.
pub(crate) async fn assert_as_folded(world: &World) {
    let replayed = projectors::replay(&world.store, &world.log, &world.keys).await;
    let replayed = replayed.expect("the log can be folded");
    assert!(replayed.is_identical(), "{:?}", replayed.first_difference());
    let head = world.log.head().await.expect("the log answers");
    for projection in &replayed.projections {
        assert_eq!(projection.live, projection.replayed, "{}", projection.projection);
        assert_eq!(projection.checkpoint, head, "{}", projection.projection);
    }
}
