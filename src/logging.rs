//! Log lines on standard error: a sentence and its fields, or JSON. `RUST_LOG` chooses what is said.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

/// Begins to write log lines; those of `level` and above when `RUST_LOG` says nothing, without those of the AMQP client: what
/// becomes of a connection is told by whoever uses it.
pub(crate) fn start(format: LogFormat, level: &str) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},lapin=off")));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_target(false)
        // A line that cannot be written, as on a full disk, is lost; complaining about it there would end the process.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
