//! `docs/events.md` is compared with the stored shapes: a field without a line, or a line without a field, fails.

use std::collections::{BTreeMap, BTreeSet};

use domain::EVENT_TYPES;
use serde_json::Value;

use crate::recorded::golden;

const PAGE: &str = include_str!("../../../docs/events.md");

/// The fields of each event's table: the text between backquotes at the start of each row.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut events = BTreeMap::new();
    let mut fields: Option<&mut BTreeSet<String>> = None;
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let name = heading.trim().trim_matches('`').to_owned();
            fields = heading.starts_with('`').then(|| events.entry(name).or_default());
        } else if let (Some(fields), Some(row)) = (&mut fields, line.strip_prefix("| `")) {
            fields.extend(row.split_once('`').map(|(field, _)| field.to_owned()));
        }
    }
    events
}

/// The paths of every field: `request.limit`, `tracks[].score`. Maps with names of features in them end at the map.
fn paths(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    let is_free_map = ["targets", "minimums", "maximums"]
        .iter()
        .any(|name| prefix.ends_with(name));
    match value {
        Value::Object(fields) if !is_free_map => {
            for (name, value) in fields {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                paths(value, &path, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items
                .iter()
                .for_each(|item| paths(item, &format!("{prefix}[]"), found));
        }
        _ if prefix.is_empty() => {}
        _ => drop(found.insert(prefix.to_owned())),
    }
}

#[test]
fn every_event_and_field_is_documented_and_nothing_else_is() {
    let mut stored = BTreeMap::new();
    for (name, version) in EVENT_TYPES {
        let mut found = BTreeSet::new();
        paths(&golden(name, *version), "", &mut found);
        stored.insert((*name).to_owned(), found);
    }
    assert_eq!(documented(), stored);
}

#[test]
fn every_event_says_who_records_it_when_and_who_consumes_it() {
    for section in PAGE.split("\n## `").skip(1) {
        for label in ["Recorded by:", "When:", "Consumed by:"] {
            assert!(
                section.contains(label),
                "{label} is missing in {}",
                section.lines().next().unwrap_or_default()
            );
        }
    }
}
