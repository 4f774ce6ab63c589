//! What is known of one process: its last answers, or why there are none.

use std::collections::VecDeque;
use std::time::Duration;

use crate::exposition::{Exposition, Sample};
use crate::increase::{Gained, increase};
use crate::names::Names;
use crate::readiness::Readiness;

/// Rates are over so much time: long enough to be readable, short enough to be news.
const WINDOW: Duration = Duration::from_secs(5);

/// What a process said at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// When, since this program began to look.
    pub(crate) at: Duration,
    pub(crate) metrics: Exposition,
    pub(crate) readiness: Readiness,
}

/// Since when a process does not answer, and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Away {
    pub(crate) since: Duration,
    pub(crate) why: String,
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) url: String,
    /// Its answers of the last few seconds, oldest first; none while it is away.
    answers: VecDeque<Answer>,
    pub(crate) away: Option<Away>,
}

impl Process {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            answers: VecDeque::new(),
            away: None,
        }
    }

    /// Takes what it said. Answers that are no longer needed are let go.
    pub(crate) fn answered(&mut self, answer: Answer) {
        self.away = None;
        while self.answers.len() > 1 && answer.at.saturating_sub(self.answers[1].at) >= WINDOW {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
    }

    /// Notes that it does not answer. What it said before is news no more.
    pub(crate) fn failed(&mut self, at: Duration, why: String) {
        let since = self.away.take().map_or(at, |away| away.since);
        self.away = Some(Away { since, why });
        self.answers.clear();
    }

    /// Its last answer; none while it is away.
    pub(crate) fn latest(&self) -> Option<&Answer> {
        self.answers.back()
    }

    /// The values of the figure `names`, from the last answer.
    pub(crate) fn series(&self, names: Names) -> &[Sample] {
        let Some(latest) = self.latest() else { return &[] };
        told(&latest.metrics, names).map_or(&[], |name| latest.metrics.series(name))
    }

    /// How much the counter grows a second, in those of its series that `fits` lets through.
    pub(crate) fn rate(&self, names: Names, fits: impl Fn(&Sample) -> bool) -> Option<f64> {
        self.rate_of(names, "", fits)
    }

    /// How much the sum of a histogram grows a second.
    pub(crate) fn sum_rate(&self, names: Names) -> Option<f64> {
        self.rate_of(names, "_sum", |_| true)
    }

    fn rate_of(&self, names: Names, suffix: &str, fits: impl Fn(&Sample) -> bool) -> Option<f64> {
        let (first, last) = self.window()?;
        let seconds = (last.at - first.at).as_secs_f64();
        let series = names.iter().map(|name| format!("{name}{suffix}"));
        let name = series.into_iter().find(|name| last.metrics.tells(name))?;
        Some(increase(&first.metrics, &last.metrics, &name, fits)? / seconds)
    }

    /// What a histogram gained within the window.
    pub(crate) fn gained(&self, names: Names) -> Option<Gained> {
        let (first, last) = self.window()?;
        let is_told = |name: &&&str| last.metrics.tells(&format!("{name}_bucket"));
        let name = names.iter().find(is_told)?;
        Some(Gained::between(&first.metrics, &last.metrics, name))
    }

    fn window(&self) -> Option<(&Answer, &Answer)> {
        let (first, last) = (self.answers.front()?, self.answers.back()?);
        (last.at > first.at).then_some((first, last))
    }
}

/// The first of `names` that is told.
fn told(metrics: &Exposition, names: Names) -> Option<&'static str> {
    names.iter().copied().find(|name| metrics.tells(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(at_s: u64, requests: u64) -> Answer {
        let text = format!("# TYPE r counter\nr_total {requests}\n# EOF\n");
        Answer {
            at: Duration::from_secs(at_s),
            metrics: Exposition::parse(&text).expect("metrics"),
            readiness: Readiness::default(),
        }
    }

    fn rate(process: &Process) -> Option<f64> {
        process.rate(&["other_total", "r_total"], |_| true)
    }

    #[test]
    fn a_rate_needs_two_answers_and_looks_back_a_few_seconds() {
        let mut process = Process::new("http://here");
        process.answered(answer(0, 1_000));
        assert_eq!(rate(&process), None);
        process.answered(answer(1, 1_010));
        assert_eq!(rate(&process), Some(10.0));
        for second in 2..20 {
            process.answered(answer(second, 1_010 + 20 * (second - 1)));
        }
        assert_eq!(rate(&process), Some(20.0));
        assert!(process.answers.len() <= 7);
    }

    #[test]
    fn a_process_that_was_away_begins_anew() {
        let mut process = Process::new("http://here");
        process.answered(answer(0, 1_000));
        process.failed(Duration::from_secs(1), "refused".to_owned());
        process.failed(Duration::from_secs(2), "refused again".to_owned());
        let away = process.away.clone().expect("it is away");
        assert_eq!(
            (away.since, away.why.as_str()),
            (Duration::from_secs(1), "refused again")
        );
        process.answered(answer(3, 5));
        assert_eq!((process.away.clone(), rate(&process)), (None, None));
    }
}
