//! What happens a second, over all processes, and how long the slowest hundredth of it takes.

use serde::Serialize;

use super::largest;
use crate::exposition::Sample;
use crate::names::{self, Names};
use crate::process::Process;

/// See the module. Rates are per second, times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Answered requests.
    pub requests_per_s: Option<f64>,
    /// Requests that were answered with a status of 500 and above.
    pub failures_per_s: Option<f64>,
    /// What 99 of 100 requests took at most.
    pub request_p99_s: Option<f64>,
    /// Records that were added to the log, as its head tells.
    pub records_per_s: Option<f64>,
    /// Appends that became durable.
    pub appends_per_s: Option<f64>,
    /// What 99 of 100 transactions of the log took at most.
    pub append_p99_s: Option<f64>,
    /// Transactions of the log that failed.
    pub append_failures_per_s: Option<f64>,
    /// Playlists that were made.
    pub playlists_per_s: Option<f64>,
    /// What 99 of 100 playlists took at most, from the request's record to the answer's.
    pub playlist_p99_s: Option<f64>,
    /// Passwords that wait to be hashed.
    pub passwords_waiting: Option<f64>,
}

impl Rates {
    pub(super) fn of(processes: &[Process], records_per_s: Option<f64>) -> Self {
        let is_failure = |sample: &Sample| {
            sample
                .labels
                .get(names::STATUS)
                .is_some_and(|status| status.starts_with('5'))
        };
        let is_playlist = |sample: &Sample| {
            let outcome = sample.labels.get(names::OUTCOME);
            outcome.is_none_or(|outcome| outcome == names::GENERATED)
        };
        Self {
            requests_per_s: sum(processes, |process| process.rate(names::HTTP_REQUESTS, |_| true)),
            failures_per_s: sum(processes, |process| {
                process.rate(names::HTTP_REQUESTS, is_failure)
            }),
            request_p99_s: p99(processes, names::HTTP_DURATION),
            records_per_s,
            appends_per_s: sum(processes, |process| process.sum_rate(names::APPEND_BATCH)),
            append_p99_s: p99(processes, names::APPEND_DURATION),
            append_failures_per_s: sum(processes, |process| {
                process.rate(names::APPEND_FAILURES, |_| true)
            }),
            playlists_per_s: sum(processes, |process| process.rate(names::PLAYLISTS, is_playlist)),
            playlist_p99_s: p99(processes, names::PLAYLIST_DURATION),
            passwords_waiting: largest(processes, names::PASSWORDS_WAITING),
        }
    }
}

/// The sum over those processes that tell the figure; none when none does.
fn sum(processes: &[Process], of: impl Fn(&Process) -> Option<f64>) -> Option<f64> {
    processes.iter().filter_map(of).reduce(|a, b| a + b)
}

fn p99(processes: &[Process], names: Names) -> Option<f64> {
    let gained = processes.iter().filter_map(|process| process.gained(names));
    gained.reduce(|all, one| all.and(&one))?.quantile(0.99)
}
