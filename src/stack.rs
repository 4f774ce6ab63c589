//! The stores of a process, opened: log, keys, views, model registry.

use anyhow::Context;
use eventing::{EventLog, Keys, LogConfig, MasterKey};
use projectors::{Catalogues, DomainExecutor, ViewStore};
use workers::Registry;

use crate::cli::Settings;

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
    /// Opens the stores in the data folder, and makes them if there are none.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data = &settings.data;
        std::fs::create_dir_all(data)
            .with_context(|| format!("the data folder {} cannot be made", data.display()))?;
        let keys = Keys::open(data, master_key(settings)?).await?;
        let log = EventLog::open(LogConfig::new(data)).await?;
        let views = ViewStore::open(data.join("views"))?;
        let executor = DomainExecutor::new(log.clone(), keys.clone());
        let catalogues = Catalogues::new(log.clone());
        let registry = Registry::files(data.join("models"));
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
    pub(crate) fn forms() -> &'static str {
        "log SQLite, bus in process, views LMDB, models files"
    }
}

fn master_key(settings: &Settings) -> anyhow::Result<MasterKey> {
    let key = match (&settings.master_key, &settings.master_key_file) {
        (Some(_), Some(_)) => {
            anyhow::bail!("SEGUE_MASTER_KEY and SEGUE_MASTER_KEY_FILE are both set; set one")
        }
        (Some(hex), None) => MasterKey::from_hex(hex)?,
        (None, Some(file)) => MasterKey::from_file(file)?,
        (None, None) => MasterKey::load_or_create(&settings.data)?,
    };
    Ok(key)
}
