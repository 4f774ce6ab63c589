//! `docs/metrics.md` as a table: what other tests hold queries and scrapes against.

use std::collections::{BTreeMap, BTreeSet};

/// What the page says of a metric.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) roles: BTreeSet<String>,
}

impl Entry {
    pub(crate) fn is_told_by(&self, role: &str) -> bool {
        self.roles.contains("all") || self.roles.contains(role)
    }
}

/// Every metric of the page by the name that it is asked for by.
pub(crate) fn metrics() -> BTreeMap<String, Entry> {
    let page = crate::file("docs/metrics.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(rows.is_sorted(), "the rows of docs/metrics.md are sorted");
    let metrics: BTreeMap<String, Entry> = rows.iter().map(|row| entry(row)).collect();
    assert_eq!(metrics.len(), rows.len(), "docs/metrics.md names a metric twice");
    metrics
}

fn entry(row: &str) -> (String, Entry) {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, name, kind, labels, roles, says, _] = &cells[..] else {
        panic!("{row} has other columns")
    };
    assert!(!says.is_empty(), "{row} says nothing");
    let list = |cell: &str| {
        let words = cell.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let entry = Entry {
        kind: (*kind).to_owned(),
        labels: list(labels),
        roles: list(roles),
    };
    (name.trim_matches('`').to_owned(), entry)
}
