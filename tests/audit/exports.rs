//! Exports, and what verifying one or the live log exits with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::history::{Instance, append, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_once_and_its_public_half_is_printed() -> Result<()> {
    let instance = Instance::with(1).await?;
    let file = instance.file("some.key");
    let make = ["keygen", "--origin", "some-log", "--out", text(&file)];
    let public = instance.done(&make).await?;
    assert!(public.starts_with("some-log+"), "{public}");
    let secret = std::fs::read_to_string(&file)?;
    assert!(secret.starts_with("PRIVATE+KEY+some-log+"));
    assert_eq!(std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o600);

    let (status, _, said) = instance.audit(&make).await?;
    assert_eq!(status, 1);
    assert!(said.contains("never overwritten"), "{said}");
    assert_eq!(std::fs::read_to_string(&file)?, secret);

    let in_data = instance.done(&["keygen"]).await?;
    assert!(in_data.starts_with("segue-"), "{in_data}");
    assert_eq!(in_data.trim_end(), instance.public_key().await?);
    let (status, _, _) = instance.audit(&["keygen", "--witness"]).await?;
    assert_eq!(status, 2, "a witness has a name and a file of its own");
    let (status, _, said) = instance.audit(&["keygen", "--origin", "a b"]).await?;
    assert_eq!(status, 1);
    assert!(said.contains("name"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_verifies_with_the_logs_key_and_says_when_it_had_none() -> Result<()> {
    let instance = Instance::with(300).await?;
    let key = instance.public_key().await?;
    for name in ["log.ndjson", "log.ndjson.gz"] {
        let file = instance.file(name);
        instance.done(&["export", "--out", text(&file)]).await?;
        let (status, report) = instance.json(&["verify", text(&file), "--key", &key]).await?;
        assert_eq!(
            (status, &report["verified"], &report["key_given"]),
            (0, &true.into(), &true.into())
        );
        // Each export is recorded, and before it is signed or after it.
        let records = report["records"].as_u64().context("a number")?;
        assert!(records >= 300, "{report}");
        let (status, out, said) = instance.audit(&["verify", text(&file)]).await?;
        assert_eq!(status, 0, "{out}");
        assert!(said.contains("NOT WHO MADE IT"), "{said}");
    }
    let plain = std::fs::metadata(instance.file("log.ndjson"))?.len();
    let packed = std::fs::metadata(instance.file("log.ndjson.gz"))?.len();
    assert!(packed * 2 < plain, "{packed} of {plain}");

    let printed = instance.done(&["export", "--out", "-", "--until", "10"]).await?;
    assert_eq!(printed.lines().count(), 12);
    let file = instance.file("ten.ndjson");
    std::fs::write(&file, printed)?;
    let key_file = instance.file("log.pub");
    std::fs::write(&key_file, format!("{key}\n"))?;
    let (status, report) = instance
        .json(&["verify", text(&file), "--key", text(&key_file)])
        .await?;
    assert_eq!((status, &report["records"]), (0, &10.into()));

    let (status, _, said) = instance
        .audit(&["export", "--out", text(&file), "--until", "5000"])
        .await?;
    assert_eq!(status, 1);
    assert!(said.contains("5000 is beyond the log"), "{said}");
    assert_eq!(
        std::fs::read_dir(instance.folder.path())?.count(),
        5,
        "no draft is left"
    );
    Ok(())
}

/// What verifying `file` says: its exit status, and kind and position of the fault.
async fn fault(instance: &Instance, file: &Path, more: &[&str]) -> Result<(i32, String, Option<u64>)> {
    let (status, report) = instance.json(&[&["verify", text(file)], more].concat()).await?;
    anyhow::ensure!(report["verified"] == false, "{report}");
    let kind = report["fault"]["kind"].as_str().context("a kind")?.to_owned();
    let message = report["fault"]["message"].as_str().context("a message")?;
    anyhow::ensure!(!message.is_empty(), "{report}");
    Ok((status, kind, report["fault"]["position"].as_u64()))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_fault_has_an_exit_status_of_its_own() -> Result<()> {
    let instance = Instance::with(20).await?;
    let key = instance.public_key().await?;
    let sound = instance.file("log.ndjson");
    instance.done(&["export", "--out", text(&sound)]).await?;
    let bytes = std::fs::read(&sound)?;
    let file = instance.file("changed.ndjson");
    let with_key = ["--key", key.as_str()];
    let changed = async |bytes: &[u8]| {
        std::fs::write(&file, bytes)?;
        fault(&instance, &file, &with_key).await
    };
    let found = |status, kind: &str, position| (status, kind.to_owned(), position);

    assert_eq!(
        changed(b"track_id,name\n1,x\n").await?,
        found(3, "unreadable", None)
    );
    assert_eq!(changed(b"").await?, found(3, "unreadable", None));
    assert_eq!(
        changed(b"{\"segue_export\":9}\n").await?,
        found(3, "unreadable", None)
    );
    let record = lines(&bytes)[7].clone();
    let mut damaged = bytes.clone();
    damaged[record.start + 30] ^= 1;
    assert_eq!(changed(&damaged).await?, found(4, "corrupt", Some(7)));
    assert_eq!(
        changed(&bytes[..record.start + 30]).await?,
        found(5, "truncated", Some(7))
    );
    let none = instance.file("none.ndjson");
    assert_eq!(fault(&instance, &none, &[]).await?, found(3, "unreadable", None));

    let packed = instance.file("log.ndjson.gz");
    instance.done(&["export", "--out", text(&packed)]).await?;
    let packed = std::fs::read(&packed)?;
    let (status, kind, _) = changed(&packed[..packed.len() / 2]).await?;
    assert_eq!((status, kind.as_str()), (5, "truncated"));

    let other = Instance::with(20).await?;
    let other_key = other.public_key().await?;
    let (status, kind, _) = fault(&instance, &sound, &["--key", &other_key]).await?;
    assert_eq!(
        (status, kind.as_str()),
        (7, "inconsistent"),
        "a key of another log"
    );
    let namesake = instance.file("namesake.key");
    let origin = key.split('+').next().context("a name")?;
    let namesake = instance
        .done(&["keygen", "--origin", origin, "--out", text(&namesake)])
        .await?;
    let (status, kind, _) = fault(&instance, &sound, &["--key", namesake.trim_end()]).await?;
    assert_eq!((status, kind.as_str()), (6, "unsigned"));

    let old = instance.file("old.note");
    std::fs::write(&old, other.done(&["checkpoint"]).await?)?;
    let with_old = ["--key", key.as_str(), "--checkpoint", text(&old)];
    assert_eq!(
        fault(&instance, &sound, &with_old).await?,
        found(7, "inconsistent", None)
    );
    std::fs::write(&old, "a picture of a cat")?;
    assert_eq!(
        fault(&instance, &sound, &with_old).await?,
        found(3, "unreadable", None)
    );

    let (status, _, said) = instance.audit(&["verify", text(&sound), "--key", "a+b"]).await?;
    assert_eq!(status, 1);
    assert!(said.contains("neither a file nor a public key"), "{said}");
    let (status, _, _) = instance.audit(&["verify", "--position", "3"]).await?;
    assert_eq!(status, 2);
    Ok(())
}

/// Where each line lies, without its line feed.
fn lines(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| {
        let range = start..start + line.len();
        start = range.end + 1;
        range
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_begins_with_every_older_checkpoint_of_its_log() -> Result<()> {
    let instance = Instance::with(20).await?;
    let key = instance.public_key().await?;
    let old = instance.file("old.note");
    std::fs::write(&old, instance.done(&["checkpoint"]).await?)?;
    append(instance.program.data(), 300).await?;
    let file = instance.file("log.ndjson");
    instance.done(&["export", "--out", text(&file)]).await?;
    let against = ["--key", &key, "--checkpoint", text(&old)];
    let (status, report) = instance
        .json(&[&["verify", text(&file)], &against[..]].concat())
        .await?;
    assert_eq!((status, &report["old_checkpoint"]), (0, &20.into()), "{report}");
    let (status, report) = instance.json(&[&["verify"], &against[..]].concat()).await?;
    assert_eq!(
        (status, &report["old_checkpoint"]),
        (0, &20.into()),
        "the live log: {report}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_log_verifies_until_a_byte_of_its_file_changes() -> Result<()> {
    let instance = Instance::with(300).await?;
    instance.done(&["checkpoint"]).await?;
    let (status, report) = instance.json(&["verify"]).await?;
    assert_eq!((status, &report["verified"]), (0, &Value::Bool(true)));
    assert_eq!(report["live"]["checkpoints"], 1);

    let path = instance.program.data().join("log.db");
    let mut bytes = std::fs::read(&path)?;
    let needle = b"\"payload\":{\"n\":36}";
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .context("the record is in the file, and not in its write-ahead log")?;
    bytes[at + needle.len() - 2] = b'7';
    std::fs::write(&path, bytes)?;
    let (status, report) = instance.json(&["verify"]).await?;
    assert_eq!(
        (status, &report["fault"]["kind"]),
        (4, &"corrupt".into()),
        "{report}"
    );
    assert_eq!(report["fault"]["position"], 37);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_memory_of_what_was_signed_is_damage() -> Result<()> {
    let instance = Instance::with(20).await?;
    instance.done(&["checkpoint"]).await?;
    let key = instance.public_key().await?;
    let origin = key.split('+').next().context("a name")?;
    let path = instance.program.data().join("keys.db");
    let mut bytes = std::fs::read(&path)?;
    let first_line = format!("{origin}\n");
    let at = bytes
        .windows(first_line.len())
        .position(|window| window == first_line.as_bytes())
        .context("the note is in the file, and not in its write-ahead log")?;
    bytes[at + origin.len()] = b'x';
    std::fs::write(&path, bytes)?;
    let (status, report) = instance.json(&["verify"]).await?;
    assert_eq!(
        (status, &report["fault"]["kind"]),
        (4, &"corrupt".into()),
        "{report}"
    );
    let message = report["fault"]["message"].as_str().context("a message")?;
    assert!(message.contains("beside the keys"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_log_is_not_verified_and_stays_empty() -> Result<()> {
    let instance = Instance::with(1).await?;
    let empty = instance.file("empty");
    let (status, _, said) = instance.audit(&["verify", "--data", text(&empty)]).await?;
    assert_eq!(status, 1);
    assert!(said.contains("holds no log"), "{said}");
    assert!(!empty.exists());
    Ok(())
}
