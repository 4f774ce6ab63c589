//! An empty store of its own, for folds that are compared or read and then thrown away.

use tempfile::TempDir;

use crate::{ProjectionKind, ViewError, ViewStore, store::Generation};

/// Deletes its folder when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) store: ViewStore,
    pub(crate) generations: Vec<(ProjectionKind, Generation)>,
    _dir: TempDir,
}

impl Scratch {
    /// A store with an empty live generation of each of `kinds`.
    pub(crate) fn of(kinds: &[ProjectionKind]) -> Result<Self, ViewError> {
        let dir = tempfile::tempdir().map_err(ViewError::unavailable)?;
        let store = ViewStore::open_scratch(dir.path())?;
        let generations = kinds
            .iter()
            .map(|kind| Ok((*kind, store.ensure_live(kind.name(), kind.revision())?)));
        let generations = generations.collect::<Result<_, ViewError>>()?;
        Ok(Self {
            store,
            generations,
            _dir: dir,
        })
    }
}
