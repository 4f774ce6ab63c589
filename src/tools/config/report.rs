//! What is printed.

use serde::Serialize;

use super::connect::Connection;
use super::finding::{Finding, Severity};
use super::given::{Effective, Given, Source, Value};
use crate::output::{counted, table};

/// What stands in the place of a secret.
const MASKED: &str = "(set, not shown)";

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether the program would start so.
    pub(super) ok: bool,
    settings: Vec<Shown>,
    parts: Vec<Part>,
    /// What the servers answered; empty when none was asked.
    connections: Vec<Connection>,
    findings: Vec<Finding>,
}

/// One setting.
#[derive(Debug, Serialize)]
struct Shown {
    environment: String,
    flag: Option<String>,
    /// Its text; a secret is masked.
    value: Option<String>,
    source: Source,
}

/// One part, and the form that it takes.
#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    form: &'static str,
    is_embedded: bool,
}

impl Report {
    pub(super) fn new(
        given: &Given,
        effective: &Effective,
        findings: Vec<Finding>,
        connections: Vec<Connection>,
    ) -> Self {
        Self {
            ok: findings.iter().all(|finding| finding.severity != Severity::Error),
            settings: given.values.iter().map(Shown::from).collect(),
            parts: parts(effective),
            connections,
            findings,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.settings_text(), self.parts_text());
        for connection in &self.connections {
            let ok = if connection.ok {
                "answers"
            } else {
                "cannot be used"
            };
            text += &format!("\n{} {ok}: {}", connection.part, connection.detail);
        }
        if !self.connections.is_empty() {
            text.push('\n');
        }
        for finding in &self.findings {
            text += &format!("\n{}: {}", finding.severity.as_str(), finding.problem);
        }
        text + "\n" + &self.sum()
    }

    fn settings_text(&self) -> String {
        let rows: Vec<_> = self.settings.iter().map(Shown::row).collect();
        table(&["setting", "value", "from"], &rows)
    }

    fn parts_text(&self) -> String {
        let row = |part: &Part| {
            let where_it_is = if part.is_embedded {
                "embedded"
            } else {
                "production"
            };
            [part.name, part.form, where_it_is].map(str::to_owned).to_vec()
        };
        let rows: Vec<_> = self.parts.iter().map(row).collect();
        table(&["part", "form", ""], &rows)
    }

    fn sum(&self) -> String {
        let count = |severity| {
            self.findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count() as u64
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        match (errors, warnings) {
            (0, 0) => "nothing is wrong".to_owned(),
            _ => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
        }
    }
}

impl From<&Value> for Shown {
    fn from(value: &Value) -> Self {
        let masked = (value.is_secret && value.source != Source::Unset).then(|| MASKED.to_owned());
        Self {
            environment: value.name.clone(),
            flag: value.flag.as_ref().map(|flag| format!("--{flag}")),
            value: masked.or_else(|| value.shown()),
            source: value.source,
        }
    }
}

impl Shown {
    fn row(&self) -> Vec<String> {
        let value = self.value.as_deref().unwrap_or("-");
        [&self.environment, value, self.source.as_str()]
            .map(str::to_owned)
            .to_vec()
    }
}

/// A part whose settings contradict each other is to be elsewhere.
fn parts(effective: &Effective) -> Vec<Part> {
    let settings = &effective.settings;
    let hosts = &settings.hosts;
    let has_database = settings.database_url.is_some() || effective.is_unreadable("DATABASE_URL");
    let part = |name, is_elsewhere: bool, [embedded, elsewhere]: [&'static str; 2]| Part {
        name,
        form: if is_elsewhere { elsewhere } else { embedded },
        is_embedded: !is_elsewhere,
    };
    vec![
        part("log", has_database, ["SQLite", "PostgreSQL"]),
        part("keys", has_database, ["SQLite", "PostgreSQL"]),
        part(
            "bus",
            !matches!(hosts.rabbitmq(), Ok(None)),
            ["in process", "RabbitMQ"],
        ),
        part("views", !matches!(hosts.redis(), Ok(None)), ["LMDB", "Redis"]),
        part("models", hosts.firestore().is_some(), ["files", "Firestore"]),
    ]
}
