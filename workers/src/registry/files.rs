//! The registry as a folder: one file `<digest>.json` for each model, one file `current-<number>` for each move of the
//! pointer.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use domain::Digest;

use super::{Current, Entry, Generation, RegistryError};

/// A folder of models.
#[derive(Clone, Debug)]
pub struct Files {
    dir: PathBuf,
}

impl Files {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) async fn put(&self, model: Bytes) -> Result<Digest, RegistryError> {
        let this = self.clone();
        blocking(move || this.put_now(&model)).await
    }

    pub(super) async fn get(&self, model: Digest) -> Result<Option<Bytes>, RegistryError> {
        let this = self.clone();
        blocking(move || this.get_now(model)).await
    }

    pub(super) async fn list(&self) -> Result<Vec<Entry>, RegistryError> {
        let this = self.clone();
        blocking(move || this.list_now()).await
    }

    pub(super) async fn current(&self) -> Result<Option<Current>, RegistryError> {
        let this = self.clone();
        blocking(move || this.current_now()).await
    }

    /// Records a move of the pointer; false when there is one of this number.
    pub(super) async fn create_move(&self, to: Current) -> Result<bool, RegistryError> {
        let this = self.clone();
        blocking(move || {
            let path = this.dir.join(to.generation.record_name());
            let created = this.create(&path, to.model.to_string().as_bytes());
            created.map_err(RegistryError::unavailable)
        })
        .await
    }

    fn put_now(&self, model: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::of(model);
        if self.get_now(digest)?.is_none() {
            // Somebody else may be faster; the same name means the same bytes.
            self.create(&self.path_of(digest), model)
                .map_err(RegistryError::unavailable)?;
        }
        Ok(digest)
    }

    fn get_now(&self, digest: Digest) -> Result<Option<Bytes>, RegistryError> {
        match read(&self.path_of(digest))? {
            Some(bytes) if Digest::of(&bytes) == digest => Ok(Some(bytes.into())),
            Some(_) => Err(RegistryError::damaged(digest, "its bytes have another digest")),
            None => Ok(None),
        }
    }

    fn list_now(&self) -> Result<Vec<Entry>, RegistryError> {
        let mut entries = Vec::new();
        for digest in self.names()?.iter().filter_map(|name| digest_of(name)) {
            entries.push(self.entry(digest).map_err(RegistryError::unavailable)?);
        }
        Ok(entries)
    }

    fn entry(&self, digest: Digest) -> io::Result<Entry> {
        let path = self.path_of(digest);
        let created_at = fs::metadata(&path)?.modified()?.into();
        Ok(Entry::describe(digest, &fs::read(path)?, created_at))
    }

    fn current_now(&self) -> Result<Option<Current>, RegistryError> {
        let names = self.names()?;
        let moves = names.iter().filter_map(|name| Generation::of_record(name));
        let Some(generation) = moves.max() else {
            return Ok(None);
        };
        let record = read(&self.dir.join(generation.record_name()))?.unwrap_or_default();
        let model = std::str::from_utf8(&record)
            .ok()
            .and_then(|text| Digest::parse(text).ok())
            .ok_or(RegistryError::PointerDamaged(generation))?;
        Ok(Some(Current { generation, model }))
    }

    fn names(&self) -> Result<Vec<String>, RegistryError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(RegistryError::unavailable)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(RegistryError::unavailable)?.file_name();
            names.extend(name.into_string());
        }
        Ok(names)
    }

    /// Writes beside, then links: a file of this name is whole or not there, and is never replaced. False when there
    /// was one.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<bool> {
        fs::create_dir_all(&self.dir)?;
        let draft = self.dir.join(draft_name());
        let linked = write_durably(&draft, bytes).and_then(|()| fs::hard_link(&draft, path));
        let _ = fs::remove_file(&draft);
        let created = match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            other => other.map(|()| true)?,
        };
        File::open(&self.dir)?.sync_all()?;
        Ok(created)
    }

    fn path_of(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.json"))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, RegistryError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some).map_err(RegistryError::unavailable),
    }
}

fn digest_of(file_name: &str) -> Option<Digest> {
    Digest::parse(file_name.strip_suffix(".json")?).ok()
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name that no other draft of any living process has.
fn draft_name() -> String {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let draft = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let id = eventing::EventId::new();
    format!("draft-{id}-{draft}")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(RegistryError::unavailable)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_beside_a_model_that_was_kept_twice() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().join("models"));
        let digest = files.put_now(b"{\"model\":1}").unwrap();
        assert_eq!(files.put_now(b"{\"model\":1}").unwrap(), digest);
        assert_eq!(files.names().unwrap(), [format!("{digest}.json")]);
    }
}
