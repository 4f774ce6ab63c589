//! Files that are there as a whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;

/// A draft beside `path`, which is deleted unless [`put`] puts it in its place.
pub(super) fn draft(path: &Path) -> anyhow::Result<NamedTempFile> {
    let folder = folder(path);
    NamedTempFile::with_prefix_in(".segue-", folder)
        .with_context(|| format!("{} cannot be written", folder.display()))
}

/// Makes a draft durable and puts it in the place of whatever is at `path`.
pub(super) fn put(draft: NamedTempFile, path: &Path) -> anyhow::Result<()> {
    let written = draft
        .as_file()
        .sync_all()
        .and_then(|()| draft.persist(path).map_err(|error| error.error))
        .and_then(|_| std::fs::File::open(folder(path))?.sync_all());
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Writes `bytes` to `path`.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = draft(path)?;
    file.write_all(bytes)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    put(file, path)
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
