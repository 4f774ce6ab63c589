//! Reading the embedded store as of one moment.

use std::{borrow::Cow, ops::Bound};

use eventing::{Position, StreamId, SubjectId};
use heed::{Database, RoTxn, WithoutTls, types::Bytes};

use super::{
    super::{
        Built, Direction, Generation, LookupKey, StoredView, Table, ViewError, layout,
        sealing::Sealing,
        snapshot::{Row, Standing, stream_id},
    },
    Tables, generations,
};

/// The whole store as of one moment. Reads take microseconds and never wait for a writer.
pub(crate) struct Snapshot {
    pub(super) txn: RoTxn<'static, WithoutTls>,
    pub(super) tables: Tables,
    sealing: Sealing,
}

/// A row without a copy of it.
type Borrowed<'txn> = (&'txn [u8], &'txn [u8]);

impl Snapshot {
    pub(super) fn new(txn: RoTxn<'static, WithoutTls>, tables: Tables, sealing: Sealing) -> Self {
        Self { txn, tables, sealing }
    }

    pub(crate) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    pub(crate) fn live(&self, projection: &str) -> Result<Option<Built>, ViewError> {
        generations::read(&self.tables, &self.txn, generations::LIVE, projection)
    }

    pub(crate) fn building(&self, projection: &str) -> Result<Option<Built>, ViewError> {
        generations::read(&self.tables, &self.txn, generations::BUILDING, projection)
    }

    pub(crate) fn checkpoint(&self, generation: Generation) -> Result<Position, ViewError> {
        let bytes = self
            .tables
            .meta
            .get(&self.txn, &generations::checkpoint_key(generation))?;
        Ok(Position(
            bytes
                .map(|bytes| layout::u64_at(bytes, 0))
                .transpose()?
                .unwrap_or(0),
        ))
    }

    pub(crate) fn is_forgotten(&self, subject: &SubjectId) -> Result<bool, ViewError> {
        Ok(self
            .tables
            .forgotten
            .get(&self.txn, subject.as_uuid().as_bytes())?
            .is_some())
    }

    pub(crate) fn view(
        &self,
        generation: Generation,
        stream: &StreamId,
    ) -> Result<Option<StoredView<'_>>, ViewError> {
        let bytes = self
            .tables
            .views
            .get(&self.txn, &layout::view_key(generation, stream))?;
        bytes.map(layout::decode_view).transpose()
    }

    pub(crate) fn entry(
        &self,
        generation: Generation,
        stream: &StreamId,
        entry: &str,
    ) -> Result<Option<Cow<'_, [u8]>>, ViewError> {
        let key = layout::entry_key(generation, stream, entry)?;
        Ok(self.tables.entries.get(&self.txn, &key)?.map(Cow::Borrowed))
    }

    /// Up to `limit` entries whose keys begin with `prefix`, in key order, from behind `after` on.
    pub(crate) fn entries(
        &self,
        generation: Generation,
        stream: &StreamId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row<'_>>, ViewError> {
        let skip = layout::entries_prefix(generation, stream).len();
        let all = layout::entry_key(generation, stream, prefix)?;
        let after = after
            .map(|after| layout::entry_key(generation, stream, after))
            .transpose()?;
        let rows = self.page(
            self.tables.entries,
            &all,
            after.as_deref(),
            limit,
            Direction::Ascending,
        )?;
        Ok(rows
            .into_iter()
            .map(|(key, value)| (Cow::Borrowed(&key[skip..]), Cow::Borrowed(value)))
            .collect())
    }

    pub(crate) fn lookup(
        &self,
        generation: Generation,
        lookup: &LookupKey,
    ) -> Result<Option<Cow<'_, [u8]>>, ViewError> {
        let key = layout::lookup_key(generation, lookup)?;
        Ok(self.tables.lookups.get(&self.txn, &key)?.map(Cow::Borrowed))
    }

    /// Up to `limit` lookups of one partition, in `direction`, from behind `after` on.
    pub(crate) fn lookups(
        &self,
        generation: Generation,
        (index, partition): (&'static str, &str),
        after: Option<&str>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row<'_>>, ViewError> {
        let all = layout::partition_prefix(generation, index, partition);
        let after =
            after.map(|after| layout::lookup_key(generation, &LookupKey::new(index, partition, after)));
        let rows = self.page(
            self.tables.lookups,
            &all,
            after.transpose()?.as_deref(),
            limit,
            direction,
        )?;
        Ok(rows
            .into_iter()
            .map(|(key, value)| (Cow::Borrowed(&key[all.len()..]), Cow::Borrowed(value)))
            .collect())
    }

    /// All rows of one kind in a generation, in key order; keys come without the generation.
    pub(crate) fn rows(
        &self,
        table: Table,
        generation: Generation,
    ) -> Result<impl Iterator<Item = Result<Borrowed<'_>, ViewError>>, ViewError> {
        let prefix = layout::prefix(generation);
        let rows = self.tables.of(table).prefix_iter(&self.txn, &prefix)?;
        Ok(rows.map(|row| {
            row.map(|(key, value)| (layout::behind_prefix(key), value))
                .map_err(ViewError::from)
        }))
    }

    /// All views of a generation, in the order of their streams' names.
    fn views(
        &self,
        generation: Generation,
    ) -> Result<impl Iterator<Item = Result<(StreamId, StoredView<'_>), ViewError>>, ViewError> {
        Ok(self.rows(Table::Views, generation)?.map(|row| {
            let (stream, value) = row?;
            Ok((stream_id(stream)?, layout::decode_view(value)?))
        }))
    }

    pub(crate) fn standings(&self, generation: Generation) -> Result<Vec<Standing>, ViewError> {
        let standing = |view: Result<(StreamId, StoredView<'_>), ViewError>| {
            view.map(|(stream, view)| Standing {
                stream,
                version: view.version,
                is_removed: view.head.is_none(),
            })
        };
        self.views(generation)?.map(standing).collect()
    }

    pub(crate) fn count(&self, generation: Generation) -> Result<u64, ViewError> {
        Ok(self.rows(Table::Views, generation)?.count() as u64)
    }

    fn page(
        &self,
        table: Database<Bytes, Bytes>,
        all: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Borrowed<'_>>, ViewError> {
        let end = layout::after_prefix(all);
        let (low, high) = (
            Bound::Included(all),
            end.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
        );
        match direction {
            Direction::Ascending => {
                let low = after.filter(|after| *after >= all).map_or(low, Bound::Excluded);
                take(table.range(&self.txn, &(low, high))?, limit)
            }
            Direction::Descending => {
                let high = after.map_or(high, Bound::Excluded);
                take(table.rev_range(&self.txn, &(low, high))?, limit)
            }
        }
    }
}

fn take<'txn>(
    rows: impl Iterator<Item = heed::Result<Borrowed<'txn>>>,
    limit: usize,
) -> Result<Vec<Borrowed<'txn>>, ViewError> {
    rows.take(limit).map(|row| row.map_err(ViewError::from)).collect()
}
