//! The registry of base models: a folder, or Firestore.

use workers::Registry;
#[cfg(feature = "production")]
use workers::registry::FirestoreConfig;

use crate::hosts::Firestore;
use crate::settings::Settings;

/// Connects with the first request: a registry that is away stops no start.
pub(crate) fn open(settings: &Settings) -> anyhow::Result<Registry> {
    match settings.hosts.firestore() {
        Some(firestore) => in_firestore(firestore),
        None => Ok(Registry::files(settings.data.join("models"))),
    }
}

#[cfg(feature = "production")]
fn in_firestore(firestore: Firestore<'_>) -> anyhow::Result<Registry> {
    let config = FirestoreConfig::new(firestore.project);
    Ok(Registry::firestore(match firestore.emulator {
        Some(host) => config.emulator(host),
        None => config,
    }))
}

#[cfg(not(feature = "production"))]
fn in_firestore(firestore: Firestore<'_>) -> anyhow::Result<Registry> {
    let Firestore { project, emulator } = firestore;
    let which = emulator.map_or_else(
        || format!("project {project}"),
        |host| format!("the emulator at {host}"),
    );
    anyhow::bail!(
        "FIRESTORE_PROJECT is set ({which}), and this program was built without Firestore: build it with `--features production`"
    )
}
