//! The master key: the one secret that all others are wrapped under.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The name of the file that [`MasterKey::load_or_create`] keeps.
const FILE: &str = "master.key";

/// The master key: 32 bytes, never shown.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is not a key.
    #[error("a master key is 64 hexadecimal digits")]
    Malformed,
    /// The file could not be read or made.
    #[error("cannot read or make the master key {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl MasterKey {
    /// Reads a key from 64 hexadecimal digits; space around them is ignored.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`] if it is something else. The text is not in the error.
    pub fn from_hex(text: &str) -> Result<Self, MasterKeyError> {
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut key[..]).map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self(key))
    }

    /// Reads a key from a file of 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`MasterKeyError`] if the file cannot be read or holds something else.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, MasterKeyError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|cause| file_error(path, cause))?;
        Self::from_hex(&text)
    }

    /// Reads the key `master.key` in the folder `dir`, or makes it (mode 0600) at the first start. Processes
    /// that start at the same time end up with the same key.
    ///
    /// # Errors
    /// [`MasterKeyError`] if the file cannot be read or made.
    pub fn load_or_create(dir: impl AsRef<Path>) -> Result<Self, MasterKeyError> {
        let path = dir.as_ref().join(FILE);
        if !path.exists() {
            create(dir.as_ref(), &path).map_err(|cause| file_error(&path, cause))?;
        }
        Self::from_file(&path)
    }

    /// Makes a new random key in `path` (mode 0600), which must not exist.
    ///
    /// # Errors
    /// [`MasterKeyError::File`] if it exists or cannot be made; then nothing is changed.
    pub fn create_file(path: impl AsRef<Path>) -> Result<Self, MasterKeyError> {
        let (path, key) = (path.as_ref(), Self::random());
        write_new(path, &key).map_err(|cause| file_error(path, cause))?;
        Ok(key)
    }

    /// Puts this key into the folder `dir` as its `master.key`, in place of the one that is there: at once, or not at all.
    ///
    /// # Errors
    /// [`MasterKeyError::File`]; then the one that was there stays.
    pub fn install(&self, dir: impl AsRef<Path>) -> Result<(), MasterKeyError> {
        let dir = dir.as_ref();
        let path = dir.join(FILE);
        let draft = draft_in(dir);
        let installed = write_new(&draft, self)
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| fs::File::open(dir)?.sync_all());
        installed.map_err(|cause| file_error(&path, cause))
    }

    /// Where the key of a data folder lies, whether there is one or not.
    #[must_use]
    pub fn path_in(dir: impl AsRef<Path>) -> PathBuf {
        dir.as_ref().join(FILE)
    }

    /// A new random key.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(super::sealing::random()))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn file_error(path: &Path, cause: io::Error) -> MasterKeyError {
    MasterKeyError::File {
        path: path.to_owned(),
        cause,
    }
}

/// Writes a new key beside its place and links it there: it is there as a whole, and the first one stays.
fn create(dir: &Path, path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let draft = draft_in(dir);
    let made = write_new(&draft, &MasterKey::random()).and_then(|()| link_once(&draft, path));
    fs::remove_file(&draft)?;
    made.and_then(|()| fs::File::open(dir)?.sync_all())
}

fn draft_in(dir: &Path) -> PathBuf {
    let unique = uuid::Uuid::from_bytes(super::sealing::random());
    dir.join(format!("{FILE}.{unique}"))
}

fn write_new(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let text = Zeroizing::new(hex::encode(key.bytes()));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())
}

fn link_once(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn the_first_start_makes_a_key_that_later_starts_read() {
        let dir = TempDir::new();
        let first = MasterKey::load_or_create(dir.path()).expect("a key");
        let second = MasterKey::load_or_create(dir.path()).expect("a key");
        assert_eq!(first.bytes(), second.bytes());
        let file = fs::metadata(dir.path().join(FILE)).expect("the file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(dir.path()).expect("the folder").count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn what_is_not_a_key_is_refused_and_never_shown() {
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(63)] {
            assert!(matches!(
                MasterKey::from_hex(text),
                Err(MasterKeyError::Malformed)
            ));
        }
        let key = MasterKey::from_hex(&format!(" {}\n", "ab".repeat(32))).expect("a key");
        assert_eq!(key.bytes(), &[0xab; 32]);
        assert!(!format!("{key:?}").contains("171"));
    }
}
