//! Traces: the spans of the real program, as a collector takes them.
//!
//! [`whole_way`] holds that a request is one trace through every process, [`canary`] that nothing of a person is in a span, and
//! [`away`] that a collector which does not take spans harms nobody.

mod away;
mod canary;
mod collector;
mod whole_way;

use std::time::Duration;

use bench::server::Program;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// Everything in one process, which tells its spans to `collector`.
fn embedded(folder: &TempDir, collector: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"))
        .with_env("SEGUE_THROTTLE", "off")
        .with_env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
}
