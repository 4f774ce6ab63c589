//! `segue restore`: checks a backup, every record of its log included, and puts it into the data folder as a whole.
//!
//! Nothing in the data folder changes before everything is checked. Views are not in a backup: the next start folds them.
//! It also erases again whoever the present folder knows to be forgotten and the restored log does not
//! (`command_api::erasure::finish`).

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
use crate::output::{Output, Progress, remark};
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
    let _alone = is_used.then(|| checks::refuse_served(data)).transpose()?;
    let draft = Draft::beside(data)?;
    let stop = Stop::default();
    let checking = check(&arguments.from, &draft.path, &manifest, &stop);
    interruptible(tokio::task::spawn_blocking(checking), &stop, said(&stop)).await?;
    let accepts_shorter = settings.sealing.accept_shorter_log;
    let forgotten_since = match is_used {
        true => keep_what_is_known(data, &draft.path, &manifest, accepts_shorter)?,
        false => 0,
    };
    let has_master_key = checks::master_key(settings, &draft.path)?;
    let replaced = is_used.then(|| step_aside(data)).transpose()?;
    if !is_used && data.exists() {
        fs::remove_dir(data).with_context(|| format!("{} cannot be replaced", data.display()))?;
    }
    if let Err(error) = draft.become_whole(data) {
        put_back(replaced.as_deref(), data)?;
        return Err(error);
    }
    let restored = Restored {
        log_head: manifest.log_head,
        made_at: manifest.made_at,
        forgotten_since,
        replaced,
        has_master_key,
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

/// What the present folder knows and a backup may lack: who is forgotten, and keys that were left out of it.
fn keep_what_is_known(
    data: &Path,
    restored: &Path,
    manifest: &Manifest,
    accepts_shorter: bool,
) -> anyhow::Result<u64> {
    for name in [AUDIT_KEY.into(), MasterKey::path_in("")] {
        let (present, target) = (data.join(&name), restored.join(&name));
        if !target.exists() {
            copy_if_there(&present, &target)?;
        }
    }
    if !eventing::Keys::is_in(data) {
        return Ok(0);
    }
    let is_shorter = checks::is_shorter_than_published(data, manifest.log_head)?;
    if let (Some(published), false) = (is_shorter, accepts_shorter) {
        anyhow::bail!(
            "the backup's log ends at position {}, and a checkpoint of {published} records was given out: what auditors were told of would be lost. \
             Say --accept-shorter-log if that is meant; nothing was changed",
            manifest.log_head
        );
    }
    Ok(backup::keep_known(data, restored, is_shorter.is_none())?.forgotten)
}

/// Gives the data folder another name, which is free.
fn step_aside(data: &Path) -> anyhow::Result<PathBuf> {
    let name = data
        .file_name()
        .context("the data folder has no name")?
        .to_string_lossy();
    let aside = data.with_file_name(format!(
        "{name}.replaced-{}",
        Utc::now().format("%Y%m%dT%H%M%S%6f")
    ));
    fs::rename(data, &aside).with_context(|| {
        format!(
            "{} cannot be replaced: it must be a folder that can be renamed, not a mount point; nothing was changed",
            data.display()
        )
    })?;
    Ok(aside)
}

fn put_back(replaced: Option<&Path>, data: &Path) -> anyhow::Result<()> {
    let Some(replaced) = replaced else {
        return Ok(());
    };
    remark("the backup could not be put in place; what was there is put back");
    fs::rename(replaced, data).with_context(|| format!("what was there lies in {} now", replaced.display()))
}
