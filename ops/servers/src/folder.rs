//! Where a server keeps its files.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::ServerError;

/// A server's folder: a temporary one that goes away with this value, or one that somebody chose and that stays.
#[derive(Debug)]
pub enum Folder {
    /// Deleted on drop.
    Temporary(TempDir),
    /// Left as it is.
    Kept(PathBuf),
}

impl Folder {
    /// A new temporary folder.
    ///
    /// # Errors
    /// - `Io`: none can be made.
    pub fn temporary() -> Result<Self, ServerError> {
        Self::temporary_in(&std::env::temp_dir())
    }

    /// A new temporary folder in the folder at `path`.
    ///
    /// # Errors
    /// - `Io`: none can be made.
    pub fn temporary_in(path: &Path) -> Result<Self, ServerError> {
        let made = tempfile::Builder::new().prefix("segue-").tempdir_in(path);
        made.map(Self::Temporary)
            .map_err(|error| ServerError::io(format!("no temporary folder in {}", path.display()), error))
    }

    /// The folder at `path`, made if it does not exist.
    ///
    /// # Errors
    /// - `Io`: it cannot be made.
    pub fn kept(path: impl Into<PathBuf>) -> Result<Self, ServerError> {
        let path = path.into();
        std::fs::create_dir_all(&path)
            .map_err(|error| ServerError::io(format!("cannot make {}", path.display()), error))?;
        Ok(Self::Kept(path))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(path) => path,
        }
    }
}
