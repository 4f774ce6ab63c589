//! Generations: whole sets of views, of which one per projection is live.

use std::fs::File;

use eventing::Position;

use super::{Adapter, Batch, Generation, Snapshot, ViewError, ViewStore, redis::Lease};

/// Held while generations are made and dropped. Whoever dies lets go of it: at once in a file, after some seconds in
/// Redis.
#[derive(Debug)]
pub(crate) enum RebuildLock {
    Embedded { _file: File },
    Redis { _lease: Lease },
}

impl ViewStore {
    /// The live generation of `projection`, made empty when there is none or when it was folded by another revision.
    pub(crate) fn ensure_live(
        &self,
        projection: &'static str,
        revision: u32,
    ) -> Result<Generation, ViewError> {
        if let Some(live) = self.snapshot()?.live(projection)?
            && live.revision == revision
        {
            return Ok(live.generation);
        }
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.ensure_live(projection, revision),
            Adapter::Redis(views) => views.ensure_live(projection, revision),
        }
    }

    /// Takes the right to make and drop generations.
    ///
    /// # Errors
    /// - `RebuildRunning`: this or another process holds it.
    pub(crate) fn lock_rebuild(&self) -> Result<RebuildLock, ViewError> {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.lock_rebuild().map(|_file| RebuildLock::Embedded { _file }),
            Adapter::Redis(views) => views.lock_rebuild().map(|_lease| RebuildLock::Redis { _lease }),
        }
    }

    /// Makes an empty generation beside the live one, in place of one that was left unfinished.
    pub(crate) fn begin_building(
        &self,
        projection: &'static str,
        revision: u32,
        _lock: &RebuildLock,
    ) -> Result<Generation, ViewError> {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.begin_building(projection, revision),
            Adapter::Redis(views) => views.begin_building(projection, revision),
        }
    }

    /// Makes the generation being built the live one, after whatever `finish` still has to write.
    ///
    /// `finish` sees the store as no other writer can change the live generation until the switch, or its failure, is
    /// done. The checkpoint becomes the greater of `checkpoint` and the one of the generation that was live.
    ///
    /// # Errors
    /// The live generation is unchanged, but for `Unavailable` from Redis, when it may be switched.
    pub(crate) fn switch(
        &self,
        projection: &'static str,
        checkpoint: Position,
        finish: impl FnOnce(&Snapshot) -> Result<Batch, ViewError>,
    ) -> Result<(), ViewError> {
        let finish = |snapshot: &Snapshot| {
            let mut batch = finish(snapshot)?;
            self.sealing().seal(&mut batch)?;
            Ok(batch)
        };
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.switch(projection, checkpoint, |snapshot| {
                finish(&Snapshot::Embedded(snapshot))
            }),
            Adapter::Redis(views) => views.switch(projection, checkpoint, finish),
        }
    }

    /// Gives up the generation being built. The live one is not touched.
    pub(crate) fn abandon(&self, projection: &'static str, _lock: &RebuildLock) -> Result<(), ViewError> {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.abandon(projection),
            Adapter::Redis(views) => views.abandon(projection),
        }
    }

    /// Deletes every generation that is neither live nor being built, a part at a time.
    pub(crate) fn sweep(&self, _lock: &RebuildLock) -> Result<(), ViewError> {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.sweep(),
            Adapter::Redis(views) => views.sweep(),
        }
    }
}
