//! The stores of a process, opened: log, keys, views, model registry.

use std::path::Path;

use anyhow::Context;
use eventing::{EventLog, Keys, LogConfig, MasterKey, PostgresConfig};
use projectors::{Catalogues, DomainExecutor, ViewStore};
use workers::Registry;

use crate::settings::{Secret, Settings};

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
        let (log, keys) = match &settings.database_url {
            Some(url) => open_database(settings, url).await?,
            None => open_files(settings).await?,
        };
        let views = open_views(&data.join("views"), &keys)?;
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
    pub(crate) fn forms(settings: &Settings) -> String {
        let log = match &settings.database_url {
            Some(_) => "PostgreSQL",
            None => "SQLite",
        };
        format!("log {log}, bus in process, views LMDB, models files")
    }
}

async fn open_files(settings: &Settings) -> anyhow::Result<(EventLog, Keys)> {
    let data = &settings.data;
    refuse_lost_keys(data)?;
    let keys = Keys::open(data, master_key(settings)?).await?;
    let log = EventLog::open(LogConfig::new(data)).await?;
    Ok((log, keys))
}

/// Processes that share a log share its keys, so the master key must be given: one made in a data folder would be one
/// process's own.
async fn open_database(settings: &Settings, url: &Secret) -> anyhow::Result<(EventLog, Keys)> {
    anyhow::ensure!(
        settings.master_key.is_some() || settings.master_key_file.is_some(),
        "DATABASE_URL is set, and SEGUE_MASTER_KEY or SEGUE_MASTER_KEY_FILE is not: every process on a database needs the same master key"
    );
    let config = PostgresConfig::parse(url.reveal())?;
    let log = EventLog::open_postgres(config.clone()).await?;
    let keys = Keys::open_postgres(config, master_key(settings)?).await?;
    Ok((log, keys))
}

/// Views say which log they were folded from: those of another one would be taken for this one's.
fn open_views(dir: &Path, keys: &Keys) -> anyhow::Result<ViewStore> {
    let views = ViewStore::open(dir)?;
    let (marker, identity) = (dir.join("log"), hex(&keys.hmac("segue views", b"log")));
    match std::fs::read_to_string(&marker) {
        Ok(found) if found == identity => {}
        Ok(_) => anyhow::bail!(
            "{} holds views of another log: give each log a data folder of its own, or delete that folder to have them folded again",
            dir.display()
        ),
        Err(_) => write_whole(&marker, &identity)
            .with_context(|| format!("{} cannot be written", marker.display()))?,
    }
    Ok(views)
}

/// A crash leaves the file as a whole or not at all.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension(uuid::Uuid::now_v7().to_string());
    std::fs::write(&draft, text)?;
    std::fs::rename(draft, path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        (Some(hex), None) => MasterKey::from_hex(hex.reveal())?,
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
    async fn views_of_another_log_are_refused() {
        let (here, elsewhere) = (TempDir::new(), TempDir::new());
        let keys = async |dir: &TempDir| {
            let master = MasterKey::load_or_create(dir.path()).expect("a master key");
            Keys::open(dir.path(), master).await.expect("the keys open")
        };
        let views = here.path().join("views");
        for _ in 0..2 {
            open_views(&views, &keys(&here).await).expect("they are this log's");
        }
        let refusal = open_views(&views, &keys(&elsewhere).await).expect_err("they are another log's");
        assert!(refusal.to_string().contains("another log"), "{refusal}");
    }

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
