//! All figures of one moment, from what the processes said: what is drawn, and what is printed as JSON.

mod follower;
mod log;
mod rates;

use std::time::Duration;

use serde::Serialize;

pub use self::follower::{Follower, FollowerKind};
pub use self::log::LogFigures;
pub use self::rates::Rates;
use crate::event::{EventLine, Events};
use crate::names::{self, Names};
use crate::process::Process;
use crate::readiness::Check;

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// Since this program began to look.
    pub(crate) since_start: Duration,
    /// In seconds since 1970.
    pub(crate) unix_s: f64,
}

/// The figures of one moment. What no process tells is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Each process that was asked, in the order in which they were named.
    pub processes: Vec<ProcessLine>,
    /// What happens a second, and how long it takes.
    pub rates: Rates,
    /// Where the log, its tree and what playlists are made of stand.
    pub log: LogFigures,
    /// Everything that follows the log.
    pub followers: Vec<Follower>,
    /// The last events, newest first.
    pub events: Vec<EventLine>,
    /// Whether events are followed, or why not.
    pub events_state: String,
    /// Records a second, over the last minute, oldest first.
    #[serde(skip)]
    pub history: Vec<f64>,
}

/// One process.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ProcessLine {
    /// Where it was asked.
    pub url: String,
    /// Whether it answers.
    pub answers: bool,
    /// Whether it says that it is ready.
    pub is_ready: bool,
    /// Why it does not answer.
    pub trouble: Option<String>,
    /// For how long it has not answered, in seconds.
    pub away_s: Option<f64>,
    /// What it says of its parts.
    pub checks: Vec<Check>,
    /// Its requests a second.
    pub requests_per_s: Option<f64>,
    /// How much of one core it takes; 1 is the whole of it.
    pub cores: Option<f64>,
    /// The memory that it uses.
    pub memory_bytes: Option<f64>,
}

impl ProcessLine {
    /// The parts that are not as they should be.
    pub(crate) fn failing(&self) -> Vec<&str> {
        let failing = self.checks.iter().filter(|check| !check.ok);
        failing.map(|check| check.name.as_str()).collect()
    }

    fn of(process: &Process, now: Moment) -> Self {
        let readiness = process.latest().map(|latest| latest.readiness.clone());
        let away = process.away.as_ref();
        Self {
            url: process.url.clone(),
            answers: readiness.is_some(),
            is_ready: readiness.as_ref().is_some_and(|readiness| readiness.is_ready),
            trouble: away.map(|away| away.why.clone()),
            away_s: away.map(|away| now.since_start.saturating_sub(away.since).as_secs_f64()),
            checks: readiness.unwrap_or_default().checks,
            requests_per_s: process.rate(names::HTTP_REQUESTS, |_| true),
            cores: process.rate(names::CPU_S, |_| true),
            memory_bytes: process.series(names::MEMORY).first().map(|sample| sample.value),
        }
    }
}

impl Summary {
    /// The figures of `processes` at the moment `now`.
    pub(crate) fn of(processes: &[Process], events: &Events, history: Vec<f64>, now: Moment) -> Self {
        let log = LogFigures::of(processes, now);
        Self {
            processes: processes
                .iter()
                .map(|process| ProcessLine::of(process, now))
                .collect(),
            rates: Rates::of(processes, history.last().copied()),
            followers: follower::all(processes, log.head),
            log,
            events: events.newest_first(),
            events_state: events.state().to_owned(),
            history,
        }
    }

    /// The figures as lines of text, at least 80 columns wide.
    #[must_use]
    pub fn text(&self, columns: u16) -> String {
        crate::view::plain(self, columns)
    }

    /// How many processes answer.
    #[must_use]
    pub fn answering(&self) -> usize {
        self.processes.iter().filter(|process| process.answers).count()
    }
}

/// The values of a figure that all processes tell, whatever the labels.
fn values(processes: &[Process], names: Names) -> impl Iterator<Item = f64> {
    let of_process = move |process: &Process| -> Vec<f64> {
        process.series(names).iter().map(|sample| sample.value).collect()
    };
    let values: Vec<f64> = processes.iter().flat_map(of_process).collect();
    values.into_iter().filter(|value| !value.is_nan())
}

fn largest(processes: &[Process], names: Names) -> Option<f64> {
    values(processes, names).reduce(f64::max)
}

fn smallest(processes: &[Process], names: Names) -> Option<f64> {
    values(processes, names).reduce(f64::min)
}
