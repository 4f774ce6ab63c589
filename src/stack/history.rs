//! Refuses a log that is not the one that a checkpoint was given out of.

use std::fs;

use anyhow::{Context, ensure};
use eventing::notes::{KEY_FILE, SignedCheckpoint, VerifierKey};
use eventing::sealer::{LostHistory, refuse_lost_history};
use eventing::{EventLog, Keys};

use crate::settings::Settings;

/// Refuses to go on with a log that is shorter than a checkpoint that was given out, or contradicts it, unless a person wants
/// it: then that checkpoint is forgotten, the key that signed it is retired, and it is said loudly. Nothing may be appended
/// before this.
pub(super) async fn refuse_other(log: &EventLog, keys: &Keys, settings: &Settings) -> anyhow::Result<()> {
    let lost = match refuse_lost_history(log, keys).await {
        Ok(()) => return Ok(()),
        Err(lost @ (LostHistory::Shorter { .. } | LostHistory::Other { .. })) => lost,
        Err(error) => return Err(error.into()),
    };
    ensure!(
        settings.sealing.accept_shorter_log,
        "{lost}: it was put back to an older state, or a part of it is lost. Put the newer log back; or go on with what there is, \
         with --accept-shorter-log or SEGUE_ACCEPT_SHORTER_LOG=1: whoever keeps an older checkpoint will notice. Nothing was changed"
    );
    let retired = match keys.published_checkpoint().await? {
        Some(published) => retire_signer(&published, keys, settings).await?,
        None => None,
    };
    keys.forget_published_checkpoint().await?;
    let by = retired.map_or_else(String::new, |key| {
        format!(" The key {key} signed it and is retired.")
    });
    tracing::warn!(
        "A SHORTER LOG WAS ACCEPTED: {lost}. That checkpoint is forgotten here, and whoever keeps it can show that history was lost.{by}"
    );
    Ok(())
}

/// Retires the present audit key if it signed `published`: it must not sign a history that contradicts that. One in the data
/// folder is removed, so that the next use makes a new one; one that is configured is refused from now on.
async fn retire_signer(
    published: &SignedCheckpoint,
    keys: &Keys,
    settings: &Settings,
) -> anyhow::Result<Option<VerifierKey>> {
    let Some(key) = settings.audit_key()?.map(|key| key.verifier()) else {
        return Ok(None);
    };
    if published.verify(&key).is_err() {
        return Ok(None);
    }
    keys.retire_audit_key(&key).await?;
    if settings.configured_audit_key()?.is_none() {
        let file = settings.data.join(KEY_FILE);
        fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
    }
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use eventing::notes::{Checkpoint, SigningKey};
    use eventing::testing::TempDir;

    use super::*;
    use crate::sealing;
    use crate::settings::Secret;
    use crate::stack::Stack;

    /// An empty instance that has given out a checkpoint of seven records, signed with the key of its settings.
    async fn shorter(settings: &Settings) {
        let stack = Stack::open(settings).await.expect("nothing was given out");
        let key = settings.audit_key().expect("no fault").expect("a key");
        let given_out = Checkpoint::new(key.name(), 7, [1; 32]).and_then(|checkpoint| checkpoint.sign(&key));
        let given_out = given_out.expect("signed");
        stack
            .keys
            .publish_checkpoint(&given_out)
            .await
            .expect("it is remembered");
    }

    async fn refusal(settings: &Settings) -> String {
        Stack::open(settings)
            .await
            .err()
            .expect("it is refused")
            .to_string()
    }

    #[tokio::test]
    async fn a_shorter_log_is_refused_with_both_sizes_and_the_remedy_until_it_is_accepted() {
        let dir = TempDir::new();
        let mut settings = Settings::in_folder(dir.path());
        shorter(&settings).await;
        let refusal = refusal(&settings).await;
        for part in [
            "holds 0 records",
            "7 records",
            "--accept-shorter-log",
            "SEGUE_ACCEPT_SHORTER_LOG=1",
        ] {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }
        settings.sealing.accept_shorter_log = true;
        Stack::open(&settings).await.expect("it is accepted");
        settings.sealing.accept_shorter_log = false;
        Stack::open(&settings).await.expect("and stays so");
    }

    #[tokio::test]
    async fn the_key_in_the_folder_that_signed_a_longer_log_makes_way_for_a_new_one() {
        let dir = TempDir::new();
        let mut settings = Settings::in_folder(dir.path());
        shorter(&settings).await;
        let old = settings.audit_key().expect("no fault").expect("a key").verifier();
        settings.sealing.accept_shorter_log = true;
        let stack = Stack::open(&settings).await.expect("it is accepted");
        let sealer = sealing::sealer(&stack, &settings)
            .await
            .expect("a new key may sign");
        assert_ne!(sealer.verifier().as_ref(), Some(&old));
        let retired = stack.keys.retired_audit_keys().await.expect("an answer");
        assert_eq!(retired, [old]);
    }

    #[tokio::test]
    async fn a_configured_key_that_signed_a_longer_log_signs_nothing_more() {
        let dir = TempDir::new();
        let mut settings = Settings::in_folder(dir.path());
        let give = |settings: &mut Settings, key: &SigningKey| {
            settings.sealing.audit_key = Some(Secret::from(key.text().as_str()));
        };
        give(&mut settings, &SigningKey::generate("some-log").expect("a key"));
        shorter(&settings).await;
        settings.sealing.accept_shorter_log = true;
        let stack = Stack::open(&settings).await.expect("it is accepted");
        let refused = sealing::sealer(&stack, &settings)
            .await
            .expect_err("it is retired");
        assert!(refused.to_string().contains("segue audit keygen"), "{refused}");
        give(&mut settings, &SigningKey::generate("next-log").expect("a key"));
        sealing::sealer(&stack, &settings)
            .await
            .expect("another one may sign");
    }
}
