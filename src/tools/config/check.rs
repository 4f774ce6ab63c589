//! Everything that can be said of the settings without asking a server.

mod folder;
mod hosts;
mod keys;
mod names;
mod parts;

use super::finding::Finding;
use super::given::{Effective, Given};

/// All that was found, the worst first.
pub(super) fn all(given: &Given, effective: &Effective) -> Vec<Finding> {
    let mut findings = malformed(given);
    findings.extend(
        effective
            .unreadable
            .iter()
            .map(|(name, why)| Finding::error(&[name], why.clone())),
    );
    findings.extend(names::unknown(given));
    findings.extend(hosts::malformed(given));
    findings.extend(parts::all(given, effective));
    findings.extend(keys::all(given, effective));
    findings.extend(folder::all(&effective.settings));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Settings that make no sense by themselves.
fn malformed(given: &Given) -> Vec<Finding> {
    let wrong = given
        .values
        .iter()
        .filter_map(|value| Some((value, value.problem.as_ref()?)));
    wrong
        .map(|(value, problem)| Finding::error(&[&value.name], format!("{} {problem}", value.name)))
        .collect()
}
