//! Everything that is known: what the processes said, the last events, how fast the log grew.

use std::collections::VecDeque;
use std::time::Duration;

use crate::event::{Events, Told};
use crate::names;
use crate::process::{Answer, Process};
use crate::summary::{Moment, Summary};

/// How many moments the growth of the log is remembered for.
const HISTORY_MAX: usize = 60;

/// What one look at a process brought.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    /// Which process, by its place in the list.
    pub(crate) process: usize,
    /// When, since this program began to look.
    pub(crate) at: Duration,
    /// What it said, or why it said nothing.
    pub(crate) answer: Result<Answer, String>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct State {
    processes: Vec<Process>,
    events: Events,
    /// Where the log's head was, and when.
    head: Option<(Duration, f64)>,
    history: VecDeque<f64>,
}

impl State {
    pub(crate) fn new(urls: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self {
            processes: urls.into_iter().map(|url| Process::new(url.as_ref())).collect(),
            events: Events::default(),
            head: None,
            history: VecDeque::new(),
        }
    }

    /// Takes what a look brought.
    pub(crate) fn look(&mut self, look: Look) {
        let Some(process) = self.processes.get_mut(look.process) else {
            return;
        };
        match look.answer {
            Ok(answer) => process.answered(answer),
            Err(why) => process.failed(look.at, why),
        }
    }

    /// Takes what was told of the events.
    pub(crate) fn told(&mut self, told: Told) {
        self.events.take(told);
    }

    /// Notes how much the log grew since this was last called: once in each interval.
    pub(crate) fn tick(&mut self, at: Duration) {
        let heads = self
            .processes
            .iter()
            .flat_map(|process| process.series(names::LOG_HEAD));
        let Some(head) = heads.map(|sample| sample.value).reduce(f64::max) else {
            self.head = None;
            return;
        };
        if let Some((before, old)) = self.head.replace((at, head)) {
            let seconds = at.saturating_sub(before).as_secs_f64();
            if seconds > 0.0 {
                self.history.push_back((head - old).max(0.0) / seconds);
            }
        }
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// The figures of the moment `now`.
    pub(crate) fn summary(&self, now: Moment) -> Summary {
        let history = self.history.iter().copied().collect();
        Summary::of(&self.processes, &self.events, history, now)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::exposition::Exposition;
    use crate::readiness::{Check, Readiness};

    /// What a process that does everything says after so many seconds of steady work, in present names.
    pub(crate) fn said(second: u64) -> String {
        let (requests, failed, head) = (100 * second, second, 1_000 + 50 * second);
        let (applied, playlists) = (head - 7, 5 * second);
        let slow = requests / 50;
        let (fast, cpu) = (requests - slow, second as f64 / 4.0);
        format!(
            "# TYPE segue_http_requests counter
segue_http_requests_total{{route=\"/v1/me\",method=\"GET\",status=\"200\"}} {requests}
segue_http_requests_total{{route=\"/v1/me\",method=\"GET\",status=\"503\"}} {failed}
# TYPE segue_http_request_duration_seconds histogram
segue_http_request_duration_seconds_sum 1.0
segue_http_request_duration_seconds_count {requests}
segue_http_request_duration_seconds_bucket{{le=\"0.01\"}} {fast}
segue_http_request_duration_seconds_bucket{{le=\"0.03\"}} {requests}
segue_http_request_duration_seconds_bucket{{le=\"+Inf\"}} {requests}
process_resident_memory_bytes 73400320
process_cpu_seconds_total {cpu}
# TYPE segue_append_batch_size histogram
segue_append_batch_size_sum {head}
segue_append_batch_size_count {second}
segue_append_batch_size_bucket{{le=\"+Inf\"}} {second}
segue_playlists_total{{outcome=\"generated\"}} {playlists}
segue_playlists_total{{outcome=\"put_off\"}} {requests}
segue_log_head_position{{part=\"log\"}} {head}
segue_projection_applied_position{{part=\"accounts\"}} {applied}
segue_projection_lag_events{{part=\"accounts\"}} 7
segue_projection_lag_seconds{{part=\"accounts\"}} 0.25
segue_consumer_lag_events{{part=\"classifier\"}} 3
segue_dead_letters{{part=\"classifier\"}} 2
segue_relay_published_position{{part=\"relay\"}} {head}
segue_audit_tree_size{{part=\"audit\"}} 990
segue_audit_checkpoint_size{{part=\"audit\"}} 980
segue_audit_checkpoint_signed_at_s{{part=\"audit\"}} 1700000000
segue_audit_seal_failed{{part=\"audit\"}} 0
segue_bus_connected{{part=\"bus\"}} 1
# TYPE segue_model info
segue_model_info{{model=\"0123456789abcdef0123456789abcdef\"}} 1
# EOF
"
        )
    }

    pub(crate) fn look(process: usize, second: u64) -> Look {
        let at = Duration::from_secs(second);
        let checks = [("log", true), ("bus", second.is_multiple_of(2))].map(|(name, ok)| Check {
            name: name.to_owned(),
            ok,
            detail: "as it is".to_owned(),
        });
        let answer = Answer {
            at,
            metrics: Exposition::parse(&said(second)).expect("metrics"),
            readiness: Readiness {
                is_ready: true,
                checks: checks.to_vec(),
            },
        };
        Look {
            process,
            at,
            answer: Ok(answer),
        }
    }

    pub(crate) fn moment(second: u64) -> Moment {
        Moment {
            since_start: Duration::from_secs(second),
            unix_s: 1_700_000_030.0,
        }
    }

    /// Two processes of which the second one is away, after `seconds`.
    pub(crate) fn busy(seconds: u64) -> State {
        let mut state = State::new(["http://127.0.0.1:5000", "http://127.0.0.1:5001"]);
        for second in 0..=seconds {
            state.look(look(0, second));
            state.look(Look {
                process: 1,
                at: Duration::from_secs(second),
                answer: Err("connection refused".to_owned()),
            });
            state.tick(Duration::from_secs(second));
        }
        state
    }

    #[test]
    fn figures_are_those_of_the_processes_that_answer() {
        let summary = busy(4).summary(moment(4));
        let rates = &summary.rates;
        assert_eq!(
            (rates.requests_per_s, rates.failures_per_s),
            (Some(101.0), Some(1.0))
        );
        assert_eq!(rates.playlists_per_s, Some(5.0));
        assert_eq!(
            (rates.appends_per_s, rates.records_per_s),
            (Some(50.0), Some(50.0))
        );
        let p99 = rates.request_p99_s.expect("there is one");
        assert!((p99 - 0.02).abs() < 1e-9, "{p99}");
        assert_eq!((rates.append_p99_s, rates.passwords_waiting), (None, None));
        let log = &summary.log;
        assert_eq!((log.head, log.checkpoint_age_s), (Some(1_200.0), Some(30.0)));
        assert_eq!((log.bus_connected, log.registry_well), (Some(true), None));
        assert_eq!(log.models, ["0123456789abcdef0123456789abcdef"]);
        let [here, away] = &summary.processes[..] else {
            panic!("{:?}", summary.processes);
        };
        assert!(here.answers && here.is_ready && here.failing().is_empty());
        assert_eq!((away.answers, away.away_s), (false, Some(4.0)));
    }

    #[test]
    fn what_follows_the_log_is_told_with_how_far_it_is_behind() {
        let summary = busy(2).summary(moment(2));
        let told: Vec<_> = summary
            .followers
            .iter()
            .map(|follower| {
                (
                    follower.name.as_str(),
                    follower.position,
                    follower.lag_events,
                    follower.dead_letters,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("accounts", Some(1_093.0), Some(7.0), None),
                ("classifier", Some(1_097.0), Some(3.0), Some(2.0)),
                ("relay", Some(1_100.0), Some(0.0), None),
            ]
        );
        assert_eq!(summary.followers[0].lag_seconds, Some(0.25));
    }

    #[test]
    fn a_rate_over_two_processes_is_the_sum() {
        let mut state = State::new(["http://a", "http://b"]);
        for second in 0..3 {
            state.look(look(0, second));
            state.look(look(1, second));
            state.tick(Duration::from_secs(second));
        }
        let summary = state.summary(moment(2));
        assert_eq!(summary.rates.requests_per_s, Some(202.0));
        assert_eq!(summary.rates.records_per_s, Some(50.0), "the log is one");
    }
}
