//! The views: a folder, or a Redis.

use eventing::Keys;
use projectors::{RedisConfig, ViewStore};

use crate::settings::Settings;

/// Views say which log they were folded from: those of another one would be taken for this one's.
pub(super) async fn open(settings: &Settings, keys: &Keys) -> anyhow::Result<ViewStore> {
    let identity = hex(&keys.hmac("segue views", b"log"));
    let (folder, redis) = (settings.data.join("views"), redis_config(settings)?);
    let keys = keys.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let views = match redis {
            Some(config) => ViewStore::redis(config)?,
            None => ViewStore::open(folder)?,
        };
        views.claim(&identity)?;
        anyhow::Ok(views.sealed_with(keys))
    });
    opening.await?
}

/// Where the views are, when they are in a Redis.
///
/// # Errors
/// As [`Hosts::redis`](crate::hosts::Hosts::redis).
pub(crate) fn redis_config(settings: &Settings) -> anyhow::Result<Option<RedisConfig>> {
    let config = settings.hosts.redis()?.map(|redis| {
        let password = redis.password.map(|password| password.reveal().to_owned());
        RedisConfig::new(redis.host, redis.port)
            .with_password(password)
            .with_prefix(redis.prefix)
    });
    Ok(config)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventing::MasterKey;
    use eventing::testing::TempDir;

    #[tokio::test]
    async fn views_of_another_log_are_refused() {
        let (here, elsewhere) = (TempDir::new(), TempDir::new());
        let keys = async |dir: &TempDir| {
            let master = MasterKey::load_or_create(dir.path()).expect("a master key");
            Keys::open(dir.path(), master).await.expect("the keys open")
        };
        let settings = Settings::in_folder(here.path());
        for _ in 0..2 {
            let opened = open(&settings, &keys(&here).await).await;
            opened.expect("they are this log's");
        }
        let refusal = open(&settings, &keys(&elsewhere).await).await;
        let refusal = refusal.expect_err("they are another log's");
        assert!(refusal.to_string().contains("another log"), "{refusal}");
    }
}
