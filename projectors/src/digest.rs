//! Digests over all views of a generation.

use domain::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    ProjectionKind, ViewError, ViewStore,
    folding::live_generation,
    store::{Generation, Snapshot, Table},
};

/// SHA-256 over every row of a generation in key order, key and value each behind its length. Equal views give equal
/// digests, in whatever store and generation they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// Over views: stream, version, position, head.
    pub views: Digest,
    /// Over their entries.
    pub entries: Digest,
    /// Over the lookups that lead to them.
    pub lookups: Digest,
}

/// The digests of a projection's live views.
///
/// # Errors
/// See [`ViewError`].
pub fn digest(store: &ViewStore, kind: ProjectionKind) -> Result<Digests, ViewError> {
    let snapshot = store.snapshot()?;
    let generation = live_generation(&snapshot, kind)?;
    digest_of(&snapshot, generation)
}

pub(crate) fn digest_of(snapshot: &Snapshot, generation: Generation) -> Result<Digests, ViewError> {
    Ok(Digests {
        views: table_digest(snapshot, Table::Views, generation)?,
        entries: table_digest(snapshot, Table::Entries, generation)?,
        lookups: table_digest(snapshot, Table::Lookups, generation)?,
    })
}

fn table_digest(snapshot: &Snapshot, table: Table, generation: Generation) -> Result<Digest, ViewError> {
    let mut hasher = Sha256::new();
    for row in snapshot.rows(table, generation)? {
        let (key, value) = row?;
        for part in [key, value] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}
