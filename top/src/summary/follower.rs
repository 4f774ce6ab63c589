//! Everything that follows the log, and how far each is behind.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{largest, smallest};
use crate::names::{self, Names};
use crate::process::Process;

/// What follows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowerKind {
    /// Views that are folded from it.
    Projection,
    /// A role that handles its events.
    Consumer,
    /// What publishes it to the broker.
    Relay,
    /// What is counted from all listeners together.
    Companions,
}

impl FollowerKind {
    /// The word that is shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Projection => "projection",
            Self::Consumer => "consumer",
            Self::Relay => "relay",
            Self::Companions => "companions",
        }
    }
}

/// One of them. Where several processes tell of it, the worst is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Follower {
    /// What it is.
    pub kind: FollowerKind,
    /// Its name.
    pub name: String,
    /// Everything at or below this position is done.
    pub position: Option<f64>,
    /// Positions between it and the head of the log.
    pub lag_events: Option<f64>,
    /// How old the oldest record is that it lacks, in seconds.
    pub lag_seconds: Option<f64>,
    /// Streams that it set aside for a person.
    pub dead_letters: Option<f64>,
    /// Streams that it tries again.
    pub retrying: Option<f64>,
    /// Whether what keeps it can do its work; absent when nobody tells.
    pub is_well: Option<bool>,
}

/// All of them: projections, consumers, the relay, the companions.
pub(super) fn all(processes: &[Process], head: Option<f64>) -> Vec<Follower> {
    let projections = parts(processes, names::PROJECTION_LAG).into_iter().map(|name| {
        let mut follower = Follower::new(FollowerKind::Projection, name, processes);
        follower.position = worst(processes, names::PROJECTION_APPLIED, name, f64::min);
        follower.lag_events = worst(processes, names::PROJECTION_LAG, name, f64::max);
        follower.lag_seconds = worst(processes, names::PROJECTION_LAG_S, name, f64::max);
        follower
    });
    let consumers = parts(processes, names::CONSUMER_LAG).into_iter().map(|name| {
        let mut follower = Follower::new(FollowerKind::Consumer, name, processes);
        follower.lag_events = worst(processes, names::CONSUMER_LAG, name, f64::max);
        follower.position = head
            .zip(follower.lag_events)
            .map(|(head, lag)| (head - lag).max(0.0));
        follower.dead_letters = worst(processes, names::DEAD_LETTERS, name, f64::max);
        follower.retrying = worst(processes, names::CONSUMER_RETRYING, name, f64::max);
        follower
    });
    let mut followers: Vec<Follower> = projections.chain(consumers).collect();
    followers.extend(relay(processes, head));
    followers.extend(companions(processes));
    followers
}

/// One process relays, and the others keep what they last knew: the furthest position is the relay's.
fn relay(processes: &[Process], head: Option<f64>) -> Option<Follower> {
    let published = largest(processes, names::RELAY_PUBLISHED)?;
    let behind = head.map(|head| (head - published).max(0.0));
    Some(Follower {
        position: Some(published),
        lag_events: largest(processes, names::RELAY_LAG).or(behind),
        ..Follower::new(FollowerKind::Relay, "relay", processes)
    })
}

/// Only the process that counts them says how far they are.
fn companions(processes: &[Process]) -> Option<Follower> {
    let lag = smallest(processes, names::COMPANIONS_LAG)?;
    Some(Follower {
        position: largest(processes, names::COMPANIONS_FOLDED),
        lag_events: Some(lag),
        ..Follower::new(FollowerKind::Companions, "companions", processes)
    })
}

impl Follower {
    fn new(kind: FollowerKind, name: &str, processes: &[Process]) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            position: None,
            lag_events: None,
            lag_seconds: None,
            dead_letters: None,
            retrying: None,
            is_well: worst(processes, names::READY, name, f64::min).map(|value| value > 0.0),
        }
    }
}

/// The parts that any process tells the figure of, in order.
fn parts(processes: &[Process], names: Names) -> BTreeSet<&str> {
    let series = processes.iter().flat_map(|process| process.series(names));
    series
        .filter_map(|sample| sample.labels.get(names::PART).map(String::as_str))
        .collect()
}

fn worst(processes: &[Process], names: Names, part: &str, pick: fn(f64, f64) -> f64) -> Option<f64> {
    let series = processes.iter().flat_map(|process| process.series(names));
    let of_part = series.filter(|sample| sample.labels.get(names::PART).is_some_and(|name| name == part));
    of_part.map(|sample| sample.value).reduce(pick)
}
