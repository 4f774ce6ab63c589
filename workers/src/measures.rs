//! What the classifier says of its work, for whoever watches the process: no listener, track or playlist is in it.

use std::fmt;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::{
    MetricType, counter::Counter, family::Family, histogram::Histogram, info::Info,
};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::registry::watched::RegistryHealth;

/// From a small catalogue on an idle machine to a request that waited for a worker to come back.
const BOUNDS_S: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// What a request for a playlist goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the record of the request until a worker took it up.
    Queued,
    /// Reading what stood in the log before it, and the contents that this names.
    Loading,
    /// Computing the answer.
    Generating,
    /// Recording the answer.
    Appending,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Loading, Self::Generating, Self::Appending];

    /// The value of the label `stage`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Loading => "loading",
            Self::Generating => "generating",
            Self::Appending => "appended",
        }
    }
}

/// How long one request took in each stage so far.
#[derive(Debug)]
pub struct Stages {
    took: Vec<(Stage, Duration)>,
    since: Instant,
}

impl Stages {
    /// A worker takes up a request that was recorded at `requested_at`. Clocks of two machines may differ: a request from the
    /// future has not waited.
    pub(crate) fn begin(requested_at: DateTime<Utc>) -> Self {
        let queued = DateTime::<Utc>::from(SystemTime::now()).signed_duration_since(requested_at);
        Self {
            took: vec![(Stage::Queued, queued.to_std().unwrap_or_default())],
            since: Instant::now(),
        }
    }

    /// `stage` is over, and the next one begins.
    pub(crate) fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        self.took.push((stage, now - self.since));
        self.since = now;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStage {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

/// Counts of the playlists that this process made. Cheap to clone; every clone counts the same.
#[derive(Clone, Debug)]
pub struct GenerationMeasures {
    stages: Family<OfStage, Histogram, fn() -> Histogram>,
    whole: Histogram,
    outcomes: Family<OfOutcome, Counter>,
}

impl GenerationMeasures {
    pub(crate) fn new() -> Self {
        let measures = Self {
            stages: Family::new_with_constructor(histogram),
            whole: histogram(),
            outcomes: Family::default(),
        };
        // What has not happened yet is told as 0: an alert on a rate sees the first time as well.
        for stage in Stage::ALL {
            drop(measures.stages.get_or_create(&OfStage { stage: stage.name() }));
        }
        for outcome in ["generated", "failed", "in_vain", "put_off"] {
            drop(measures.outcomes.get_or_create(&OfOutcome { outcome }));
        }
        measures
    }

    /// This process recorded the answer: a playlist, or that there can be none.
    pub(crate) fn answered(&self, stages: &Stages, is_playlist: bool) {
        for (stage, took) in &stages.took {
            let stage = OfStage { stage: stage.name() };
            self.stages.get_or_create(&stage).observe(took.as_secs_f64());
        }
        let whole: Duration = stages.took.iter().map(|(_, took)| *took).sum();
        self.whole.observe(whole.as_secs_f64());
        self.count(if is_playlist { "generated" } else { "failed" });
    }

    /// Somebody else was faster, or the person was forgotten meanwhile.
    pub(crate) fn in_vain(&self) {
        self.count("in_vain");
    }

    /// It could not be answered now, and stays pending.
    pub(crate) fn put_off(&self) {
        self.count("put_off");
    }

    fn count(&self, outcome: &'static str) {
        self.outcomes.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// Makes `registry` tell these: `playlist_stage_duration_seconds`, `playlist_duration_seconds` and `playlists_total`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "playlist_stage_duration",
            "How long requests for playlists that this process answered took in each stage",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register_with_unit(
            "playlist_duration",
            "From the record of a request for a playlist to the record of its answer",
            Unit::Seconds,
            self.whole.clone(),
        );
        registry.register(
            "playlists",
            "What became of requests for playlists that this process took up",
            self.outcomes.clone(),
        );
    }
}

fn histogram() -> Histogram {
    Histogram::new(BOUNDS_S)
}

/// Tells which base model was verified last.
pub struct ModelInfo(watch::Receiver<RegistryHealth>);

impl ModelInfo {
    /// Of the registry whose health is `health`.
    #[must_use]
    pub fn new(health: watch::Receiver<RegistryHealth>) -> Self {
        Self(health)
    }

    /// Makes `registry` tell `model_info`, whose label `model` is the fingerprint; nothing before a model was verified.
    pub fn register(self, registry: &mut Registry) {
        registry.register_collector(Box::new(self));
    }
}

impl fmt::Debug for ModelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelInfo").finish_non_exhaustive()
    }
}

impl Collector for ModelInfo {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(model) = self.0.borrow().verified else {
            return Ok(());
        };
        let help = "The base model that was verified last, by its fingerprint";
        let metric = encoder.encode_descriptor("model", help, None, MetricType::Info)?;
        Info::new([("model", model.to_string())]).encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn told(register: impl FnOnce(&mut Registry)) -> String {
        let mut registry = Registry::with_prefix("segue");
        register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[track_caller]
    fn assert_line(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_stage_of_an_answer_is_told_with_what_it_took() {
        let measures = GenerationMeasures::new();
        let mut stages = Stages::begin(DateTime::<Utc>::MAX_UTC);
        for (stage, took_s) in [(Stage::Loading, 1), (Stage::Generating, 2), (Stage::Appending, 4)] {
            tokio::time::advance(Duration::from_secs(took_s)).await;
            stages.end(stage);
        }
        measures.answered(&stages, true);
        measures.put_off();
        let text = told(|registry| measures.register(registry));
        for line in [
            r#"segue_playlist_stage_duration_seconds_sum{stage="queued"} 0.0"#,
            r#"segue_playlist_stage_duration_seconds_sum{stage="loading"} 1.0"#,
            r#"segue_playlist_stage_duration_seconds_sum{stage="generating"} 2.0"#,
            r#"segue_playlist_stage_duration_seconds_sum{stage="appended"} 4.0"#,
            "segue_playlist_duration_seconds_sum 7.0",
            r#"segue_playlists_total{outcome="generated"} 1"#,
            r#"segue_playlists_total{outcome="put_off"} 1"#,
            r#"segue_playlists_total{outcome="failed"} 0"#,
        ] {
            assert_line(&text, line);
        }
    }

    #[test]
    fn the_model_is_told_once_it_is_known() {
        let health = |verified| RegistryHealth {
            form: "files",
            last_success_at: None,
            last_error: None,
            fallback: None,
            verified,
            failures_total: 0,
            damaged_total: 0,
            from_log_total: 0,
        };
        let (sender, receiver) = watch::channel(health(None));
        let text = || told(|registry| ModelInfo::new(receiver.clone()).register(registry));
        assert!(!text().contains("model"), "{}", text());
        let model = domain::Digest::of("a model");
        sender.send_replace(health(Some(model)));
        assert_line(&text(), &format!("segue_model_info{{model=\"{model}\"}} 1"));
    }
}
