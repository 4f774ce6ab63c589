//! What a backup says of itself: `manifest.json`, written last.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) const MANIFEST: &str = "manifest.json";
/// The form of the folder. Another form gets another name.
pub(crate) const FORMAT: &str = "segue-backup-1";

/// The files of a backup, and what is in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: String,
    /// When it was made.
    pub(crate) made_at: DateTime<Utc>,
    /// The position of the last record in it.
    pub(crate) log_head: u64,
    /// Whether it opens by itself.
    pub(crate) has_master_key: bool,
    /// Every file but this one, by name.
    pub(crate) files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Its place in the folder.
    pub(crate) path: PathBuf,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub(crate) sha256: String,
}

impl Manifest {
    /// Reads the manifest of the backup in `dir`.
    ///
    /// # Errors
    /// When there is none, or it is another program's, or a path in it leads out of the folder.
    pub(crate) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(MANIFEST);
        let text = fs::read(&path).with_context(|| {
            format!(
                "{} is no backup: {} cannot be read",
                dir.display(),
                path.display()
            )
        })?;
        let manifest: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not the manifest of a backup", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "{} has the form {:?}, this program knows {FORMAT:?}",
            path.display(),
            manifest.format
        );
        for entry in &manifest.files {
            let is_inside = entry
                .path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            ensure!(
                is_inside && entry.path.components().count() > 0,
                "{} names {}, which is no file of a backup",
                path.display(),
                entry.path.display()
            );
        }
        Ok(manifest)
    }

    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        Ok(fs::write(dir.join(MANIFEST), serde_json::to_vec_pretty(self)?)?)
    }
}

/// Every file in `dir` and its folders, by name.
pub(super) fn describe(dir: &Path) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    gather(dir, Path::new(""), &mut entries)?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn gather(dir: &Path, inside: &Path, entries: &mut Vec<Entry>) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let place = inside.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &place, entries)?;
            continue;
        }
        let (size, sha256) = digest_of(File::open(entry.path())?, &mut io::sink())?;
        entries.push(Entry {
            path: place,
            size,
            sha256,
        });
    }
    Ok(())
}

/// Length and SHA-256 of what is read, which is written to `copy` on the way.
pub(crate) fn digest_of(mut from: impl Read, copy: &mut impl io::Write) -> io::Result<(u64, String)> {
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex::encode(hash.finalize())));
        }
        hash.update(&buffer[..read]);
        copy.write_all(&buffer[..read])?;
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_leads_out_of_its_folder_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        for path in ["../log.db", "/etc/passwd", "models/../../x", ""] {
            let manifest = Manifest {
                format: FORMAT.to_owned(),
                made_at: DateTime::UNIX_EPOCH,
                log_head: 0,
                has_master_key: false,
                files: vec![Entry {
                    path: path.into(),
                    size: 0,
                    sha256: String::new(),
                }],
            };
            manifest.write(dir.path()).expect("it is written");
            let refused = Manifest::read(dir.path()).expect_err("it leads out");
            assert!(refused.to_string().contains("no file of a backup"), "{refused}");
        }
    }
}
