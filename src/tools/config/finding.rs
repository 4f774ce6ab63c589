//! What is wrong, or worth knowing.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Severity {
    /// The program would not start, or not do what is asked of it.
    Error,
    /// It would start; a person should look at it.
    Warning,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// The settings that it is about.
    pub(super) settings: Vec<String>,
    /// What it is and what helps. Without secrets.
    pub(super) problem: String,
}

impl Finding {
    pub(super) fn error(settings: &[&str], problem: impl Into<String>) -> Self {
        Self::new(Severity::Error, settings, problem.into())
    }

    pub(super) fn warning(settings: &[&str], problem: impl Into<String>) -> Self {
        Self::new(Severity::Warning, settings, problem.into())
    }

    fn new(severity: Severity, settings: &[&str], problem: String) -> Self {
        Self {
            severity,
            settings: settings.iter().map(ToString::to_string).collect(),
            problem,
        }
    }
}
