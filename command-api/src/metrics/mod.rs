//! `/metrics`: what readiness looks at, as numbers, and what the parts count, in the OpenMetrics text form.

mod api;
mod http;

use ::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};
use prometheus_client::registry::Registry;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

pub(crate) use self::{
    api::of_api,
    http::{HttpMeasures, measure, method_of, route_of},
};
use crate::{
    health::{Check, Measure, Value},
    problem::{Problem, ProblemType},
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = [(&'static str, &'static str); 1];

/// The values of one name, by part.
enum Values {
    Counts(Family<Labels, Gauge<u64, AtomicU64>>),
    Seconds(Family<Labels, Gauge<f64, AtomicU64>>),
    Totals(Family<Labels, Counter>),
}

impl Values {
    fn like(value: Value) -> Self {
        match value {
            Value::Count(_) => Self::Counts(Family::default()),
            Value::Seconds(_) => Self::Seconds(Family::default()),
            Value::Total(_) => Self::Totals(Family::default()),
        }
    }

    /// Sets the value of `part`. One of another kind than the first of its name is left out: a name has one type.
    fn set(&self, part: &'static str, value: Value) {
        let part = [("part", part)];
        match (self, value) {
            (Self::Counts(family), Value::Count(value)) => {
                family.get_or_create(&part).set(value);
            }
            (Self::Seconds(family), Value::Seconds(value)) => {
                family.get_or_create(&part).set(value);
            }
            (Self::Totals(family), Value::Total(value)) => {
                family
                    .get_or_create(&part)
                    .inner()
                    .store(value, Ordering::Relaxed);
            }
            _ => debug_assert!(false, "two kinds of measure have one name"),
        }
    }

    fn register(self, name: &'static str, help: &'static str, registry: &mut Registry) {
        match self {
            Self::Counts(family) => registry.register(name, help, family),
            Self::Seconds(family) => registry.register(name, help, family),
            Self::Totals(family) => registry.register(name, help, family),
        }
    }
}

/// 200 with every check and measure and all that `instruments` tell, whether the process is ready or not.
pub(crate) fn answer(checks: &[Check], instruments: &[&Registry]) -> Response {
    match text(checks, instruments) {
        Ok(text) => (
            [
                (header::CONTENT_TYPE, CONTENT_TYPE),
                (header::CACHE_CONTROL, "no-store"),
            ],
            text,
        )
            .into_response(),
        Err(_) => Problem::from(ProblemType::Internal).into_response(),
    }
}

fn text(checks: &[Check], instruments: &[&Registry]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, &told(checks))?;
    for instruments in instruments {
        encode_registry(&mut text, instruments)?;
    }
    encode_eof(&mut text)?;
    Ok(text)
}

/// One family a name; the label `part` says whose value it is.
fn told(checks: &[Check]) -> Registry {
    let mut families: BTreeMap<&'static str, (&'static str, Values)> = BTreeMap::new();
    for check in checks {
        let ready = Measure::flag(
            "ready",
            "Whether this part of the process can do its work",
            check.ok,
        );
        for measure in [ready].iter().chain(&check.measures) {
            let family = families.entry(measure.name);
            let (_, family) = family.or_insert_with(|| (measure.help, Values::like(measure.value)));
            family.set(check.name, measure.value);
        }
    }
    let mut registry = Registry::with_prefix("segue");
    for (name, (help, family)) in families {
        family.register(name, help, &mut registry);
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_measure_has_a_line() {
        let lag = |value| Measure::count("lag_events", "Events behind", value);
        let checks = [
            Check::passed("classifier", None).measuring([
                lag(7),
                Measure::seconds("lag_seconds", "Age", 0.5),
                Measure::total("failures", "How often it failed", 3),
            ]),
            Check::failed("bus", "is gone").measuring([lag(9)]),
        ];
        let mut instruments = Registry::with_prefix("segue");
        instruments.register("appends", "Appends", Counter::<u64>::default());
        let text = text(&checks, &[&instruments]).unwrap();
        for line in [
            r#"segue_ready{part="classifier"} 1"#,
            r#"segue_ready{part="bus"} 0"#,
            r#"segue_lag_events{part="classifier"} 7"#,
            r#"segue_lag_events{part="bus"} 9"#,
            r#"segue_lag_seconds{part="classifier"} 0.5"#,
            r#"segue_failures_total{part="classifier"} 3"#,
            "# TYPE segue_failures counter",
            "# HELP segue_lag_events Events behind.",
            "segue_appends_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in {text}");
        }
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"));
    }
}
