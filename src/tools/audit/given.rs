//! Keys and files that the command line names.

use std::path::Path;

use anyhow::Context;
use eventing::notes::{KEY_FILE, SigningKey, VerifierKey, read_verifier_key};

use crate::sealing;
use crate::settings::Settings;

/// The public key that `given` is, or that the file of this name holds.
pub(super) fn public_key(given: &str) -> anyhow::Result<VerifierKey> {
    match given.parse() {
        Ok(key) => Ok(key),
        // A name with a plus that is no file is a key that was mistyped.
        Err(error) if given.contains('+') && !Path::new(given).exists() => {
            Err(error).with_context(|| format!("{given} is neither a file nor a public key"))
        }
        Err(_) => Ok(read_verifier_key(given)?),
    }
}

/// The log's key, which must be there, since something is to be signed.
pub(super) fn signing_key(settings: &Settings) -> anyhow::Result<SigningKey> {
    settings.audit_key()?.context(
        "there is no key to sign with: set SEGUE_AUDIT_KEY or SEGUE_AUDIT_KEY_FILE; `segue audit keygen` makes one",
    )
}

/// The log's key where there is one. None is made.
pub(super) fn known_key(settings: &Settings) -> anyhow::Result<Option<VerifierKey>> {
    let sealing::Sealing {
        audit_key,
        audit_key_file,
        ..
    } = &settings.sealing;
    let would_be_made = audit_key.is_none()
        && audit_key_file.is_none()
        && settings.database_url.is_none()
        && !settings.data.join(KEY_FILE).exists();
    if would_be_made {
        return Ok(None);
    }
    Ok(settings.audit_key()?.map(|key| key.verifier()))
}

/// The bytes of the file `path`.
pub(super) fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
