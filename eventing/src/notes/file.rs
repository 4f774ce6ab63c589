//! Files of keys: one line of note key text. Secret ones have mode 0600 and are never overwritten.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::key::{InvalidKey, Kind, SecretKey, SigningKey, VerifierKey, new_origin};

/// The name of the log's key in the data folder.
pub const KEY_FILE: &str = "audit.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is there, and a key is never overwritten.
    #[error("{0} is there already, and a key is never overwritten")]
    Exists(PathBuf),
    /// The file could not be read or made.
    #[error("cannot read or make the key {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file holds something else. What it holds is not in the error.
    #[error("{path} does not hold a key")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: InvalidKey,
    },
}

impl<K: Kind> SecretKey<K> {
    /// Reads the key in the file `path`.
    ///
    /// # Errors
    /// [`KeyFileError`] if the file cannot be read or holds something else.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        read(path.as_ref(), Self::parse)
    }

    /// Writes the key to the new file `path`.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] if there is one already, which stays as it is.
    pub fn write_new(&self, path: impl AsRef<Path>) -> Result<(), KeyFileError> {
        write_new(path.as_ref(), &self.text())
    }
}

impl SigningKey {
    /// Reads the key `audit.key` in the folder `dir`, or makes it with a [new origin](new_origin) at the first start.
    /// Processes that start at the same time end up with the same key.
    ///
    /// # Errors
    /// [`KeyFileError`] if the file cannot be read or made, or holds something else.
    pub fn load_or_create(dir: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = dir.as_ref().join(KEY_FILE);
        if !path.exists() {
            let origin = new_origin();
            let key = Self::generate(&origin).map_err(|cause| invalid(&path, cause))?;
            match key.write_new(&path) {
                Ok(()) | Err(KeyFileError::Exists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Self::from_file(&path)
    }
}

/// Reads the public key in the file `path`.
///
/// # Errors
/// [`KeyFileError`] if the file cannot be read or holds something else.
pub fn read_verifier_key(path: impl AsRef<Path>) -> Result<VerifierKey, KeyFileError> {
    read(path.as_ref(), str::parse)
}

fn read<K>(path: &Path, parse: impl Fn(&str) -> Result<K, InvalidKey>) -> Result<K, KeyFileError> {
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|cause| failed(path, cause))?;
    parse(&text).map_err(|cause| invalid(path, cause))
}

/// Writes the key beside its place and links it there: it is there as a whole, and the first one stays.
fn write_new(path: &Path, text: &str) -> Result<(), KeyFileError> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match link_new(dir, path, text) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists(path.to_owned()))
        }
        written => written.map_err(|cause| failed(path, cause)),
    }
}

fn link_new(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let draft = dir.join(format!(".{}.key", uuid::Uuid::from_bytes(super::key::random())));
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    linked.and_then(|()| fs::File::open(dir)?.sync_all())
}

fn failed(path: &Path, cause: io::Error) -> KeyFileError {
    KeyFileError::File {
        path: path.to_owned(),
        cause,
    }
}

fn invalid(path: &Path, cause: InvalidKey) -> KeyFileError {
    KeyFileError::Invalid {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::notes::WitnessKey;
    use crate::testing::TempDir;

    #[test]
    fn the_first_start_makes_a_key_that_later_starts_read() {
        let dir = TempDir::new();
        let data = dir.path().join("data");
        let first = SigningKey::load_or_create(&data).expect("a key");
        let second = SigningKey::load_or_create(&data).expect("a key");
        assert_eq!(first.text(), second.text());
        assert!(first.name().starts_with("segue-"));
        let file = fs::metadata(data.join(KEY_FILE)).expect("the file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(&data).expect("the folder").count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let dir = TempDir::new();
        let path = dir.path().join("w.key");
        let witness = WitnessKey::generate("witness").expect("a key");
        witness.write_new(&path).expect("written");
        let other = WitnessKey::generate("other").expect("a key");
        assert!(matches!(other.write_new(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(WitnessKey::from_file(&path).expect("a key").name(), "witness");
        assert_eq!(
            fs::read_dir(dir.path()).expect("the folder").count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn a_file_that_holds_something_else_is_refused_and_not_shown() {
        let dir = TempDir::new();
        let path = dir.path().join("some.key");
        fs::write(&path, "a secret that is no key").expect("written");
        let error = SigningKey::from_file(&path).expect_err("no key");
        assert!(matches!(error, KeyFileError::Invalid { .. }));
        assert!(!format!("{error} {error:?}").contains("secret that"));
        assert!(matches!(
            SigningKey::from_file(dir.path().join("none")),
            Err(KeyFileError::File { .. })
        ));
        let witness = WitnessKey::generate("witness").expect("a key");
        let public = dir.path().join("w.pub");
        fs::write(&public, format!("{}\n", witness.verifier())).expect("written");
        assert_eq!(read_verifier_key(&public).expect("a key"), witness.verifier());
    }
}
