//! `segue restore`: checks a backup, every record of its log included, and puts it into the data folder as a whole.
//!
//! Nothing in the data folder changes before everything is checked. Views are not in a backup: the next start folds them.
//! It also erases again whoever the present folder knows to be forgotten and the restored log does not
//! (`command_api::erasure::finish`).

mod audit_key;
mod checks;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chrono::Utc;
use eventing::MasterKey;
use eventing::backup::{self, Stop};
use serde::Serialize;

use crate::Outcome;
use crate::cli::RestoreArguments;
use crate::output::{Output, Progress};
use crate::settings::Settings;
use crate::tools::backup::{
    AUDIT_KEY, Draft, Manifest, copy_if_there, digest_of, interruptible, refuse_database,
};

/// What was restored.
#[derive(Serialize)]
struct Restored {
    /// The position of the last record.
    log_head: u64,
    /// When the backup was made.
    made_at: chrono::DateTime<Utc>,
    /// People whom the folder that was replaced knew to be forgotten, and the backup did not.
    forgotten_since: u64,
    /// Where the folder that was replaced lies now.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<PathBuf>,
    /// Whether the master key of these keys is at hand.
    has_master_key: bool,
    /// Public keys that signed this log until now, and must not any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retired_audit_keys: Vec<String>,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    arguments: RestoreArguments,
) -> anyhow::Result<Outcome> {
    refuse_database(settings)?;
    let manifest = Manifest::read(&arguments.from)?;
    let data = &settings.data;
    let is_used = checks::is_used(data)?;
    ensure!(
        !is_used || arguments.replace,
        "{} is in use: say --replace to put the backup in its place; nothing was changed",
        data.display()
    );
    let _alone = is_used.then(|| checks::refuse_used(data)).transpose()?;
    let draft = Draft::beside(data)?;
    let stop = Stop::default();
    let checking = check(&arguments.from, &draft.path, &manifest, &stop);
    interruptible(tokio::task::spawn_blocking(checking), &stop, said(&stop)).await?;
    let known = match is_used {
        true => keep_what_is_known(settings, &draft.path, &manifest)?,
        false => Known {
            forgotten_since: 0,
            // What was signed after the backup was made is not known here.
            continues: arguments.keep_audit_key,
        },
    };
    let retired = match known.continues {
        true => Vec::new(),
        false => audit_key::retire(settings, &draft.path)?,
    };
    let has_master_key = checks::master_key(settings, &draft.path)?;
    let replaced = is_used.then(|| name_aside(data)).transpose()?;
    match &replaced {
        Some(aside) => draft.replace(data, aside)?,
        None => draft.become_whole(data)?,
    }
    let restored = Restored {
        log_head: manifest.log_head,
        made_at: manifest.made_at,
        forgotten_since: known.forgotten_since,
        replaced,
        has_master_key,
        retired_audit_keys: retired.iter().map(ToString::to_string).collect(),
    };
    output.print(&restored, |restored| text(restored, data))?;
    Ok(Outcome::Done)
}

fn text(restored: &Restored, data: &Path) -> String {
    let mut text = format!(
        "{} holds the log up to position {}, as it was at {}",
        data.display(),
        restored.log_head,
        restored
            .made_at
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    );
    if restored.forgotten_since > 0 {
        text += &format!(
            "; the next start erases {} people again",
            restored.forgotten_since
        );
    }
    if let Some(replaced) = &restored.replaced {
        text += &format!(
            "\nWhat was there lies in {}. Remove it once it is not needed: people who are erased from now on are not erased in it.",
            replaced.display()
        );
    }
    if !restored.has_master_key {
        text += "\nThe master key is not in the backup: give it with SEGUE_MASTER_KEY_FILE, or as master.key in the folder.";
    }
    for key in &restored.retired_audit_keys {
        text += &format!(
            "\nThe audit key {key} may have signed records that are not here, and is retired: another one signs from now on. Keep this public half for what it signed."
        );
    }
    text
}

/// Copies every file and checks it, and then the log record by record.
fn check(
    from: &Path,
    to: &Path,
    manifest: &Manifest,
    stop: &Stop,
) -> impl FnOnce() -> anyhow::Result<()> + Send + 'static {
    let (from, to, manifest, stop) = (from.to_owned(), to.to_owned(), manifest.clone(), stop.clone());
    move || {
        for entry in &manifest.files {
            let (source, target) = (from.join(&entry.path), to.join(&entry.path));
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            let opened = File::open(&source)
                .with_context(|| format!("{} is missing from the backup", entry.path.display()))?;
            let copied = digest_of(opened, &mut File::create(&target)?)
                .with_context(|| format!("{} cannot be copied", source.display()))?;
            ensure!(
                copied == (entry.size, entry.sha256.clone()),
                "{} is not what the backup's manifest says: {} bytes with SHA-256 {}; nothing was changed",
                entry.path.display(),
                copied.0,
                copied.1
            );
        }
        let verified = backup::verify(&to.join("log.db"), &stop)?;
        ensure!(
            verified.head.get() == manifest.log_head,
            "the log ends at position {}, the manifest says {}; nothing was changed",
            verified.head,
            manifest.log_head
        );
        Ok(())
    }
}

fn said(stop: &Stop) -> impl FnMut() {
    let mut progress = Progress::of("records checked");
    let stop = stop.clone();
    move || progress.at(stop.checked())
}

/// What the present folder told of the past.
struct Known {
    /// People whom it knew to be forgotten, and the backup did not.
    forgotten_since: u64,
    /// Whether the backup's log reaches as far as every checkpoint that was given out.
    continues: bool,
}

/// Adds to the restored folder what the present one knows and a backup may lack: who is forgotten, what was signed, and keys.
fn keep_what_is_known(settings: &Settings, restored: &Path, manifest: &Manifest) -> anyhow::Result<Known> {
    let data = &settings.data;
    // The present key is the one that signs; one in the backup may have been retired since.
    copy_if_there(&data.join(AUDIT_KEY), &restored.join(AUDIT_KEY))?;
    let master_key = MasterKey::path_in(restored);
    if !master_key.exists() {
        copy_if_there(&MasterKey::path_in(data), &master_key)?;
    }
    if !eventing::Keys::is_in(data) {
        return Ok(Known {
            forgotten_since: 0,
            continues: false,
        });
    }
    let is_shorter = checks::is_shorter_than_published(data, manifest.log_head)?;
    if let (Some(published), false) = (is_shorter, settings.sealing.accept_shorter_log) {
        anyhow::bail!(
            "the backup's log ends at position {}, and a checkpoint of {published} records was given out: what auditors were told of would be lost. \
             Say --accept-shorter-log if that is meant; nothing was changed",
            manifest.log_head
        );
    }
    Ok(Known {
        forgotten_since: backup::keep_known(data, restored, is_shorter.is_none())?.forgotten,
        continues: is_shorter.is_none(),
    })
}

/// A name for the folder that is replaced, which is free.
fn name_aside(data: &Path) -> anyhow::Result<PathBuf> {
    let name = data
        .file_name()
        .context("the data folder has no name")?
        .to_string_lossy();
    let time = Utc::now().format("%Y%m%dT%H%M%S%6f");
    Ok(data.with_file_name(format!("{name}.replaced-{time}")))
}
