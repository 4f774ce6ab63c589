//! `/v1/audit/...`: the log as a Merkle tree, for auditors: signed checkpoints, proofs and tiles.
//!
//! Whoever keeps an old checkpoint can hold the service to it: see `docs/audit.md`. Every answer here is recorded in the
//! access log before it is given, and does not cover that record.

mod checkpoint;
mod consistency;
mod inclusion;
mod key;
mod tile;

pub(crate) use checkpoint::{latest, list};
pub(crate) use consistency::prove as prove_consistency;
pub(crate) use inclusion::prove as prove_inclusion;
pub(crate) use key::show as show_key;
pub(crate) use tile::show as show_tile;

use axum::response::Response;
use eventing::sealer::SealError;
use eventing::{LogError, StoreCheckpointError, TreeError};
use http::{HeaderValue, header};

use crate::{
    freshness::log_problem,
    problem::{Problem, ProblemType},
    request::page,
};

/// 200 with a text that belongs to its caller alone.
fn text_answer(text: String, media_type: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    response
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A parameter that is a count or a position.
fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let read = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_plain.then(|| text.parse().ok()).flatten();
        number.ok_or_else(|| page::invalid(name, "is a whole number in digits"))
    };
    text.map(read).transpose()
}

fn required(name: &str, text: Option<&str>) -> Result<u64, Problem> {
    number(name, text)?.ok_or_else(|| page::invalid(name, "is missing"))
}

/// The problem for a parameter that goes beyond the log.
fn beyond(name: &str, head: u64) -> Problem {
    page::invalid(name, &format!("is beyond the log, which ends at {head}"))
}

/// The problem for a service that was given no key.
fn no_key() -> Problem {
    Problem::new(ProblemType::AuditKeyMissing)
        .detail("set SEGUE_AUDIT_KEY or SEGUE_AUDIT_KEY_FILE; `segue audit keygen` makes a key")
}

/// The problem for a log that could not be sealed.
#[track_caller]
fn seal_problem(error: &SealError) -> Problem {
    match error {
        SealError::NoKey => no_key(),
        SealError::Tree(error) => tree_problem(error),
        SealError::Store(StoreCheckpointError::Log(error)) => log_problem(error),
        error if error.is_damage() => Problem::internal(error),
        other => Problem::unavailable(other),
    }
}

/// The problem for a tree that could not be read. That what was asked for is in the log was seen before.
#[track_caller]
fn tree_problem(error: &TreeError) -> Problem {
    match error {
        TreeError::Log(LogError::Corrupt(_)) => Problem::internal(error),
        TreeError::Log(error) => log_problem(error),
        TreeError::Beyond { .. } | TreeError::OutOfTree(_) => Problem::unavailable(error),
    }
}
