//! A log that was restored, and so is signed with another key than before.

use anyhow::{Context, Result, ensure};
use bench::server::Program;
use eventing::notes::SigningKey;
use eventing::sealer::{Sealer, SealerSettings};
use eventing::{EventLog, Keys, LogConfig, MasterKey};
use serde_json::Value;

use crate::history::{Instance, text};

/// Signs the whole log, as a server does on its schedule: nothing is recorded by it.
async fn sign(instance: &Instance) -> Result<u64> {
    let data = instance.program.data();
    let keys = Keys::open(data, MasterKey::load_or_create(data)?).await?;
    let log = EventLog::open(LogConfig::new(data)).await?;
    let settings = SealerSettings {
        key: Some(SigningKey::load_or_create(data)?),
        checkpoint_interval: None,
    };
    let head = log.head().await?;
    Sealer::new(log, keys, settings).seal(head).await?;
    Ok(head.0)
}

/// What a backup of `instance` gives in an empty folder.
async fn restored(instance: &Instance) -> Result<Instance> {
    let backup = instance.file("backup");
    let out = ["backup", "--out", text(&backup), "--with-master-key"];
    instance.program.tool(&out, "").await?;
    let folder = tempfile::TempDir::with_prefix("segue-audit-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program.tool(&["restore", text(&backup)], "").await?;
    Ok(Instance { folder, program })
}

fn kind(report: &Value) -> &str {
    report["fault"]["kind"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_is_signed_anew_as_it_stands_and_what_was_signed_before_verifies_with_its_key()
-> Result<()> {
    let before = Instance::with(20).await?;
    let older_key = before.public_key().await?;
    let (old, earlier) = (before.file("old.note"), before.file("earlier.ndjson"));
    std::fs::write(&old, before.done(&["checkpoint"]).await?)?;
    before.done(&["export", "--out", text(&earlier)]).await?;
    let head = sign(&before).await?;

    let now = restored(&before).await?;
    let printed = now.done(&["checkpoint"]).await?;
    let key = now.public_key().await?;
    ensure!(key != older_key, "the key goes on");
    let said: Vec<&str> = printed.lines().take(2).collect();
    let origin = key.split('+').next().context("a name")?;
    ensure!(said == [origin, &head.to_string()], "{printed}");
    let (status, report) = now.json(&["verify"]).await?;
    ensure!(status == 0 && report["live"]["published"] == head, "{report}");
    let (status, report) = now.json(&["verify", "--checkpoint", text(&old)]).await?;
    ensure!(status == 0 && report["old_checkpoint"] == 20, "{report}");

    let file = now.file("log.ndjson");
    now.done(&["export", "--out", text(&file)]).await?;
    let against = ["verify", text(&file), "--key", &key, "--checkpoint", text(&old)];
    let (status, report) = now.json(&against).await?;
    ensure!((status, kind(&report)) == (7, "inconsistent"), "{report}");
    let key_file = now.file("older.pub");
    std::fs::write(&key_file, format!("{older_key}\n"))?;
    for given in [&older_key, text(&key_file)] {
        let (status, report) = now
            .json(&[&against[..], &["--older-key", given]].concat())
            .await?;
        ensure!(status == 0 && report["old_checkpoint"] == 20, "{report}");
    }

    // An export that the key of before signed is not one of the present key's.
    let (status, report) = now
        .json(&["verify", text(&earlier), "--key", &key, "--older-key", &older_key])
        .await?;
    ensure!((status, kind(&report)) == (7, "inconsistent"), "{report}");
    let by_its_own = [
        "verify",
        text(&earlier),
        "--key",
        &older_key,
        "--checkpoint",
        text(&old),
    ];
    let (status, report) = now.json(&by_its_own).await?;
    ensure!(status == 0 && report["old_checkpoint"] == 20, "{report}");
    Ok(())
}
