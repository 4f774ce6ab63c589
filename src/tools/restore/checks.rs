//! What is looked at before a backup is put in place.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use eventing::MasterKey;
use eventing::backup::{self, FolderLock};

use crate::settings::Settings;
use crate::stack;

/// Whether there is anything in the data folder.
pub(super) fn is_used(data: &Path) -> anyhow::Result<bool> {
    match std::fs::read_dir(data) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", data.display())),
    }
}

/// A server or a tool would go on writing into the folder that steps aside: none may run, and none begin until this is dropped.
pub(super) fn refuse_used(data: &Path) -> anyhow::Result<FolderLock> {
    FolderLock::replacing(data)?.with_context(|| {
        format!(
            "a server or a tool works on {}: stop it first; nothing was changed",
            data.display()
        )
    })
}

/// The size of the checkpoint that the data folder knows to be given out, if a log that ends at `head` lacks some of it.
pub(super) fn is_shorter_than_published(data: &Path, head: u64) -> anyhow::Result<Option<u64>> {
    Ok(backup::published_size(data)?.filter(|published| *published > head))
}

/// Whether the master key is at hand; one that is must be that of the restored keys.
pub(super) fn master_key(settings: &Settings, restored: &Path) -> anyhow::Result<bool> {
    let is_given = settings.master_key.is_some() || settings.master_key_file.is_some();
    let in_folder = MasterKey::path_in(restored);
    if !is_given && !in_folder.exists() {
        return Ok(false);
    }
    let key = match is_given {
        true => stack::master_key(settings)?,
        false => MasterKey::from_file(in_folder)?,
    };
    backup::open_copied(restored, &key).context(
        "the master key at hand is not that of the backup's keys: give the right one; nothing was changed",
    )?;
    Ok(true)
}
