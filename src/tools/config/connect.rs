//! Whether the servers that the settings name can be used. Each is asked something that changes nothing.

use std::time::Duration;

use anyhow::Context;
use eventing::bus::BusError;
use eventing::{EventLog, PostgresConfig};
use projectors::ViewStore;
use serde::Serialize;
use tokio::time::timeout;

use super::finding::Finding;
use super::given::Effective;
use crate::settings::Settings;
use crate::stack;

/// How long a server may take: longer than any client's own limit for one attempt.
const LIMIT: Duration = Duration::from_secs(6);

/// What came of asking one server.
#[derive(Debug, Serialize)]
pub(super) struct Connection {
    /// The part that it keeps.
    pub(super) part: &'static str,
    /// The setting that names it.
    setting: &'static str,
    /// Whether it can be used.
    pub(super) ok: bool,
    /// Where it stands, or what is wrong.
    pub(super) detail: String,
}

impl Connection {
    fn new(part: &'static str, setting: &'static str, asked: anyhow::Result<String>) -> Self {
        let ok = asked.is_ok();
        let detail = asked.unwrap_or_else(|error| told(&error));
        Self {
            part,
            setting,
            ok,
            detail,
        }
    }

    /// A server that cannot be used is wrong.
    pub(super) fn finding(&self) -> Option<Finding> {
        let problem = format!("{} cannot be used: {}", self.part, self.detail);
        (!self.ok).then(|| Finding::error(&[self.setting], problem))
    }
}

/// Asks all at the same time. Those whose settings make no sense are left out: that is told already.
pub(super) async fn all(effective: &Effective) -> Vec<Connection> {
    let settings = &effective.settings;
    let (log, bus, views, models) =
        tokio::join!(log(settings), bus(settings), views(settings), models(settings));
    [log, bus, views, models].into_iter().flatten().collect()
}

async fn log(settings: &Settings) -> Option<Connection> {
    let url = settings.database_url.as_ref()?;
    let config = PostgresConfig::parse(url.reveal()).ok()?;
    let asked = in_time(async {
        let log = EventLog::open_postgres(config).await?;
        Ok(format!("stands at {}", log.head().await?))
    });
    Some(Connection::new("log", "DATABASE_URL", asked.await))
}

async fn bus(settings: &Settings) -> Option<Connection> {
    let broker = settings.hosts.rabbitmq().ok()??;
    let bus = stack::broker(broker);
    let asked = in_time(async {
        let mut found = Vec::new();
        for queue in workers::topology().queues {
            found.push(match bus.depth(&queue.name).await {
                Ok(depth) => format!("{} holds {}", queue.name, depth.ready),
                // The next start declares it.
                Err(BusError::NotDeclared(name)) => format!("{name} is not declared yet"),
                Err(error) => return Err(error.into()),
            });
        }
        Ok(found.join(", "))
    });
    Some(Connection::new("bus", "RABBITMQ_HOST", asked.await))
}

async fn views(settings: &Settings) -> Option<Connection> {
    let config = stack::redis_config(settings).ok()??;
    let opening = tokio::task::spawn_blocking(move || ViewStore::redis(config).map(drop));
    let asked = in_time(async { Ok(opening.await?.map(|()| "answers".to_owned())?) });
    Some(Connection::new("views", "REDIS_HOST", asked.await))
}

async fn models(settings: &Settings) -> Option<Connection> {
    settings.hosts.firestore()?;
    // That it is not built in is told already.
    let registry = stack::open_registry(settings).ok()?;
    let asked = in_time(async {
        let models = registry.list().await?.len();
        Ok(format!(
            "holds {}",
            crate::output::counted(models as u64, "model")
        ))
    });
    Some(Connection::new("models", "FIRESTORE_PROJECT", asked.await))
}

async fn in_time(asking: impl Future<Output = anyhow::Result<String>>) -> anyhow::Result<String> {
    let asked = timeout(LIMIT, asking).await;
    asked.with_context(|| format!("no answer within {} s", LIMIT.as_secs()))?
}

/// An error with its causes, none said twice.
fn told(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.ends_with(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}
