//! Storing a batch in one transaction of the embedded store.

use std::{collections::BTreeMap, ops::Bound};

use eventing::Position;
use heed::{Database, RwTxn, types::Bytes};

use super::{
    super::{Batch, Generation, Raise, Refusal, Table, ViewError, ViewWrite, layout, write::Outcomes},
    Embedded, Snapshot, Tables, generations,
};

impl Embedded {
    pub(crate) fn commit(&self, batch: &Batch) -> Result<Outcomes, ViewError> {
        let mut txn = self.env.write_txn()?;
        let outcomes = self.tables.write(&mut txn, batch)?;
        eventing::failpoint!("view.before_commit");
        txn.commit()?;
        eventing::failpoint!("view.after_commit");
        Ok(outcomes)
    }

    /// Stores the batch that `make` makes while nobody else can write.
    pub(crate) fn exclusively<T>(
        &self,
        make: impl FnOnce(Snapshot) -> Result<(Batch, T), ViewError>,
    ) -> Result<(Batch, Outcomes, T), ViewError> {
        let mut txn = self.env.write_txn()?;
        // Taken under the write lock: nobody can commit behind it.
        let (batch, made) = make(self.snapshot()?)?;
        let outcomes = self.tables.write(&mut txn, &batch)?;
        eventing::failpoint!("view.before_commit");
        txn.commit()?;
        eventing::failpoint!("view.after_commit");
        Ok((batch, outcomes, made))
    }

    /// As [`commit`](Self::commit), in a transaction of the caller's.
    pub(super) fn write_in(&self, txn: &mut RwTxn<'_>, batch: &Batch) -> Result<Outcomes, ViewError> {
        self.tables.write(txn, batch)
    }
}

impl Tables {
    fn write(&self, txn: &mut RwTxn<'_>, batch: &Batch) -> Result<Outcomes, ViewError> {
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
        let outcomes = Outcomes(outcomes);
        if !outcomes.leave_a_gap() {
            for raise in &batch.checkpoints {
                self.raise(txn, &mut known, raise)?;
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
        if stored.as_ref().map_or(0, |view| view.version.0) != write.from.0 {
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

    fn raise(
        &self,
        txn: &mut RwTxn<'_>,
        known: &mut KnownGenerations,
        raise: &Raise,
    ) -> Result<(), ViewError> {
        if known.is_known(self, txn, raise.projection, raise.generation)?
            && generations::stored_checkpoint(self, txn, raise.generation)? >= raise.known
        {
            self.raise_checkpoint(txn, raise.generation, raise.to)?;
        }
        Ok(())
    }

    pub(super) fn raise_checkpoint(
        &self,
        txn: &mut RwTxn<'_>,
        generation: Generation,
        position: Position,
    ) -> Result<(), ViewError> {
        if generations::stored_checkpoint(self, txn, generation)? < position {
            let key = generations::checkpoint_key(generation);
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

/// For copies that nobody else writes.
impl Embedded {
    /// Puts rows of a generation; keys come without it.
    pub(crate) fn fill(
        &self,
        table: Table,
        generation: Generation,
        mut rows: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), ViewError> {
        rows.sort_unstable();
        let database = self.tables.of(table);
        let mut txn = self.env.write_txn()?;
        for (key, value) in rows {
            let key = [layout::prefix(generation).as_slice(), &key].concat();
            database.put(&mut txn, &key, &value)?;
        }
        Ok(txn.commit()?)
    }

    /// Puts what is known of all.
    pub(crate) fn fill_meta<'a>(
        &self,
        fields: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<(), ViewError> {
        let mut txn = self.env.write_txn()?;
        for (field, value) in fields {
            self.tables.meta.put(&mut txn, field, value)?;
        }
        Ok(txn.commit()?)
    }
}

#[cfg(test)]
impl Embedded {
    pub(crate) fn tamper(&self, table: Table, generation: Generation, key: &[u8], value: Option<&[u8]>) {
        let database = self.tables.of(table);
        let key = [layout::prefix(generation).as_slice(), key].concat();
        let mut txn = self.env.write_txn().unwrap();
        put_or_delete(database, &mut txn, &key, value).unwrap();
        txn.commit().unwrap();
    }
}
