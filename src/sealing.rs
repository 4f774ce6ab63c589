//! The log's audit key, and what is signed with it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use clap::builder::BoolishValueParser;
use eventing::notes::SigningKey;
use eventing::sealer::{Sealer, SealerSettings};

use crate::settings::{Secret, Settings};
use crate::stack::Stack;

/// How the log is sealed.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Sealing {
    /// Key that signs checkpoints of the log, as `segue audit keygen` prints it. Made in the data folder when absent,
    /// unless DATABASE_URL is set: then nothing is signed.
    #[arg(
        long,
        env = "SEGUE_AUDIT_KEY",
        hide_env_values = true,
        value_name = "KEY",
        global = true
    )]
    pub(crate) audit_key: Option<Secret>,
    /// File that holds that key.
    #[arg(long, env = "SEGUE_AUDIT_KEY_FILE", value_name = "FILE", global = true)]
    pub(crate) audit_key_file: Option<PathBuf>,
    /// How often a checkpoint is signed when the log has moved; 0 signs only when one is asked for.
    #[arg(
        long = "checkpoint-interval",
        env = "SEGUE_CHECKPOINT_INTERVAL",
        default_value_t = 60,
        value_name = "SECONDS",
        global = true
    )]
    pub(crate) checkpoint_interval_s: u64,
    /// Works on a log that is shorter than a checkpoint that was given out, or is another one: forgets that one, and retires the
    /// key that signed it.
    #[arg(
        long,
        env = "SEGUE_ACCEPT_SHORTER_LOG",
        value_parser = BoolishValueParser::new(),
        global = true
    )]
    pub(crate) accept_shorter_log: bool,
}

impl Settings {
    /// The key that checkpoints are signed with: the one that is configured; with an embedded log, that of the data folder,
    /// which is made when there is none; with a database none, since one made here would be this process's own.
    pub(crate) fn audit_key(&self) -> anyhow::Result<Option<SigningKey>> {
        match self.configured_audit_key()? {
            Some(key) => Ok(Some(key)),
            None if self.database_url.is_some() => Ok(None),
            None => Ok(Some(SigningKey::load_or_create(&self.data)?)),
        }
    }

    /// The key that checkpoints are signed with, where the settings name one.
    pub(crate) fn configured_audit_key(&self) -> anyhow::Result<Option<SigningKey>> {
        let sealing = &self.sealing;
        match (&sealing.audit_key, &sealing.audit_key_file) {
            (Some(_), Some(_)) => {
                anyhow::bail!("SEGUE_AUDIT_KEY and SEGUE_AUDIT_KEY_FILE are both set; set one")
            }
            (Some(key), None) => SigningKey::parse(key.reveal())
                .map(Some)
                .context("SEGUE_AUDIT_KEY is not the key of a log"),
            (None, Some(file)) => SigningKey::from_file(file)
                .map(Some)
                .context("SEGUE_AUDIT_KEY_FILE cannot be used"),
            (None, None) => Ok(None),
        }
    }
}

/// A sealer of the stack's log, as the settings have it.
///
/// # Errors
/// Also when the key must not sign this log any more.
pub(crate) async fn sealer(stack: &Stack, settings: &Settings) -> anyhow::Result<Sealer> {
    let interval = settings.sealing.checkpoint_interval_s;
    let settings = SealerSettings {
        key: settings.audit_key()?,
        checkpoint_interval: (interval > 0).then(|| Duration::from_secs(interval)),
    };
    let sealer = Sealer::new(stack.log.clone(), stack.keys.clone(), settings);
    sealer.refuse_retired_key().await?;
    Ok(sealer)
}

#[cfg(test)]
mod tests {
    use eventing::notes::KEY_FILE;
    use eventing::testing::TempDir;

    use super::*;

    fn in_folder(dir: &TempDir) -> Settings {
        Settings::in_folder(dir.path())
    }

    #[test]
    fn an_embedded_log_gets_a_key_at_its_first_start_and_keeps_it() {
        let dir = TempDir::new();
        let key = || in_folder(&dir).audit_key().expect("a key").expect("one is made");
        assert_eq!(key().verifier(), key().verifier());
        assert!(dir.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_database_without_a_configured_key_signs_nothing() {
        let dir = TempDir::new();
        let settings = Settings {
            database_url: Some(Secret::from("postgres://nobody@127.0.0.1/none")),
            ..in_folder(&dir)
        };
        assert!(settings.audit_key().expect("no fault").is_none());
        assert!(!dir.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_configured_key_is_taken_and_a_wrong_one_is_not_shown() {
        let dir = TempDir::new();
        let key = SigningKey::generate("some-log").expect("a key");
        let with = |text: &str, file: Option<PathBuf>| {
            let sealing = Sealing {
                audit_key: Some(Secret::from(text)),
                audit_key_file: file,
                ..Sealing::default()
            };
            Settings {
                sealing,
                ..in_folder(&dir)
            }
            .audit_key()
        };
        let taken = with(&key.text(), None).expect("a key").expect("it is given");
        assert_eq!(taken.verifier(), key.verifier());
        let refusal = format!("{:#}", with("PRIVATE+KEY+hunter2", None).expect_err("no key"));
        assert!(
            refusal.contains("SEGUE_AUDIT_KEY") && !refusal.contains("hunter2"),
            "{refusal}"
        );
        let both = with(&key.text(), Some(dir.path().join("some.key")));
        assert!(both.expect_err("which one?").to_string().contains("both set"));
    }
}
