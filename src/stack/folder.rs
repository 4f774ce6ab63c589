//! The data folder: made where it is not there, and kept from being replaced while it is in use.

use std::path::Path;

use anyhow::Context;
use eventing::backup::FolderLock;

/// Takes part in using the folder `data`: nothing replaces it until the lock is dropped.
///
/// # Errors
/// While a restore replaces it, or if it cannot be made.
pub(crate) fn use_folder(data: &Path) -> anyhow::Result<FolderLock> {
    std::fs::create_dir_all(data)
        .with_context(|| format!("the data folder {} cannot be made", data.display()))?;
    FolderLock::using(data)?
        .with_context(|| format!("{} is being restored: wait until it is", data.display()))
}
