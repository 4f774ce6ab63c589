//! What an operator sees: the names and units of every metric, and that page, dashboard and alerts speak of metrics that there are.

mod alerts;
mod dashboard;
mod exposition;
mod naming;
mod page;
mod queries;
mod roles;

/// A file of this package, as text.
fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
