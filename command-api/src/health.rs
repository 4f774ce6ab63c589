//! Liveness, readiness and measures of a process, for whoever runs it: `/livez`, `/readyz` and `/metrics`.
//!
//! Each part of a process brings a [`Probe`]; readiness is all of them together. A process without the API serves these
//! three alone ([`serve_health`](crate::serve_health)).

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use eventing::EventLog;
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::problem::{FieldError, Problem, ProblemType};

/// How long one look may take: whoever asks for readiness does not wait for ever.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

/// One thing that readiness looks at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What was looked at, as in `log` or `bus`.
    pub name: &'static str,
    /// Whether the process can do its work as far as this goes.
    pub ok: bool,
    /// Where it stands, or what is missing. Without personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What `/metrics` tells of it besides whether it is as it should be.
    #[serde(skip)]
    pub measures: Vec<Measure>,
}

/// A number of one part of the process, as it is now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Its name without the prefix `segue_`, with its unit last; of a total, without the `_total` that `/metrics` adds.
    pub name: &'static str,
    /// What it is, in a sentence without a full stop.
    pub help: &'static str,
    /// Its value now.
    pub value: Value,
}

/// What a [`Measure`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A count, a position or a yes (1) or no (0): goes up and down.
    Count(u64),
    /// A time in seconds: goes up and down.
    Seconds(f64),
    /// How often something happened since the process started: only goes up.
    Total(u64),
}

impl Measure {
    /// A number that goes up and down.
    #[must_use]
    pub const fn count(name: &'static str, help: &'static str, value: u64) -> Self {
        let value = Value::Count(value);
        Self { name, help, value }
    }

    /// Yes is 1, no is 0.
    #[must_use]
    pub fn flag(name: &'static str, help: &'static str, value: bool) -> Self {
        Self::count(name, help, u64::from(value))
    }

    /// A time in seconds; `name` ends with `_seconds`.
    #[must_use]
    pub const fn seconds(name: &'static str, help: &'static str, value: f64) -> Self {
        let value = Value::Seconds(value);
        Self { name, help, value }
    }

    /// How often something happened since the process started.
    #[must_use]
    pub const fn total(name: &'static str, help: &'static str, value: u64) -> Self {
        let value = Value::Total(value);
        Self { name, help, value }
    }
}

impl Check {
    /// It is as it should be.
    #[must_use]
    pub fn passed(name: &'static str, detail: impl Into<Option<String>>) -> Self {
        Self {
            name,
            ok: true,
            detail: detail.into(),
            measures: Vec::new(),
        }
    }

    /// The process cannot do its work as long as it is so.
    #[must_use]
    pub fn failed(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            ok: false,
            detail: Some(detail.into()),
            measures: Vec::new(),
        }
    }

    /// The same, with numbers for `/metrics`.
    #[must_use]
    pub fn measuring(mut self, measures: impl IntoIterator<Item = Measure>) -> Self {
        self.measures.extend(measures);
        self
    }
}

type Looking = Pin<Box<dyn Future<Output = Check> + Send>>;

/// Looks at one thing whenever readiness is asked for. Cheap to clone.
#[derive(Clone)]
pub struct Probe(Arc<dyn Fn() -> Looking + Send + Sync>);

impl Probe {
    /// A probe that calls `look`, which must answer within a second or so.
    pub fn new<F>(look: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Check> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(look())))
    }

    /// Looks now.
    pub async fn look(&self) -> Check {
        (self.0)().await
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

/// What readiness is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyQuery {
    verbose: Option<String>,
}

impl ReadyQuery {
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose.is_some()
    }
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// 200 as long as the process answers at all; looks at nothing else.
pub(crate) async fn live() -> Response {
    uncached("alive\n".into_response())
}

/// 200 when every check passed, else 503 with those that did not.
pub(crate) fn readiness(checks: Vec<Check>, verbose: bool) -> Result<Response, Problem> {
    if checks.iter().any(|check| !check.ok) {
        let missing = checks.into_iter().filter(|check| !check.ok);
        let missing = missing.map(|check| FieldError::new(check.name, check.detail.unwrap_or_default()));
        return Err(Problem::new(ProblemType::NotReady)
            .errors(missing)
            .retry_after(Duration::from_secs(1)));
    }
    let checks = if verbose { checks } else { Vec::new() };
    Ok(uncached(crate::routes::json_answer(&Ready {
        status: "ready",
        checks,
    })))
}

/// Asks the log for its head.
pub async fn log_check(log: &EventLog) -> Check {
    match timeout(LOOK_LIMIT, log.head()).await {
        Ok(Ok(head)) => Check::passed("log", format!("stands at {head}")).measuring([Measure::count(
            "log_head_position",
            "Position of the last record of the log",
            head.0,
        )]),
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "the event log does not answer");
            Check::failed("log", "does not answer")
        }
        Err(_) => Check::failed("log", "does not answer in time"),
    }
}

/// Looks at everything, one after the other.
pub(crate) async fn look_at(probes: &[Probe]) -> Vec<Check> {
    let mut checks = Vec::with_capacity(probes.len());
    for probe in probes {
        checks.push(probe.look().await);
    }
    checks
}

fn uncached(mut answer: Response) -> Response {
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
