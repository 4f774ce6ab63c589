//! The log and the subject keys: files in the data folder, or a database.

use std::path::Path;

use eventing::{EventLog, Keys, LogConfig, MasterKey, PostgresConfig};

use crate::settings::{Secret, Settings};

/// Opens both, and makes files that are not there.
pub(super) async fn open(settings: &Settings) -> anyhow::Result<(EventLog, Keys)> {
    match &settings.database_url {
        Some(url) => open_database(settings, url).await,
        None => open_files(settings).await,
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

/// The master key that the settings name; made in the data folder when they name none.
pub(crate) fn master_key(settings: &Settings) -> anyhow::Result<MasterKey> {
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
