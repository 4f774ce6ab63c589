//! What a process says at `/readyz?verbose`.

use serde::{Deserialize, Serialize};

/// Whether a process can do its work, and what it says of its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether it takes work.
    pub is_ready: bool,
    /// Its parts; of a process that is not ready only those that are the reason.
    pub checks: Vec<Check>,
}

/// One part of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The part.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// Where it stands, or what is missing.
    #[serde(default)]
    pub detail: String,
}

/// The answer is none of this program's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("/readyz answers {status} with something that is no readiness")]
pub struct NoReadiness {
    status: u16,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct NotReady {
    errors: Vec<Missing>,
}

#[derive(Deserialize)]
struct Missing {
    field: String,
    #[serde(default)]
    detail: String,
}

impl Readiness {
    /// Reads the answer with `status` and `body`.
    ///
    /// # Errors
    /// [`NoReadiness`] when it is neither a yes nor a no.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, NoReadiness> {
        let none = |_| NoReadiness { status };
        match status {
            200 => serde_json::from_slice::<Ready>(body)
                .map_err(none)
                .map(|ready| Self {
                    is_ready: true,
                    checks: ready.checks,
                }),
            503 => serde_json::from_slice::<NotReady>(body)
                .map_err(none)
                .map(Self::from),
            _ => Err(NoReadiness { status }),
        }
    }
}

impl From<NotReady> for Readiness {
    fn from(not_ready: NotReady) -> Self {
        let missing = not_ready.errors.into_iter().map(|missing| Check {
            name: missing.field,
            ok: false,
            detail: missing.detail,
        });
        Self {
            is_ready: false,
            checks: missing.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_and_a_no_are_understood_and_anything_else_is_not() {
        let yes = br#"{"status":"ready","checks":[{"name":"log","ok":true,"detail":"stands at 7"},{"name":"process","ok":true}]}"#;
        let yes = Readiness::parse(200, yes).expect("a yes");
        assert!(yes.is_ready && yes.checks.len() == 2 && yes.checks[0].detail == "stands at 7");
        let no =
            br#"{"type":"/problems/not-ready","status":503,"errors":[{"field":"bus","detail":"is away"}]}"#;
        let no = Readiness::parse(503, no).expect("a no");
        assert!(!no.is_ready && no.checks[0].name == "bus" && !no.checks[0].ok);
        for (status, body) in [(200, "<html>"), (503, "{}"), (404, "{}")] {
            assert_eq!(
                Readiness::parse(status, body.as_bytes()),
                Err(NoReadiness { status })
            );
        }
    }
}
