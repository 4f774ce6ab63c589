//! The stores of a process, opened: log, keys, views, model registry.
//!
//! Whoever works on an instance opens it here, and so takes part in using its data folder and has its log compared with what
//! was signed of it before anything is appended.

mod bus;
mod folder;
mod history;
mod log;
mod models;
mod views;

use std::sync::Arc;

use eventing::backup::FolderLock;
use eventing::{EventLog, Keys};
use projectors::{Catalogues, DomainExecutor, ViewStore};
use workers::Registry;

pub(crate) use self::bus::broker;
pub(crate) use self::folder::use_folder;
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
    _in_use: Arc<FolderLock>,
}

/// Opens the log alone, for a tool that needs nothing else. It is refused as by [`Stack::open`].
pub(crate) async fn open_log(settings: &Settings) -> anyhow::Result<(EventLog, FolderLock)> {
    let in_use = use_folder(&settings.data)?;
    let (log, keys) = log::open(settings).await?;
    history::refuse_other(&log, &keys, settings).await?;
    Ok((log, in_use))
}

impl Stack {
    /// Opens log and keys where the settings say, and everything else in the data folder; makes what is not there.
    ///
    /// # Errors
    /// Also when the log is shorter than a checkpoint that was given out, or contradicts it, and the settings do not accept
    /// that; or when the folder is being restored.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let stack = Self::open_as_it_is(settings).await?;
        history::refuse_other(&stack.log, &stack.keys, settings).await?;
        Ok(stack)
    }

    /// The same with whatever log is there, for whoever judges it: nothing may be appended before it is found sound.
    pub(crate) async fn open_as_it_is(settings: &Settings) -> anyhow::Result<Self> {
        let in_use = use_folder(&settings.data)?;
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
            _in_use: Arc::new(in_use),
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
