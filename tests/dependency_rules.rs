//! Dependencies point one way, and each heavy library has one home: DESIGN's table, held over `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which of our packages each package may use outside its tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("classifier", &["domain"]),
    ("tournament", &["domain", "classifier"]),
    ("eventing", &[]),
    ("projectors", &["domain", "classifier", "eventing"]),
    ("workers", &["domain", "classifier", "eventing", "projectors"]),
    ("command-api", &["domain", "classifier", "eventing", "projectors"]),
    (
        "segue",
        &[
            "domain",
            "classifier",
            "eventing",
            "projectors",
            "workers",
            "command-api",
            "top",
            "tournament",
        ],
    ),
    ("servers", &[]),
    ("top", &[]),
    (
        "bench",
        &[
            "domain",
            "classifier",
            "eventing",
            "projectors",
            "workers",
            "command-api",
            "servers",
        ],
    ),
];

/// Libraries that exactly one package may name.
const ONE_HOME: &[(&str, &str)] = &[
    ("axum", "command-api"),
    ("crossterm", "top"),
    ("firestore", "workers"),
    ("heed", "projectors"),
    ("lapin", "eventing"),
    ("opentelemetry", "segue"),
    ("opentelemetry-otlp", "segue"),
    ("opentelemetry_sdk", "segue"),
    ("ratatui", "top"),
    ("redis", "projectors"),
    ("rusqlite", "eventing"),
    ("sqlx", "eventing"),
    ("tokio-postgres", "eventing"),
];

/// What keeps the pure packages pure.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "rand",
    "getrandom",
    "reqwest",
    "axum",
    "rusqlite",
    "heed",
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal)
                .map(|dependency| dependency.name.clone())
                .collect();
            (package.name.to_string(), names)
        })
        .collect()
}

#[test]
fn packages_use_only_the_packages_below_them() {
    let packages = dependencies();
    let ours: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        packages.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        ours,
        "a package is missing in this table"
    );
    for (name, allowed) in MAY_USE {
        for used in packages[*name].iter().filter(|used| ours.contains(used.as_str())) {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} must not depend on {used}"
            );
        }
    }
}

#[test]
fn heavy_libraries_have_one_home() {
    for (package, used) in dependencies() {
        for (library, home) in ONE_HOME {
            assert!(
                package == *home || !used.contains(*library),
                "{package} names {library}, only {home} may"
            );
        }
    }
}

#[test]
fn pure_packages_know_no_runtime_clock_or_randomness() {
    let packages = dependencies();
    for package in ["domain", "classifier"] {
        for library in IMPURE {
            assert!(
                !packages[package].contains(*library),
                "{package} is pure, so it must not name {library}"
            );
        }
    }
}
