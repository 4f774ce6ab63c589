//! Copies of an embedded log and its keys: made beside running processes, checked before they are put in place.
//!
//! A copy is one consistent state of its file. The log is copied first and the keys after it: a key is made before the first
//! record that is sealed under it, so the copy lacks none that is needed but of people who were erased in between, which it
//! knows. Nothing that was deleted is in a copy, since its pages are written anew.

pub use crate::keys::backup::{Kept, copy_keys, keep_known, open_copied, published_size, retire_audit_keys};
pub use crate::log::backup::{BackupError, Copied, FolderLock, Stop, Verified, copy_log, verify};
