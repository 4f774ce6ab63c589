//! Generations of the embedded store.

use std::{fs::File, ops::Bound};

use eventing::Position;
use heed::{AnyTls, Database, RoTxn, RwTxn, types::Bytes};

use super::{
    super::{Batch, Built, Generation, ViewError, layout},
    Embedded, Snapshot, Tables,
};

pub(super) const LIVE: &str = "live";
pub(super) const BUILDING: &str = "building";
const NEXT: &str = "next-generation";
/// Keys deleted in one transaction, so that projectors need not wait long for the store.
const DROP_BATCH: usize = 10_000;

pub(super) fn checkpoint_key(generation: Generation) -> String {
    format!("checkpoint/{generation}")
}

pub(super) fn read(
    tables: &Tables,
    txn: &RoTxn<'_, AnyTls>,
    kind: &str,
    projection: &str,
) -> Result<Option<Built>, ViewError> {
    let Some(bytes) = tables.meta.get(txn, &format!("{kind}/{projection}"))? else {
        return Ok(None);
    };
    Ok(Some(Built {
        generation: Generation(layout::u32_at(bytes, 0)?),
        revision: layout::u32_at(bytes, 4)?,
    }))
}

fn put(
    tables: &Tables,
    txn: &mut RwTxn<'_>,
    kind: &str,
    projection: &str,
    built: Built,
) -> Result<(), ViewError> {
    let mut bytes = built.generation.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&built.revision.to_be_bytes());
    Ok(tables.meta.put(txn, &format!("{kind}/{projection}"), &bytes)?)
}

fn allocate(tables: &Tables, txn: &mut RwTxn<'_>) -> Result<Generation, ViewError> {
    let next = tables
        .meta
        .get(txn, NEXT)?
        .map(|bytes| layout::u32_at(bytes, 0))
        .transpose()?
        .unwrap_or(1);
    tables.meta.put(txn, NEXT, &(next + 1).to_be_bytes())?;
    Ok(Generation(next))
}

pub(super) fn stored_checkpoint(
    tables: &Tables,
    txn: &RoTxn<'_, AnyTls>,
    generation: Generation,
) -> Result<Position, ViewError> {
    let stored = tables.meta.get(txn, &checkpoint_key(generation))?;
    let stored = stored.map(|bytes| layout::u64_at(bytes, 0)).transpose()?;
    Ok(stored.map_or(Position::START, Position))
}

impl Embedded {
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
        let mut txn = self.env.write_txn()?;
        let tables = &self.tables;
        if let Some(live) = read(tables, &txn, LIVE, projection)?
            && live.revision == revision
        {
            return Ok(live.generation);
        }
        let generation = allocate(tables, &mut txn)?;
        put(tables, &mut txn, LIVE, projection, Built { generation, revision })?;
        txn.commit()?;
        Ok(generation)
    }

    /// The right to make and drop generations; the operating system takes it back when the process ends.
    pub(crate) fn lock_rebuild(&self) -> Result<File, ViewError> {
        let path = self.dir.join("rebuild.lock");
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path);
        let file = file.map_err(ViewError::unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(ViewError::RebuildRunning),
            Err(std::fs::TryLockError::Error(error)) => Err(ViewError::unavailable(error)),
        }
    }

    /// Makes an empty generation beside the live one, in place of one that was left unfinished.
    pub(crate) fn begin_building(
        &self,
        projection: &'static str,
        revision: u32,
    ) -> Result<Generation, ViewError> {
        let mut txn = self.env.write_txn()?;
        let generation = allocate(&self.tables, &mut txn)?;
        put(
            &self.tables,
            &mut txn,
            BUILDING,
            projection,
            Built { generation, revision },
        )?;
        txn.commit()?;
        Ok(generation)
    }

    /// Makes the generation being built the live one, in one transaction with whatever `finish` still has to write.
    ///
    /// `finish` sees the store as no other writer can change it until the switch, or its failure, is done. The
    /// checkpoint becomes the greater of `checkpoint` and the one of the generation that was live.
    pub(crate) fn switch(
        &self,
        projection: &'static str,
        checkpoint: Position,
        finish: impl FnOnce(Snapshot) -> Result<Batch, ViewError>,
    ) -> Result<(), ViewError> {
        let mut txn = self.env.write_txn()?;
        let tables = &self.tables;
        // Taken under the write lock: nobody can commit behind it.
        let batch = finish(self.snapshot()?)?;
        let outcomes = self.write_in(&mut txn, &batch)?;
        if outcomes.leave_a_gap() {
            return Err(layout::changed_by_another());
        }
        let Some(built) = read(tables, &txn, BUILDING, projection)? else {
            return Err(layout::corrupt("the generation being built is gone"));
        };
        if let Some(live) = read(tables, &txn, LIVE, projection)? {
            let stored = stored_checkpoint(tables, &txn, live.generation)?;
            tables.raise_checkpoint(&mut txn, built.generation, stored)?;
        }
        tables.raise_checkpoint(&mut txn, built.generation, checkpoint)?;
        put(tables, &mut txn, LIVE, projection, built)?;
        tables
            .meta
            .delete(&mut txn, &format!("{BUILDING}/{projection}"))?;
        txn.commit()?;
        Ok(())
    }

    /// Gives up the generation being built. The live one is not touched.
    pub(crate) fn abandon(&self, projection: &'static str) -> Result<(), ViewError> {
        let mut txn = self.env.write_txn()?;
        self.tables
            .meta
            .delete(&mut txn, &format!("{BUILDING}/{projection}"))?;
        Ok(txn.commit()?)
    }

    /// Deletes every generation that is neither live nor being built, a part at a time.
    pub(crate) fn sweep(&self) -> Result<(), ViewError> {
        let tables = self.tables;
        let snapshot = self.snapshot()?;
        let kept = snapshot.generations()?;
        let next = snapshot.next_generation()?;
        drop(snapshot);
        for generation in (1..next.0)
            .map(Generation)
            .filter(|generation| !kept.contains(generation))
        {
            for table in [tables.views, tables.entries, tables.lookups] {
                while self.drop_some(table, generation)? {}
            }
            let mut txn = self.env.write_txn()?;
            if tables.meta.delete(&mut txn, &checkpoint_key(generation))? {
                txn.commit()?;
            }
        }
        Ok(())
    }

    fn drop_some(&self, table: Database<Bytes, Bytes>, generation: Generation) -> Result<bool, ViewError> {
        let start = layout::prefix(generation);
        let end = layout::prefix(Generation(generation.0 + 1));
        let reader = self.env.read_txn()?;
        let beyond = table
            .range(
                &reader,
                &(Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice())),
            )?
            .nth(DROP_BATCH)
            .transpose()?
            .map(|(key, _)| key.to_vec());
        drop(reader);
        let mut txn = self.env.write_txn()?;
        let until = beyond.as_deref().unwrap_or(&end);
        let dropped = table.delete_range(
            &mut txn,
            &(Bound::Included(start.as_slice()), Bound::Excluded(until)),
        )?;
        if dropped > 0 {
            txn.commit()?;
        }
        Ok(beyond.is_some())
    }
}

impl Snapshot {
    pub(crate) fn next_generation(&self) -> Result<Generation, ViewError> {
        let bytes = self.tables.meta.get(&self.txn, NEXT)?;
        Ok(Generation(
            bytes
                .map(|bytes| layout::u32_at(bytes, 0))
                .transpose()?
                .unwrap_or(1),
        ))
    }

    fn generations(&self) -> Result<Vec<Generation>, ViewError> {
        let mut generations = Vec::new();
        for row in self.tables.meta.iter(&self.txn)? {
            let (key, bytes) = row?;
            if key.starts_with("live/") || key.starts_with("building/") {
                generations.push(Generation(layout::u32_at(bytes, 0)?));
            }
        }
        Ok(generations)
    }
}
