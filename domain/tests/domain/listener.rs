use domain::listener::RATINGS_MAX;
use domain::{Listener, ListenerCommand as C, ListenerRejection as R, Rating};

use crate::given::{folded, given, given_nothing};
use crate::samples::*;

fn rate<const N: usize>(ratings: [(&str, Rating); N]) -> C {
    C::Rate {
        ratings: ratings.map(|(id, rating)| new_rating(id, rating)).into(),
        at: at(3),
    }
}

#[test]
fn each_rating_of_a_command_is_an_event() {
    given_nothing::<Listener>()
        .when(rate([("t1", Rating::Like), ("t2", Rating::Dislike)]))
        .then([rated("t1", Rating::Like), rated("t2", Rating::Dislike)]);
}

#[test]
fn the_same_rating_again_is_no_event() {
    given::<Listener>([rated("t1", Rating::Like)])
        .when(rate([("t1", Rating::Like)]))
        .then_nothing();
    given_nothing::<Listener>()
        .when(rate([("t1", Rating::Like), ("t1", Rating::Like)]))
        .then([rated("t1", Rating::Like)]);
}

#[test]
fn another_rating_replaces_the_old_one() {
    given::<Listener>([rated("t1", Rating::Like)])
        .when(rate([("t1", Rating::Dislike)]))
        .then([rated("t1", Rating::Dislike)]);
    let listener: Listener = folded([rated("t1", Rating::Like), rated("t1", Rating::Dislike)]);
    assert_eq!(listener.rating(&track("t1")).unwrap().rating, Rating::Dislike);
    assert_eq!(listener.rated(), 1);
}

/// A new catalogue may describe the track anew: the taste must follow, though the listener thinks the same.
#[test]
fn the_same_rating_of_another_description_is_an_event() {
    let mut again = new_rating("t1", Rating::Like);
    again.described = described(1);
    let command = C::Rate {
        ratings: vec![again],
        at: at(3),
    };
    let mut expected = rated("t1", Rating::Like);
    let domain::ListenerEvent::TrackRated(event) = &mut expected else {
        unreachable!()
    };
    event.described = described(1);
    given::<Listener>([rated("t1", Rating::Like)])
        .when(command)
        .then([expected]);
}

#[test]
fn a_command_has_one_to_a_thousand_ratings() {
    given_nothing::<Listener>()
        .when(rate([]))
        .then_rejected(R::NoRatings);
    let many = |n: usize| C::Rate {
        ratings: vec![new_rating("t1", Rating::Like); n],
        at: at(3),
    };
    given_nothing::<Listener>()
        .when(many(RATINGS_MAX))
        .then([rated("t1", Rating::Like)]);
    given_nothing::<Listener>()
        .when(many(RATINGS_MAX + 1))
        .then_rejected(R::TooManyRatings);
}

#[test]
fn a_rating_is_taken_back_once() {
    let retract = || C::Retract {
        track: track("t1"),
        at: at(3),
    };
    given::<Listener>([rated("t1", Rating::Like)])
        .when(retract())
        .then([retracted("t1")]);
    given::<Listener>([rated("t1", Rating::Like), retracted("t1")])
        .when(retract())
        .then_nothing();
    given_nothing::<Listener>().when(retract()).then_nothing();
}

#[test]
fn every_play_is_an_event() {
    let play = |ms| C::Play {
        track: track("t1"),
        at: at(3),
        duration_played_ms: ms,
    };
    given::<Listener>([played("t1")])
        .when(play(180_000))
        .then([played("t1")]);
    given_nothing::<Listener>()
        .when(play(86_400_001))
        .then_rejected(R::ImplausibleDuration);
}
