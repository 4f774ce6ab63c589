//! What a witness remembers: the last checkpoint that it cosigned.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;
use eventing::merkle::Hash;
use eventing::notes::{SignedCheckpoint, VerifierKey};
use serde::{Deserialize, Serialize};

use crate::tools::audit::replace;

/// The version of the file.
const VERSION: u32 = 1;

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    segue_witness: u32,
    log_key: String,
    checkpoint: String,
}

/// The last checkpoint that was cosigned, and the key of its log.
#[derive(Debug, Clone)]
pub(super) struct State {
    log_key: VerifierKey,
    checkpoint: SignedCheckpoint,
}

impl State {
    pub(super) fn new(log_key: &VerifierKey, checkpoint: &SignedCheckpoint) -> Self {
        Self {
            log_key: log_key.clone(),
            checkpoint: checkpoint.clone(),
        }
    }

    pub(super) fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    pub(super) fn size(&self) -> u64 {
        self.checkpoint.checkpoint().size()
    }

    pub(super) fn root(&self) -> Hash {
        Hash(self.checkpoint.checkpoint().root())
    }
}

/// The file, held by this process alone until it is dropped: of two that cosign at once, one would not know what the other
/// said.
pub(super) struct StateFile {
    path: PathBuf,
    _lock: File,
}

impl StateFile {
    /// Takes the file `path`, or the place where it will be.
    pub(super) fn lock(path: &Path) -> anyhow::Result<Self> {
        // The state is replaced as a whole, so what is locked is a file beside it.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&beside)
            .with_context(|| format!("{} cannot be opened", Path::new(&beside).display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => {
                anyhow::bail!("another witness uses {}", path.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// What is remembered; nothing before the first time. A file that cannot be read is never taken for nothing: a witness
    /// that forgot what it said could contradict it.
    pub(super) fn read(&self) -> anyhow::Result<Option<State>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", self.path.display()));
            }
        };
        let state = parse(&text).with_context(|| {
            format!(
                "{} is not what a witness remembers; nothing was cosigned",
                self.path.display()
            )
        })?;
        Ok(Some(state))
    }

    /// Remembers `state`, durably.
    pub(super) fn write(&self, state: &State) -> anyhow::Result<()> {
        let written = Written {
            segue_witness: VERSION,
            log_key: state.log_key.to_string(),
            checkpoint: state.checkpoint.to_string(),
        };
        let mut text = serde_json::to_string_pretty(&written)?;
        text.push('\n');
        replace::write(&self.path, text.as_bytes())
    }
}

fn parse(text: &str) -> anyhow::Result<State> {
    let written: Written = serde_json::from_str(text)?;
    anyhow::ensure!(
        written.segue_witness == VERSION,
        "it is of version {}",
        written.segue_witness
    );
    let log_key: VerifierKey = written.log_key.parse()?;
    let checkpoint = SignedCheckpoint::parse(written.checkpoint.as_bytes())?;
    checkpoint.verify(&log_key)?;
    Ok(State { log_key, checkpoint })
}

#[cfg(test)]
mod tests {
    use eventing::notes::{Checkpoint, SigningKey};
    use tempfile::TempDir;

    use super::*;

    fn state() -> State {
        let key = SigningKey::generate("log").expect("a key");
        let signed = Checkpoint::new("log", 3, [1; 32])
            .and_then(|checkpoint| checkpoint.sign(&key))
            .expect("signed");
        State::new(&key.verifier(), &signed)
    }

    #[test]
    fn what_is_remembered_reads_back() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("state.json");
        let file = StateFile::lock(&path).expect("locked");
        assert!(file.read().expect("nothing yet").is_none());
        file.write(&state()).expect("written");
        let read = file.read().expect("read").expect("something");
        assert_eq!((read.size(), read.root()), (3, Hash([1; 32])));
    }

    #[test]
    fn one_witness_at_a_time_uses_a_state() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("state.json");
        let held = StateFile::lock(&path).expect("locked");
        let refusal = StateFile::lock(&path).err().expect("it is held").to_string();
        assert!(refusal.contains("another witness"), "{refusal}");
        drop(held);
        StateFile::lock(&path).expect("it is free again");
    }

    #[test]
    fn a_damaged_state_is_never_taken_for_none() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("state.json");
        let file = StateFile::lock(&path).expect("locked");
        file.write(&state()).expect("written");
        let sound = std::fs::read(&path).expect("the file");
        for at in 0..sound.len() {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).expect("changed");
            // A changed space between fields changes nothing; all else is refused or would be another state.
            if let Ok(read) = file.read() {
                let read = read.expect("never none");
                assert_eq!(read.size(), 3, "byte {at}");
            }
        }
        // Without the line feed at its end it is still whole.
        for at in 0..sound.len() - 1 {
            std::fs::write(&path, &sound[..at]).expect("cut");
            assert!(file.read().is_err(), "cut at {at}");
        }
    }
}
