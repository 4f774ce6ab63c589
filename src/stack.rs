//! The stores of a process, opened: log, keys, views, model registry.

use std::path::Path;

use anyhow::Context;
use eventing::{EventLog, Keys, LogConfig, MasterKey};
use projectors::{Catalogues, DomainExecutor, ViewStore};
use workers::Registry;

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
    /// Opens the stores in the data folder, and makes them if there are none.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data = &settings.data;
        std::fs::create_dir_all(data)
            .with_context(|| format!("the data folder {} cannot be made", data.display()))?;
        refuse_lost_keys(data)?;
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

/// Keys are made before the log is, so a log without keys has lost them. Going on with new ones would take everybody in
/// it for forgotten.
fn refuse_lost_keys(data: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        Keys::is_in(data) || !EventLog::is_in(data),
        "{} holds a log without its subject keys: put its keys.db back beside it; nothing was changed",
        data.display()
    );
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use eventing::testing::TempDir;

    #[tokio::test]
    async fn a_log_whose_keys_are_lost_is_refused_and_left_alone() {
        let dir = TempDir::new();
        refuse_lost_keys(dir.path()).expect("an empty folder is a first start");
        let master = MasterKey::load_or_create(dir.path()).expect("a master key");
        drop(Keys::open(dir.path(), master).await.expect("the keys open"));
        refuse_lost_keys(dir.path()).expect("a start that was cut short goes on");
        drop(
            EventLog::open(LogConfig::new(dir.path()))
                .await
                .expect("the log opens"),
        );
        refuse_lost_keys(dir.path()).expect("both are there");
        std::fs::remove_file(dir.path().join("keys.db")).expect("the keys are lost");
        let refusal = refuse_lost_keys(dir.path())
            .expect_err("it is refused")
            .to_string();
        assert!(refusal.contains("keys.db"), "{refusal}");
    }
}
