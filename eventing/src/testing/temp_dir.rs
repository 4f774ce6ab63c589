//! A folder that lasts as long as a test.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ids::EventId;

/// A new folder in the system's place for temporary files, removed when this is dropped.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes the folder.
    ///
    /// # Panics
    /// If it cannot be made: a test has nothing to do then.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default folder would be a different one every time"
    )]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("segue-{}", EventId::new()));
        fs::create_dir_all(&path).expect("a folder for a test");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A folder that is left behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
