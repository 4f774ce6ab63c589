//! The stores of a process, opened: log, keys, views, model registry.

mod bus;
mod log;
mod models;
mod views;

use anyhow::Context;
use eventing::{EventLog, Keys};
use projectors::{Catalogues, DomainExecutor, ViewStore};
use workers::Registry;

pub(crate) use self::bus::broker;
pub(crate) use self::log::master_key;
pub(crate) use self::models::open as open_registry;
pub(crate) use self::views::redis_config;
use crate::settings::Settings;

/// Everything that a role or a tool works on.
#[derive(Clone)]
pub(crate) struct Stack {
    pub(crate) log: EventLog,
    pub(crate) keys: Keys,
    pub(crate) views: ViewStore,
    pub(crate) catalogues: Catalogues,
    pub(crate) executor: DomainExecutor,
    pub(crate) registry: Registry,
}

impl Stack {
    /// Opens log and keys where the settings say, and everything else in the data folder; makes what is not there.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data = &settings.data;
        std::fs::create_dir_all(data)
            .with_context(|| format!("the data folder {} cannot be made", data.display()))?;
        let (log, keys) = log::open(settings).await?;
        let views = views::open(settings, &keys).await?;
        let executor = DomainExecutor::new(log.clone(), keys.clone());
        let catalogues = Catalogues::new(log.clone());
        let registry = models::open(settings)?;
        Ok(Self {
            log,
            keys,
            views,
            catalogues,
            executor,
            registry,
        })
    }

    /// Which form each part took, for the start-up line.
    pub(crate) fn forms(settings: &Settings) -> anyhow::Result<String> {
        let form = |is_given: bool, given: &'static str, embedded: &'static str| {
            if is_given { given } else { embedded }
        };
        let hosts = &settings.hosts;
        Ok(format!(
            "log {}, bus {}, views {}, models {}",
            form(settings.database_url.is_some(), "PostgreSQL", "SQLite"),
            form(hosts.rabbitmq()?.is_some(), "RabbitMQ", "in process"),
            form(hosts.redis()?.is_some(), "Redis", "LMDB"),
            form(hosts.firestore().is_some(), "Firestore", "files"),
        ))
    }
}
