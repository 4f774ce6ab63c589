//! The field's rules for names and units: Prometheus's page on naming, and what `promtool check metrics` looks for.

use crate::exposition::Family;

/// Units that have a base unit, and abbreviations of units.
const NOT_BASE: &[&str] = &[
    "b",
    "d",
    "day",
    "days",
    "gb",
    "gib",
    "h",
    "hour",
    "hours",
    "kb",
    "kib",
    "kilobytes",
    "m",
    "mb",
    "megabytes",
    "mib",
    "microseconds",
    "milliseconds",
    "min",
    "minute",
    "minutes",
    "ms",
    "nanoseconds",
    "ns",
    "percent",
    "s",
    "sec",
    "secs",
    "us",
];
/// Words that say the type, which the type says already.
const TYPES: &[&str] = &["counter", "gauge", "histogram", "summary"];
/// The labels that there are; each has a handful of values that the program chose.
const LABELS: &[&str] = &[
    "method", "model", "outcome", "part", "route", "stage", "status", "version",
];
/// Series of one metric in one process, buckets not counted: 35 routes with a few statuses each.
const SERIES_MAX: usize = 300;

/// What is wrong with `family`, in a sentence each.
pub(crate) fn faults(family: &Family) -> Vec<String> {
    let name = &family.name;
    let words: Vec<&str> = name.split('_').collect();
    let has_unit = |unit: &str| words.last() == Some(&unit);
    let rules = [
        (
            name.starts_with("segue_") || name.starts_with("process_"),
            "has no prefix of ours",
        ),
        (
            name.chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit()),
            "is not in lower case with underscores",
        ),
        (
            !words.iter().any(|word| NOT_BASE.contains(word)),
            "has a unit that is not a base unit, or an abbreviation of one",
        ),
        (
            !words.iter().any(|word| TYPES.contains(word)),
            "says its type in its name",
        ),
        (
            !["total", "count", "sum", "bucket", "info"]
                .iter()
                .any(|suffix| has_unit(suffix)),
            "ends with a suffix that a type adds",
        ),
        (family.help.len() > 1, "has no help"),
        (
            ["counter", "gauge", "histogram", "info"].contains(&family.kind.as_str()),
            "has no type",
        ),
        (
            family.unit.as_deref().is_none_or(has_unit),
            "has a unit that is not in its name",
        ),
        (
            !(words.contains(&"duration") || words.contains(&"timestamp") || words.contains(&"time"))
                || has_unit("seconds"),
            "is a time and not in seconds",
        ),
        (
            family.labels().iter().all(|label| LABELS.contains(label)),
            "has a label that is not known to have few values",
        ),
        (series(family) <= SERIES_MAX, "has too many series"),
        (
            family.kind == "info" || !values(family).any(looks_like_an_id),
            "has an id as a label",
        ),
    ];
    let broken = rules.into_iter().filter(|(is_kept, _)| !is_kept);
    broken.map(|(_, fault)| format!("{name} {fault}")).collect()
}

fn series(family: &Family) -> usize {
    let is_bucket = |name: &str| name.ends_with("_bucket");
    family
        .samples
        .iter()
        .filter(|sample| !is_bucket(&sample.name))
        .count()
}

fn values(family: &Family) -> impl Iterator<Item = &str> {
    let labels = family.samples.iter().flat_map(|sample| &sample.labels);
    labels
        .filter(|(name, _)| *name != "le")
        .map(|(_, value)| value.as_str())
}

/// Long and of hexadecimal digits, as UUIDs and digests are.
fn looks_like_an_id(value: &str) -> bool {
    value.len() >= 16
        && value
            .chars()
            .all(|letter| letter.is_ascii_hexdigit() || letter == '-')
}

#[test]
fn a_name_or_unit_that_breaks_a_rule_is_told() {
    let told = |name: &str, kind: &str, help: &str, series: &str| {
        let text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{series} 1\n# EOF\n");
        let families = crate::exposition::parse(&text).expect("it is well-formed");
        faults(&families[0])
    };
    let none: [String; 0] = [];
    assert_eq!(told("segue_a_seconds", "gauge", "Help.", "segue_a_seconds"), none);
    assert_eq!(
        told("segue_a", "counter", "Help.", "segue_a_total{part=\"b\"}"),
        none
    );
    for (name, kind, help, series) in [
        ("a", "gauge", "Help.", "a"),
        ("segue_aB", "gauge", "Help.", "segue_aB"),
        ("segue_a_ms", "gauge", "Help.", "segue_a_ms"),
        ("segue_a_signed_at_s", "gauge", "Help.", "segue_a_signed_at_s"),
        ("segue_duration", "gauge", "Help.", "segue_duration"),
        ("segue_a_total", "gauge", "Help.", "segue_a_total"),
        ("segue_gauge_a", "gauge", "Help.", "segue_gauge_a"),
        ("segue_a", "gauge", "", "segue_a"),
        ("segue_a", "unknown", "Help.", "segue_a"),
        ("segue_a", "gauge", "Help.", "segue_a{listener=\"b\"}"),
        (
            "segue_a",
            "gauge",
            "Help.",
            "segue_a{part=\"01890a5d-ac96-774b-bcce-b302099a8057\"}",
        ),
    ] {
        assert_eq!(told(name, kind, help, series).len(), 1, "{name} {kind} {series}");
    }
}
