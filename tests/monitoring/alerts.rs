//! The alert rules: each can be read, asks for what there is, and has its section for whoever is woken by it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::queries;

const RULES: &str = "ops/monitoring/alerts.yaml";
/// What each rule does, for promtool.
const TRIALS: &str = "ops/monitoring/alerts-test.yaml";
const RUNBOOK: &str = "docs/operations.md";

fn rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&crate::file(RULES)).expect("YAML");
    let groups = file["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| {
        assert!(group["name"].is_string(), "a group has no name");
        group["rules"].as_array().expect("rules").clone()
    });
    rules.collect()
}

fn text<'a>(rule: &'a Value, pointer: &str) -> &'a str {
    let found = rule.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{} has no {pointer}", rule["alert"]))
}

#[test]
fn every_alert_asks_for_metrics_that_there_are() {
    let faults = rules()
        .iter()
        .flat_map(|rule| queries::faults(text(rule, "/expr")))
        .collect::<Vec<_>>();
    assert_eq!(faults, [] as [String; 0]);
}

#[test]
fn every_alert_has_a_name_of_its_own_and_says_how_bad_it_is() {
    let rules = rules();
    let names: BTreeSet<&str> = rules.iter().map(|rule| text(rule, "/alert")).collect();
    assert_eq!(names.len(), rules.len(), "two alerts have one name");
    for rule in &rules {
        assert!(["critical", "warning"].contains(&text(rule, "/labels/severity")));
        assert!(!text(rule, "/annotations/summary").is_empty());
        let known = ["alert", "annotations", "expr", "for", "labels"];
        for key in rule.as_object().expect("a rule").keys() {
            assert!(known.contains(&key.as_str()), "{}: {key}", rule["alert"]);
        }
    }
}

/// `ops/check-manifests` has promtool try them.
#[test]
fn every_alert_is_tried_when_it_must_ring_and_when_it_must_not() {
    let file: Value = serde_saphyr::from_str(&crate::file(TRIALS)).expect("YAML");
    let trials = file["tests"].as_array().expect("tests").iter();
    let named: BTreeSet<&str> = trials.map(|trial| text(trial, "/name")).collect();
    let rules = rules();
    let wanted: BTreeSet<String> = rules
        .iter()
        .flat_map(|rule| ["rings", "is silent"].map(|does| format!("{} {does}", text(rule, "/alert"))))
        .collect();
    assert_eq!(named, wanted.iter().map(String::as_str).collect());
}

#[test]
fn every_alert_has_a_section_and_every_section_an_alert() {
    let page = crate::file(RUNBOOK);
    let heads = page.lines().filter_map(|line| line.strip_prefix("### Segue"));
    let sections: BTreeSet<String> = heads.map(|name| format!("Segue{name}")).collect();
    let rules = rules();
    let names: BTreeSet<String> = rules.iter().map(|rule| text(rule, "/alert").to_owned()).collect();
    assert_eq!(sections, names);
    for rule in &rules {
        let anchor = format!("{RUNBOOK}#{}", text(rule, "/alert").to_lowercase());
        assert_eq!(text(rule, "/annotations/runbook_url"), anchor);
    }
    for name in names {
        let section = page.split(&format!("### {name}\n")).nth(1).unwrap_or_default();
        let section = section.split("\n#").next().unwrap_or_default();
        for says in ["**Means:**", "**Look at:**", "**Do:**"] {
            assert!(section.contains(says), "{name} has no {says}");
        }
    }
}
