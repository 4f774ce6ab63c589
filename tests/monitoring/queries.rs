//! Reads PromQL, and holds it against the metrics that there are.

use std::collections::BTreeMap;

use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use crate::page::{self, Entry};

/// What Prometheus itself records of every target.
const ITS_OWN: &str = "up";
/// Labels that Prometheus puts on every series.
const OF_TARGETS: [&str; 2] = ["instance", "job"];
/// What may be asked of something that only grows.
const OF_COUNTERS: [&str; 3] = ["rate", "increase", "irate"];

/// What is wrong with the query `text`, in a sentence each.
pub(crate) fn faults(text: &str) -> Vec<String> {
    let expression = match parser::parse(text) {
        Ok(expression) => expression,
        Err(error) => return vec![format!("`{text}` cannot be read: {error}")],
    };
    let mut looking = Looking {
        metrics: page::metrics(),
        faults: Vec::new(),
        rated: Vec::new(),
    };
    if let Err(never) = walk_expr(&mut looking, &expression) {
        match never {}
    }
    let told = looking.faults.into_iter();
    told.map(|fault| format!("`{text}`: {fault}")).collect()
}

struct Looking {
    metrics: BTreeMap<String, Entry>,
    faults: Vec<String>,
    /// Selectors that stand in a function of [`OF_COUNTERS`].
    rated: Vec<String>,
}

impl ExprVisitor for Looking {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Self::Error> {
        match expression {
            Expr::Call(call) if OF_COUNTERS.contains(&call.func.name) => {
                for argument in &call.args.args {
                    if let Expr::MatrixSelector(matrix) = argument.as_ref() {
                        self.rated.extend(matrix.vs.name.clone());
                    }
                }
            }
            Expr::VectorSelector(selector) => self.look(selector),
            Expr::MatrixSelector(matrix) => self.look(&matrix.vs),
            _ => {}
        }
        Ok(true)
    }
}

impl Looking {
    fn look(&mut self, selector: &VectorSelector) {
        let Some(name) = &selector.name else {
            return self.faults.push("a selector without a metric".to_owned());
        };
        if name == ITS_OWN {
            return;
        }
        let Some((grows, entry)) = find(&self.metrics, name) else {
            return self.faults.push(format!("there is no metric {name}"));
        };
        if grows && !self.rated.contains(name) {
            self.faults.push(format!("{name} only grows: a rate is wanted"));
        }
        if !grows && self.rated.contains(name) {
            self.faults
                .push(format!("{name} goes up and down: it has no rate"));
        }
        for matcher in &selector.matchers.matchers {
            let label = matcher.name.as_str();
            if !entry.labels.contains(label) && !OF_TARGETS.contains(&label) {
                self.faults.push(format!("{name} has no label {label}"));
            }
        }
    }
}

/// The metric that `name` is, or is a part of, and whether it only grows.
fn find<'a>(metrics: &'a BTreeMap<String, Entry>, name: &str) -> Option<(bool, &'a Entry)> {
    if let Some(entry) = metrics.get(name).filter(|entry| entry.kind != "histogram") {
        return Some((entry.kind == "counter", entry));
    }
    let parts = ["_bucket", "_sum", "_count"];
    let whole = parts.iter().find_map(|part| name.strip_suffix(part))?;
    let entry = metrics.get(whole).filter(|entry| entry.kind == "histogram")?;
    Some((true, entry))
}

#[test]
fn a_query_for_what_there_is_not_is_told() {
    for good in [
        "max by (part) (segue_ready)",
        "sum(rate(segue_http_requests_total{status=~\"5..\"}[5m]))",
        "histogram_quantile(0.99, sum by (le) (rate(segue_append_duration_seconds_bucket[5m])))",
        "up{job=\"segue\"} == 0",
    ] {
        assert_eq!(faults(good), [] as [String; 0]);
    }
    for bad in [
        "max by (part (segue_ready)",
        "segue_nothing",
        "segue_append_duration_seconds",
        "segue_ready_count",
        "segue_ready{listener=\"a\"}",
        "sum(segue_http_requests_total)",
        "rate(segue_ready[5m])",
        "{part=\"bus\"}",
    ] {
        assert_eq!(faults(bad).len(), 1, "{bad}: {:?}", faults(bad));
    }
}
