use domain::playlist::Answer;
use domain::{
    Arc, FailureReason, FieldError, Order, Playlist, PlaylistCommand as C, PlaylistEvent,
    PlaylistRejection as R, PlaylistRequest,
};

use crate::given::{folded, given, given_nothing};
use crate::samples::*;

fn ask(request: PlaylistRequest) -> C {
    let (playlist, owner) = (playlist_id(), account_id());
    C::Request {
        playlist,
        owner,
        name: Some("Rainy day".into()),
        request: Box::new(request),
        at: at(4),
    }
}

fn record<const N: usize>(tracks: [&str; N]) -> C {
    C::RecordGeneration(Box::new(generation(tracks)))
}

fn give_up() -> C {
    C::RecordFailure {
        reason: FailureReason::NoCatalogue,
        detail: None,
        at: at(5),
    }
}

#[test]
fn a_request_is_recorded_as_it_was_asked() {
    given_nothing::<Playlist>()
        .when(ask(request()))
        .then([requested()]);
}

#[test]
fn a_second_request_of_the_same_id_is_rejected() {
    given::<Playlist>([requested()])
        .when(ask(request()))
        .then_rejected(R::AlreadyRequested);
}

#[test]
fn a_generation_answers_the_request() {
    given::<Playlist>([requested()])
        .when(record(["t1", "t2"]))
        .then([generation(["t1", "t2"]).into()]);
}

#[test]
fn a_failure_answers_the_request() {
    given::<Playlist>([requested()]).when(give_up()).then([failed()]);
}

#[test]
fn a_second_answer_of_the_same_request_is_rejected() {
    let generated = || generation(["t1"]).into();
    given::<Playlist>([requested(), generated()])
        .when(record(["t2"]))
        .then_rejected(R::AlreadyAnswered);
    given::<Playlist>([requested(), generated()])
        .when(give_up())
        .then_rejected(R::AlreadyAnswered);
    given::<Playlist>([requested(), failed()])
        .when(record(["t1"]))
        .then_rejected(R::AlreadyAnswered);
    assert_eq!(
        folded::<Playlist>([requested(), failed()]).answer(),
        Some(Answer::Failed)
    );
}

#[test]
fn an_answer_without_a_request_is_rejected() {
    given_nothing::<Playlist>()
        .when(record(["t1"]))
        .then_rejected(R::NotRequested);
    given_nothing::<Playlist>()
        .when(give_up())
        .then_rejected(R::NotRequested);
}

#[test]
fn an_answer_to_another_request_is_rejected() {
    let mut foreign = generation(["t1"]);
    foreign.random_seed = 43;
    given::<Playlist>([requested()])
        .when(C::RecordGeneration(Box::new(foreign)))
        .then_rejected(R::ForeignAnswer);
    let mut miscounted = generation(["t1"]);
    miscounted.returned = 2;
    given::<Playlist>([requested()])
        .when(C::RecordGeneration(Box::new(miscounted)))
        .then_rejected(R::ForeignAnswer);
}

#[test]
fn every_wrong_field_of_a_request_is_named() {
    let wrong = PlaylistRequest {
        limit: 0,
        seed_artists: vec!["a".into(); 6],
        seed_genres: vec![" ".into()],
        targets: [("energy".to_owned(), f64::NAN)].into(),
        minimums: [("tempo".to_owned(), 2.0)].into(),
        maximums: [("tempo".to_owned(), 1.0)].into(),
        max_per_artist: Some(0),
        not_heard_since_days: Some(3_651),
        exploration: 1.5,
        arc: Some(Arc::Rise),
        ..request()
    };
    let named: Vec<String> = wrong
        .validate()
        .unwrap_err()
        .into_iter()
        .map(|error| error.field)
        .collect();
    assert_eq!(
        named,
        [
            "limit",
            "max_per_artist",
            "not_heard_since_days",
            "exploration",
            "arc",
            "seed_artists",
            "seed_genres.0",
            "targets.energy",
            "minimums.tempo"
        ]
    );
}

#[test]
fn a_request_that_breaks_rules_is_rejected_with_the_fields() {
    let wrong = PlaylistRequest {
        limit: 501,
        ..request()
    };
    let errors = vec![FieldError {
        field: "limit".into(),
        problem: "is 1 to 500".into(),
    }];
    given_nothing::<Playlist>()
        .when(ask(wrong))
        .then_rejected(R::InvalidRequest(errors));
}

#[test]
fn a_playlist_has_a_proper_name_or_none() {
    let named = |name: Option<String>| C::Request {
        playlist: playlist_id(),
        owner: account_id(),
        name,
        request: Box::new(request()),
        at: at(4),
    };
    let errors = vec![FieldError {
        field: "name".into(),
        problem: "has 1 to 200 characters".into(),
    }];
    for wrong in ["", "  ", &"x".repeat(201), "a\nb"] {
        given_nothing::<Playlist>()
            .when(named(Some(wrong.into())))
            .then_rejected(R::InvalidRequest(errors.clone()));
    }
    assert!(folded::<Playlist>([]).decide(named(None)).is_ok());
}

#[test]
fn the_widest_request_is_valid() {
    let widest = PlaylistRequest {
        limit: 500,
        seed_artists: vec!["a".into(); 5],
        max_per_artist: Some(500),
        not_heard_since_days: Some(3_650),
        exploration: 1.0,
        order: Order::Smooth,
        arc: Some(Arc::Flat),
        ..request()
    };
    assert_eq!(widest.validate(), Ok(()));
    assert_eq!(PlaylistRequest::default().validate(), Ok(()));
}

/// Playlists that were recorded before there were companions are compared with the bytes that are written today.
#[test]
fn a_playlist_without_companions_says_nothing_of_them() {
    use domain::StoredEvent;
    let bytes = PlaylistEvent::from(generation(["t1"])).encode().payload;
    assert!(!String::from_utf8(bytes).unwrap().contains("companions"));
}
