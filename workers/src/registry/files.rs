//! The registry as a folder: one file `<digest>.json` for each model.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use domain::Digest;

use super::RegistryError;

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

    pub(super) async fn list(&self) -> Result<Vec<Digest>, RegistryError> {
        let this = self.clone();
        blocking(move || this.list_now()).await
    }

    fn put_now(&self, model: &[u8]) -> Result<Digest, RegistryError> {
        let digest = Digest::of(model);
        if self.get_now(digest)?.is_none() {
            self.create(&self.path_of(digest), model)
                .map_err(RegistryError::unavailable)?;
        }
        Ok(digest)
    }

    fn get_now(&self, digest: Digest) -> Result<Option<Bytes>, RegistryError> {
        match fs::read(self.path_of(digest)) {
            Ok(bytes) if Digest::of(&bytes) == digest => Ok(Some(bytes.into())),
            Ok(_) => Err(RegistryError::Damaged(digest)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RegistryError::unavailable(error)),
        }
    }

    fn list_now(&self) -> Result<Vec<Digest>, RegistryError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(RegistryError::unavailable)?,
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry.map_err(RegistryError::unavailable)?.file_name();
            digests.extend(name.to_str().and_then(digest_of));
        }
        digests.sort_unstable();
        Ok(digests)
    }

    /// Writes beside, then links: a file of this name is whole or not there, and is never replaced.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let draft = self.dir.join(draft_name());
        let linked = write_durably(&draft, bytes).and_then(|()| fs::hard_link(&draft, path));
        let _ = fs::remove_file(&draft);
        match linked {
            // Somebody else was faster; the same name means the same bytes.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        File::open(&self.dir)?.sync_all()
    }

    fn path_of(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.json"))
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

    fn registry() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().join("models"));
        (dir, files)
    }

    #[test]
    fn a_model_is_kept_under_its_digest_and_once() {
        let (_dir, files) = registry();
        assert_eq!(files.list_now().unwrap(), []);
        let digest = files.put_now(b"{\"model\":1}").unwrap();
        assert_eq!(files.put_now(b"{\"model\":1}").unwrap(), digest);
        assert_eq!(files.get_now(digest).unwrap().unwrap(), &b"{\"model\":1}"[..]);
        assert_eq!(files.list_now().unwrap(), [digest]);
        assert_eq!(
            fs::read_dir(&files.dir).unwrap().count(),
            1,
            "a draft was left behind"
        );
    }

    #[test]
    fn a_model_that_was_changed_is_not_handed_out() {
        let (_dir, files) = registry();
        let digest = files.put_now(b"{}").unwrap();
        fs::write(files.path_of(digest), b"{ }").unwrap();
        assert!(matches!(files.get_now(digest), Err(RegistryError::Damaged(named)) if named == digest));
    }

    #[test]
    fn a_model_that_is_not_here_is_absent() {
        let (_dir, files) = registry();
        assert!(files.get_now(Digest::of("nothing")).unwrap().is_none());
    }
}
