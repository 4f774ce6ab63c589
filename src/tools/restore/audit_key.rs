//! What becomes of the key that signed the log, when the log is put back to an older state.

use std::fs;
use std::path::Path;

use anyhow::Context;
use eventing::backup;
use eventing::notes::{SigningKey, VerifierKey};

use crate::settings::Settings;
use crate::tools::backup::AUDIT_KEY;

/// Retires every key that may have signed more than the restored log holds: the one in the restored folder, which is removed so
/// that the next start makes a new one, and the one that the settings name. A key that went on would sign two histories.
pub(super) fn retire(settings: &Settings, restored: &Path) -> anyhow::Result<Vec<VerifierKey>> {
    let file = restored.join(AUDIT_KEY);
    let mut retired = Vec::new();
    if file.exists() {
        retired.push(SigningKey::from_file(&file)?.verifier());
        fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
    }
    if let Some(key) = settings.configured_audit_key()? {
        retired.push(key.verifier());
    }
    backup::retire_audit_keys(restored, &retired)?;
    Ok(retired)
}
