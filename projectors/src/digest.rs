//! Digests over all views of a generation.

use domain::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    ProjectionKind, ViewError, ViewStore,
    store::{EmbeddedSnapshot, Frozen, Generation, Table},
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

/// The digests of a projection's live views. Blocks, and copies the views first when they lie in Redis; beside a working
/// projector those are not all of one moment.
///
/// # Errors
/// See [`ViewError`].
pub fn digest(store: &ViewStore, kind: ProjectionKind) -> Result<Digests, ViewError> {
    let frozen = store.frozen_live(&[kind.name()])?;
    let live = frozen.snapshot.live(kind.name())?;
    let live = live.filter(|live| live.revision == kind.revision());
    let live = live.ok_or(ViewError::NotBuilt(kind.name()))?;
    digest_of(&frozen.snapshot, live.generation)
}

/// The digests of two generations, each on a thread of its own.
pub(crate) fn digests_of(
    live: (&EmbeddedSnapshot, Generation),
    fresh: (Frozen, Generation),
) -> Result<(Digests, Digests, Frozen), ViewError> {
    std::thread::scope(|scope| {
        let fresh = scope.spawn(move || {
            let (frozen, generation) = fresh;
            let digests = digest_of(&frozen.snapshot, generation)?;
            Ok::<_, ViewError>((digests, frozen))
        });
        let live = digest_of(live.0, live.1)?;
        let fresh = fresh.join();
        let (fresh, frozen) = fresh.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((live, fresh, frozen))
    })
}

pub(crate) fn digest_of(snapshot: &EmbeddedSnapshot, generation: Generation) -> Result<Digests, ViewError> {
    Ok(Digests {
        views: table_digest(snapshot, Table::Views, generation)?,
        entries: table_digest(snapshot, Table::Entries, generation)?,
        lookups: table_digest(snapshot, Table::Lookups, generation)?,
    })
}

fn table_digest(
    snapshot: &EmbeddedSnapshot,
    table: Table,
    generation: Generation,
) -> Result<Digest, ViewError> {
    let mut hasher = Sha256::new();
    for row in snapshot.rows(table, generation)? {
        let (key, value) = row?;
        let value = snapshot.sealing().open_row(table, key, value)?;
        for part in [key, &*value] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}
