//! Short ways to say what the tests are about.

use chrono::{DateTime, Utc};
use domain::account::{self, PasswordChangeReason};
use domain::listener::{self, NewRating};
use domain::{catalogue, playlist, *};
use uuid::Uuid;

pub(crate) fn at(second: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + i64::from(second), 0).unwrap()
}

pub(crate) fn account_id() -> AccountId {
    AccountId::new(Uuid::from_u128(7))
}

pub(crate) fn session(name: &str) -> SessionHash {
    SessionHash::of(name)
}

pub(crate) fn registered() -> AccountEvent {
    account::Registered {
        account: account_id(),
        username: "Ada.L".into(),
        password_hash: "$argon2id$first".into(),
        role: Role::Listener,
        registered_at: at(0),
    }
    .into()
}

pub(crate) fn signed_in(name: &str) -> AccountEvent {
    account::SignedIn {
        session: session(name),
        signed_in_at: at(1),
        idle_ttl_s: 60,
        expires_at: at(100),
    }
    .into()
}

pub(crate) fn password_changed(
    hash: &str,
    reason: PasswordChangeReason,
    keep: Option<SessionHash>,
) -> AccountEvent {
    account::PasswordChanged {
        password_hash: hash.into(),
        changed_at: at(2),
        reason,
        keep,
    }
    .into()
}

pub(crate) fn erased() -> AccountEvent {
    account::Erased { erased_at: at(9) }.into()
}

pub(crate) fn track(id: &str) -> TrackId {
    TrackId::parse(id).unwrap()
}

pub(crate) fn described(z: i32) -> Described {
    Described {
        schema: schema().digest(),
        z: vec![z, -z],
        artists: vec!["Nova".into(), "Orbit".into()],
    }
}

pub(crate) fn rated(id: &str, rating: Rating) -> ListenerEvent {
    listener::TrackRated {
        track: track(id),
        rating,
        rated_at: at(3),
        described: described(65_536),
    }
    .into()
}

pub(crate) fn new_rating(id: &str, rating: Rating) -> NewRating {
    NewRating {
        track: track(id),
        rating,
        described: described(65_536),
    }
}

pub(crate) fn retracted(id: &str) -> ListenerEvent {
    listener::RatingRetracted {
        track: track(id),
        retracted_at: at(3),
    }
    .into()
}

pub(crate) fn played(id: &str) -> ListenerEvent {
    listener::TrackPlayed {
        track: track(id),
        played_at: at(3),
        duration_played_ms: 180_000,
    }
    .into()
}

pub(crate) fn playlist_id() -> PlaylistId {
    PlaylistId::new(Uuid::from_u128(11))
}

pub(crate) fn request() -> PlaylistRequest {
    PlaylistRequest {
        limit: 2,
        random_seed: 42,
        ..PlaylistRequest::default()
    }
}

pub(crate) fn requested() -> PlaylistEvent {
    playlist::Requested {
        playlist: playlist_id(),
        owner: account_id(),
        name: Some("Rainy day".into()),
        request: request(),
        requested_at: at(4),
    }
    .into()
}

pub(crate) fn generation<const N: usize>(tracks: [&str; N]) -> Generated {
    Generated {
        generator: 1,
        model: Digest::of("model"),
        schema: schema().digest(),
        listener_version: 3,
        catalogue: Digest::of("catalogue"),
        companions: None,
        random_seed: 42,
        requested: 2,
        returned: N as u32,
        pool: Pool {
            initial: 10,
            after_filtering: 8,
            after_caps: 5,
        },
        notes: vec![],
        features: vec!["energy".into(), "tempo".into()],
        learned_from: None,
        arrangement: None,
        tracks: tracks
            .map(|id| GeneratedTrack {
                track: track(id),
                score: 0.1,
                contributions: vec![0.3, -0.2],
                rank: Some(1),
                propensity: Some(1.0),
            })
            .into(),
    }
}

pub(crate) fn failed() -> PlaylistEvent {
    playlist::Failed {
        reason: FailureReason::NoCatalogue,
        detail: None,
        failed_at: at(5),
    }
    .into()
}

pub(crate) fn feature(name: &str, mean: f64) -> Feature {
    Feature {
        name: name.into(),
        transform: Transform::Identity,
        mean,
        deviation: 1.0,
        clip: 4.0,
    }
}

pub(crate) fn schema() -> FeatureSchema {
    FeatureSchema {
        features: vec![feature("energy", 0.5), feature("tempo", 120.0)],
    }
}

pub(crate) fn imported(name: &str, schema: FeatureSchema) -> CatalogueEvent {
    catalogue::Imported {
        version: Digest::of(name),
        tracks: 10,
        schema,
        blob: Digest::of(name),
        source: Some("demo".into()),
        imported_at: at(6),
    }
    .into()
}
