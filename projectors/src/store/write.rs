//! Storing a batch in one transaction.

use std::{collections::BTreeMap, ops::Bound};

use eventing::Position;
use heed::{Database, RwTxn, types::Bytes};

use super::{
    Batch, Generation, Refusal, Snapshot, Tables, ViewError, ViewStore, ViewWrite, generations, layout,
};
use crate::changes::Change;

impl ViewStore {
    /// Stores the batch and answers what became of each write, in their order. Blocks until it is on the disk.
    ///
    /// # Errors
    /// Nothing of the batch is stored, but for `Unavailable`, where all of it may be.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<Vec<Result<(), Refusal>>, ViewError> {
        let mut txn = self.inner.env.write_txn()?;
        let outcomes = self.inner.tables.write(&mut txn, batch)?;
        eventing::failpoint!("view.before_commit");
        txn.commit()?;
        eventing::failpoint!("view.after_commit");
        self.announce(changes(batch, &outcomes));
        Ok(outcomes)
    }

    /// Stores the batch that `make` makes while nobody else can write: what it reads is what its writes are compared
    /// with, so none is refused but for what must not be written at all.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and whatever `make` answers, when nothing is stored.
    pub(crate) fn exclusively<T>(
        &self,
        make: impl FnOnce(&Snapshot) -> Result<(Batch, T), ViewError>,
    ) -> Result<T, ViewError> {
        let mut txn = self.inner.env.write_txn()?;
        let (batch, made) = make(&self.snapshot()?)?;
        let outcomes = self.inner.tables.write(&mut txn, &batch)?;
        eventing::failpoint!("view.before_commit");
        txn.commit()?;
        eventing::failpoint!("view.after_commit");
        self.announce(changes(&batch, &outcomes));
        Ok(made)
    }

    /// As [`commit`](Self::commit), in a transaction of the caller's.
    pub(super) fn write_in(
        &self,
        txn: &mut RwTxn<'_>,
        batch: &Batch,
    ) -> Result<Vec<Result<(), Refusal>>, ViewError> {
        self.inner.tables.write(txn, batch)
    }
}

impl Tables {
    fn write(&self, txn: &mut RwTxn<'_>, batch: &Batch) -> Result<Vec<Result<(), Refusal>>, ViewError> {
        let mut known = KnownGenerations::default();
        for subject in &batch.forgotten {
            self.forgotten.put(txn, subject.as_uuid().as_bytes(), &[])?;
        }
        let mut outcomes = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            let refusal = self.refusal(txn, &mut known, write)?;
            if refusal.is_none() {
                self.put_view(txn, write)?;
            }
            outcomes.push(refusal.map_or(Ok(()), Err));
        }
        for (projection, generation, position) in &batch.checkpoints {
            if known.is_known(self, txn, projection, *generation)? {
                self.raise_checkpoint(txn, *generation, *position)?;
            }
        }
        Ok(outcomes)
    }

    fn refusal(
        &self,
        txn: &RwTxn<'_>,
        known: &mut KnownGenerations,
        write: &ViewWrite,
    ) -> Result<Option<Refusal>, ViewError> {
        if !known.is_known(self, txn, write.projection, write.generation)? {
            return Ok(Some(Refusal::OtherGeneration));
        }
        let stored = self
            .views
            .get(txn, &layout::view_key(write.generation, &write.stream))?;
        let stored = stored.map(layout::decode_view).transpose()?;
        if stored.map_or(0, |view| view.version.0) != write.from.0 {
            return Ok(Some(Refusal::OtherVersion));
        }
        if write.head.is_none() {
            return Ok(None);
        }
        let removed = stored.is_some_and(|view| view.head.is_none());
        Ok((removed || self.is_forgotten(txn, write)?).then_some(Refusal::Forgotten))
    }

    fn is_forgotten(&self, txn: &RwTxn<'_>, write: &ViewWrite) -> Result<bool, ViewError> {
        let Some(subject) = &write.subject else {
            return Ok(false);
        };
        Ok(self.forgotten.get(txn, subject.as_uuid().as_bytes())?.is_some())
    }

    fn put_view(&self, txn: &mut RwTxn<'_>, write: &ViewWrite) -> Result<(), ViewError> {
        let value = layout::encode_view(write.to, write.position, write.head.as_deref());
        self.views
            .put(txn, &layout::view_key(write.generation, &write.stream), &value)?;
        if write.head.is_none() {
            delete_prefix(
                self.entries,
                txn,
                &layout::entries_prefix(write.generation, &write.stream),
            )?;
        }
        for (entry, value) in &write.entries {
            let key = layout::entry_key(write.generation, &write.stream, entry)?;
            put_or_delete(self.entries, txn, &key, value.as_deref())?;
        }
        for (lookup, value) in &write.lookups {
            let key = layout::lookup_key(write.generation, lookup)?;
            put_or_delete(self.lookups, txn, &key, value.as_deref())?;
        }
        Ok(())
    }

    pub(super) fn raise_checkpoint(
        &self,
        txn: &mut RwTxn<'_>,
        generation: Generation,
        position: Position,
    ) -> Result<(), ViewError> {
        let key = generations::checkpoint_key(generation);
        let stored = self
            .meta
            .get(txn, &key)?
            .map(|bytes| layout::u64_at(bytes, 0))
            .transpose()?;
        if stored.is_none_or(|stored| stored < position.0) {
            self.meta.put(txn, &key, &position.0.to_be_bytes())?;
        }
        Ok(())
    }
}

/// Remembers within one transaction which generations may be written.
#[derive(Default)]
struct KnownGenerations(BTreeMap<(&'static str, Generation), bool>);

impl KnownGenerations {
    fn is_known(
        &mut self,
        tables: &Tables,
        txn: &RwTxn<'_>,
        projection: &'static str,
        generation: Generation,
    ) -> Result<bool, ViewError> {
        if let Some(known) = self.0.get(&(projection, generation)) {
            return Ok(*known);
        }
        let live = generations::read(tables, txn, generations::LIVE, projection)?;
        let building = generations::read(tables, txn, generations::BUILDING, projection)?;
        let known = [live, building]
            .into_iter()
            .flatten()
            .any(|built| built.generation == generation);
        self.0.insert((projection, generation), known);
        Ok(known)
    }
}

fn put_or_delete(
    table: Database<Bytes, Bytes>,
    txn: &mut RwTxn<'_>,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), ViewError> {
    match value {
        Some(value) => table.put(txn, key, value)?,
        None => _ = table.delete(txn, key)?,
    }
    Ok(())
}

fn delete_prefix(table: Database<Bytes, Bytes>, txn: &mut RwTxn<'_>, prefix: &[u8]) -> Result<(), ViewError> {
    let end = layout::after_prefix(prefix);
    let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    table.delete_range(txn, &(Bound::Included(prefix), end))?;
    Ok(())
}

fn changes(batch: &Batch, outcomes: &[Result<(), Refusal>]) -> Vec<Change> {
    let stored = batch
        .writes
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| outcome.is_ok());
    let views = stored.map(|(write, _)| Change::View {
        projection: write.projection,
        stream: write.stream.clone(),
        version: write.to,
        position: write.position,
    });
    let checkpoints = batch
        .checkpoints
        .iter()
        .map(|(projection, _, position)| Change::Checkpoint {
            projection,
            position: *position,
        });
    views.chain(checkpoints).collect()
}

#[cfg(test)]
impl ViewStore {
    /// Changes a row as no program of ours does; `None` deletes it. `key` comes without the generation.
    pub(crate) fn tamper(
        &self,
        table: super::Table,
        generation: Generation,
        key: &[u8],
        value: Option<&[u8]>,
    ) {
        let tables = self.inner.tables;
        let database = match table {
            super::Table::Views => tables.views,
            super::Table::Entries => tables.entries,
            super::Table::Lookups => tables.lookups,
        };
        let key = [layout::prefix(generation).as_slice(), key].concat();
        let mut txn = self.inner.env.write_txn().unwrap();
        put_or_delete(database, &mut txn, &key, value).unwrap();
        txn.commit().unwrap();
    }
}
