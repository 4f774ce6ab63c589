//! A fault that was found: in words, as JSON, and as an exit status.

use eventing::verify::{Fault, FaultKind};
use serde::Serialize;

use crate::Outcome;
use crate::output::Output;

/// What a check that did not succeed came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    verified: bool,
    fault: Found,
}

#[derive(Debug, Serialize)]
struct Found {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    message: String,
}

/// The exit status of a kind of fault.
const fn status(kind: FaultKind) -> u8 {
    match kind {
        FaultKind::Unreadable => 3,
        FaultKind::Corrupt => 4,
        FaultKind::Truncated => 5,
        FaultKind::Unsigned => 6,
        FaultKind::Inconsistent => 7,
    }
}

/// Prints `fault`.
pub(super) fn report(output: Output, fault: &Fault) -> anyhow::Result<Outcome> {
    let position = fault.position().map(|position| position.get());
    say(output, fault.kind(), position, fault.to_string())
}

/// Prints a fault of `kind` that `message` tells.
pub(super) fn say(
    output: Output,
    kind: FaultKind,
    position: Option<u64>,
    message: String,
) -> anyhow::Result<Outcome> {
    let report = Report {
        verified: false,
        fault: Found {
            kind: kind.name(),
            position,
            message,
        },
    };
    output.print(&report, |report| {
        format!("{}: {}", report.fault.kind.to_uppercase(), report.fault.message)
    })?;
    Ok(Outcome::Exit(status(kind)))
}
