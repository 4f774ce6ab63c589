//! The dashboard: every panel asks for what there is, and lies where no other does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{page, queries};

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&crate::file("ops/monitoring/dashboard.json")).expect("JSON");
    assert_eq!(dashboard["uid"], "segue");
    dashboard["panels"].as_array().expect("panels").clone()
}

fn queries_of(panel: &Value) -> Vec<&str> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    targets
        .map(|target| target["expr"].as_str().expect("an expression"))
        .collect()
}

#[test]
fn every_panel_asks_for_metrics_that_there_are() {
    let panels = panels();
    let asked = panels.iter().flat_map(queries_of);
    // Grafana puts the interval in the place of its variable.
    let faults = asked.flat_map(|query| queries::faults(&query.replace("$__rate_interval", "5m")));
    assert_eq!(faults.collect::<Vec<_>>(), [] as [String; 0]);
}

#[test]
fn every_panel_has_a_title_a_place_and_something_to_show() {
    let panels = panels();
    let mut taken = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for panel in &panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(titles.insert(title), "two panels are called {title}");
        assert!(
            panel["type"] == "row" || !queries_of(panel).is_empty(),
            "{title} shows nothing"
        );
        let at = |side: &str| panel["gridPos"][side].as_u64().expect("a place");
        for x in at("x")..at("x") + at("w") {
            assert!(x < 24, "{title} is out of sight");
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title} lies on another panel");
            }
        }
    }
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
}

#[test]
fn every_metric_of_ours_is_seen_or_wakes_somebody() {
    let shown: String = panels()
        .iter()
        .flat_map(|panel| queries_of(panel).join("\n").into_bytes())
        .map(char::from)
        .collect();
    let shown = shown + &crate::file("ops/monitoring/alerts.yaml");
    let unseen: Vec<String> = page::metrics()
        .into_keys()
        .filter(|name| !shown.contains(name.as_str()))
        .collect();
    assert_eq!(unseen, [] as [String; 0]);
}
