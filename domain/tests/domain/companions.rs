use domain::companions::Published;
use domain::{Companions, CompanionsCommand, CompanionsEvent, CompanionsRejection, Digest};

use crate::given::{folded, given, given_nothing};
use crate::samples::at;

fn publish(name: &str, as_of: u64) -> CompanionsCommand {
    CompanionsCommand::Publish {
        digest: Digest::of(name),
        blob: Digest::of(name),
        as_of,
        listeners: 20,
        likes: 100,
        at: at(7),
    }
}

fn published(name: &str, as_of: u64) -> CompanionsEvent {
    Published {
        digest: Digest::of(name),
        blob: Digest::of(name),
        as_of,
        listeners: 20,
        likes: 100,
        published_at: at(7),
    }
    .into()
}

#[test]
fn what_was_published_last_is_current() {
    given_nothing::<Companions>()
        .when(publish("a", 10))
        .then([published("a", 10)]);
    given::<Companions>([published("a", 10)])
        .when(publish("b", 11))
        .then([published("b", 11)]);
    let line: Companions = folded([published("a", 10), published("b", 11)]);
    assert_eq!(line.current().unwrap().digest, Digest::of("b"));
}

#[test]
fn the_current_counts_are_not_published_again() {
    given::<Companions>([published("a", 10)])
        .when(publish("a", 12))
        .then_nothing();
}

#[test]
fn counts_that_reach_no_further_than_the_current_ones_are_rejected() {
    for as_of in [9, 10] {
        given::<Companions>([published("a", 10)])
            .when(publish("b", as_of))
            .then_rejected(CompanionsRejection::Overtaken { as_of, current: 10 });
    }
}
