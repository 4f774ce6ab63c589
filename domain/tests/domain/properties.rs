//! What holds for any events, in any order.

use cqrs_es::Aggregate;
use domain::account::{self, PasswordChangeReason};
use domain::{
    Account, AccountEvent, Digest, Event, Listener, ListenerEvent, Playlist, PlaylistEvent, Rating, Role,
    StoredEvent, TrackId, decode,
};
use proptest::prelude::*;

use crate::given::folded;
use crate::samples::*;

fn track_ids() -> impl Strategy<Value = TrackId> {
    "[a-zA-Z0-9]([a-zA-Z0-9 :ö\"\\\\]{0,20}[a-z0-9])?".prop_map(|id| TrackId::parse(id).unwrap())
}

fn names() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn account_events() -> impl Strategy<Value = AccountEvent> {
    let signed_in = (0..60u8, 0..200u32).prop_map(|(name, second)| {
        account::SignedIn {
            session: session(&name.to_string()),
            signed_in_at: at(second),
            idle_ttl_s: second,
            expires_at: at(second + 10),
        }
        .into()
    });
    let changed =
        (names(), any::<bool>(), proptest::option::of(0..60u8)).prop_map(|(hash, changed, keep)| {
            let reason = if changed {
                PasswordChangeReason::Changed
            } else {
                PasswordChangeReason::Rehashed
            };
            password_changed(&hash, reason, keep.map(|name| session(&name.to_string())))
        });
    prop_oneof![
        1 => Just(registered()),
        8 => signed_in,
        1 => (0..60u8).prop_map(|name| account::SignedOut { session: session(&name.to_string()) }.into()),
        1 => Just(account::AllSignedOut {}.into()),
        1 => changed,
        1 => Just(account::RoleGranted { role: Role::Operator, granted_by: Some(account_id()) }.into()),
        1 => Just(erased()),
    ]
}

fn listener_events() -> impl Strategy<Value = ListenerEvent> {
    let rated = (track_ids(), any::<bool>(), any::<i32>(), names()).prop_map(|(track, likes, z, artist)| {
        let rating = if likes { Rating::Like } else { Rating::Dislike };
        let mut described = described(z.saturating_abs());
        described.artists.push(artist);
        domain::listener::TrackRated {
            track,
            rating,
            rated_at: at(3),
            described,
        }
        .into()
    });
    prop_oneof![
        rated,
        track_ids().prop_map(|id| retracted(id.as_str())),
        (track_ids(), any::<u64>()).prop_map(|(track, duration_played_ms)| {
            domain::listener::TrackPlayed {
                track,
                played_at: at(1),
                duration_played_ms,
            }
            .into()
        }),
    ]
}

fn playlist_events() -> impl Strategy<Value = PlaylistEvent> {
    let numbers = proptest::collection::vec(proptest::num::f64::NORMAL, 2);
    let generated = (numbers, any::<u64>(), names(), track_ids()).prop_map(|(numbers, seed, note, track)| {
        let mut generation = generation(["t1"]);
        generation.random_seed = seed;
        generation.companions = (seed % 2 == 1).then(|| Digest::of(&note));
        generation.notes.push(note);
        generation.tracks[0].track = track;
        generation.tracks[0].score = numbers[0];
        generation.tracks[0].contributions = numbers;
        generation.into()
    });
    prop_oneof![Just(requested()), generated, Just(failed())]
}

fn any_events() -> impl Strategy<Value = Event> {
    let digests = any::<[u8; 32]>().prop_map(Digest::from_bytes);
    let imports = (digests, any::<u64>(), proptest::num::f64::NORMAL).prop_map(|(digest, tracks, mean)| {
        let mut schema = schema();
        schema.features[0].mean = mean;
        let source = None;
        domain::CatalogueEvent::from(domain::catalogue::Imported {
            version: digest,
            tracks,
            schema,
            blob: digest,
            source,
            imported_at: at(1),
        })
        .into()
    });
    prop_oneof![
        account_events().prop_map(Event::from),
        listener_events().prop_map(Event::from),
        playlist_events().prop_map(Event::from),
        imports,
    ]
}

fn state_of<A: Aggregate>(aggregate: &A) -> String {
    serde_json::to_string(aggregate).unwrap()
}

proptest! {
    #[test]
    fn any_stored_shape_comes_back_as_it_was(event in any_events()) {
        let encoded = event.encode();
        let read = decode(encoded.event_type, encoded.schema_version, &encoded.payload).unwrap();
        prop_assert_eq!(&read, &vec![event]);
        prop_assert_eq!(read[0].encode(), encoded);
    }

    #[test]
    fn folding_an_account_is_total_and_repeatable(events in proptest::collection::vec(account_events(), 0..120)) {
        let account: Account = folded(events.clone());
        prop_assert!(account.sessions().len() <= account::SESSIONS_MAX);
        prop_assert_eq!(&account, &folded::<Account>(events));
    }

    #[test]
    fn folding_a_listener_is_total_and_repeatable(events in proptest::collection::vec(listener_events(), 0..60)) {
        let listener: Listener = folded(events.clone());
        prop_assert_eq!(state_of(&listener), state_of(&folded::<Listener>(events)));
    }

    #[test]
    fn a_listener_holds_the_last_rating_of_each_track(events in proptest::collection::vec(listener_events(), 0..60)) {
        let mut expected = std::collections::BTreeMap::new();
        for event in &events {
            match event {
                ListenerEvent::TrackRated(e) => { expected.insert(e.track.clone(), e.rating); }
                ListenerEvent::RatingRetracted(e) => { expected.remove(&e.track); }
                ListenerEvent::TrackPlayed(_) => {}
            }
        }
        let listener: Listener = folded(events);
        let held: std::collections::BTreeMap<_, _> =
            listener.ratings().map(|(track, held)| (track.clone(), held.rating)).collect();
        prop_assert_eq!(held, expected);
    }

    #[test]
    fn folding_a_playlist_is_total_and_repeatable(events in proptest::collection::vec(playlist_events(), 0..10)) {
        let playlist: Playlist = folded(events.clone());
        prop_assert_eq!(playlist, folded::<Playlist>(events));
    }

    #[test]
    fn a_command_on_a_clone_leaves_the_original_alone(
        events in proptest::collection::vec(listener_events(), 0..30),
        more in listener_events(),
    ) {
        let listener: Listener = folded(events);
        let before = state_of(&listener);
        let mut clone = listener.clone();
        clone.apply(more);
        prop_assert_eq!(state_of(&listener), before);
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_a_panic(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
        for (name, version) in domain::EVENT_TYPES {
            let _ = decode(name, *version, &payload);
        }
    }
}

#[test]
fn the_fast_path_and_the_tagged_form_agree() {
    let event = registered();
    let tagged = serde_json::to_value(&event).unwrap();
    assert_eq!(tagged["type"], event.type_name());
    let payload: serde_json::Value = serde_json::from_slice(&event.encode().payload).unwrap();
    assert_eq!(tagged["data"], payload);
}
