//! Whole generations in key order, for digests and comparisons.

use tempfile::TempDir;

use super::{Adapter, EmbeddedSnapshot, Generation, Snapshot, ViewError, ViewStore, embedded::Embedded};

/// Generations that no longer change.
///
/// From LMDB they are of one moment. From Redis they are copied: each view with its entries is of one moment, none of
/// an earlier one than the checkpoints, and the lookups are of moments of their own.
pub(crate) struct Frozen {
    pub(crate) snapshot: EmbeddedSnapshot,
    _dir: Option<TempDir>,
}

impl ViewStore {
    /// These generations, frozen.
    pub(crate) fn frozen(&self, generations: &[Generation]) -> Result<Frozen, ViewError> {
        self.freeze(self.snapshot()?, generations)
    }

    /// The live generations of `projections`, frozen.
    pub(crate) fn frozen_live(&self, projections: &[&'static str]) -> Result<Frozen, ViewError> {
        let snapshot = self.snapshot()?;
        let live = projections.iter().map(|projection| snapshot.live(projection));
        let live = live.collect::<Result<Vec<_>, _>>()?;
        let live: Vec<_> = live.into_iter().flatten().map(|live| live.generation).collect();
        self.freeze(snapshot, &live)
    }

    /// `snapshot` is older than what is copied, so no view is behind its checkpoints.
    fn freeze(&self, snapshot: Snapshot, generations: &[Generation]) -> Result<Frozen, ViewError> {
        let (views, snapshot) = match (&self.inner.adapter, snapshot) {
            (_, Snapshot::Embedded(snapshot)) => return Ok(Frozen { snapshot, _dir: None }),
            (Adapter::Redis(views), Snapshot::Redis(snapshot)) => (views, snapshot),
            (Adapter::Embedded(_), Snapshot::Redis(_)) => {
                return Err(ViewError::unavailable("a snapshot of another store"));
            }
        };
        let dir = tempfile::tempdir().map_err(ViewError::unavailable)?;
        let scratch = Embedded::open_scratch(dir.path())?.sealed_as(self.sealing());
        views.copy_to(&scratch, &snapshot, generations)?;
        Ok(Frozen {
            snapshot: scratch.snapshot()?,
            _dir: Some(dir),
        })
    }
}
