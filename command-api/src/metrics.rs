//! `/metrics`: what readiness looks at, as numbers, in the OpenMetrics text form.

use axum::response::{IntoResponse, Response};
use http::header;
use prometheus_client::{
    encoding::text::encode, metrics::family::Family, metrics::gauge::Gauge, registry::Registry,
};
use std::{collections::BTreeMap, sync::atomic::AtomicU64};

use crate::{
    health::{Check, Measure},
    problem::{Problem, ProblemType},
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Whether each part is as it should be.
const READY: (&str, &str) = ("ready", "Whether this part of the process can do its work");

type Labels = [(&'static str, &'static str); 1];
type Gauges = Family<Labels, Gauge<u64, AtomicU64>>;

/// 200 with every check and measure, whether the process is ready or not.
pub(crate) fn answer(checks: &[Check]) -> Response {
    match text(checks) {
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

/// One family a name; the label `part` says whose value it is.
fn text(checks: &[Check]) -> Result<String, std::fmt::Error> {
    let mut families: BTreeMap<&'static str, (&'static str, Gauges)> = BTreeMap::new();
    for check in checks {
        let ready = Measure {
            name: READY.0,
            help: READY.1,
            value: u64::from(check.ok),
        };
        for measure in [ready].iter().chain(&check.measures) {
            let (_, family) = families
                .entry(measure.name)
                .or_insert_with(|| (measure.help, Gauges::default()));
            family.get_or_create(&[("part", check.name)]).set(measure.value);
        }
    }
    let mut registry = Registry::with_prefix("segue");
    for (name, (help, family)) in families {
        registry.register(name, help, family);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_measure_has_a_line() {
        let lag = Measure {
            name: "lag_events",
            help: "Events behind",
            value: 7,
        };
        let checks = [
            Check::passed("classifier", None).measuring([lag]),
            Check::failed("bus", "is gone").measuring([Measure { value: 9, ..lag }]),
        ];
        let text = text(&checks).unwrap();
        for line in [
            r#"segue_ready{part="classifier"} 1"#,
            r#"segue_ready{part="bus"} 0"#,
            r#"segue_lag_events{part="classifier"} 7"#,
            r#"segue_lag_events{part="bus"} 9"#,
            "# HELP segue_lag_events Events behind.",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in {text}");
        }
    }
}
