//! Reading the store.

use std::borrow::Cow;

use eventing::{Position, StreamId, SubjectId, Version};

use super::{Built, EmbeddedSnapshot, Generation, LookupKey, StoredView, ViewError, redis};

/// The store as it was read.
///
/// LMDB's is of one moment. Redis's reads when it is asked and remembers the answer; generations and checkpoints are of
/// the moment it was made, so they never claim more than the views hold.
pub(crate) enum Snapshot {
    Embedded(EmbeddedSnapshot),
    Redis(redis::Snapshot),
}

/// One of the three kinds of rows that make up a generation, in the order in which they are digested and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Views,
    Entries,
    Lookups,
}

impl Table {
    pub(crate) const ALL: [Self; 3] = [Self::Views, Self::Entries, Self::Lookups];
}

/// Which way a page of lookups is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

/// A key without what the reader knows already, and its value.
pub(crate) type Row<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// A view that will be read, and those of its entries.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) generation: Generation,
    pub(crate) stream: StreamId,
    pub(crate) subject: Option<SubjectId>,
    pub(crate) entries: Vec<String>,
}

/// Where a view stands, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) stream: StreamId,
    pub(crate) version: Version,
    pub(crate) is_removed: bool,
}

/// Where views come from. Those of one origin never go back, whatever generation is live; those of another may be older
/// than what was read or stored before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The run of the server.
    pub(crate) run: u64,
    /// The line of generations, each of which was built to hold all that the one before it held. Another line began empty.
    pub(crate) line: u32,
}

/// Does the same on either adapter.
macro_rules! on_either {
    ($self:expr, $snapshot:ident => $body:expr) => {
        match $self {
            Self::Embedded($snapshot) => $body,
            Self::Redis($snapshot) => $body,
        }
    };
}

impl Snapshot {
    pub(crate) fn live(&self, projection: &str) -> Result<Option<Built>, ViewError> {
        on_either!(self, snapshot => snapshot.live(projection))
    }

    pub(crate) fn building(&self, projection: &str) -> Result<Option<Built>, ViewError> {
        on_either!(self, snapshot => snapshot.building(projection))
    }

    pub(crate) fn checkpoint(&self, generation: Generation) -> Result<Position, ViewError> {
        on_either!(self, snapshot => snapshot.checkpoint(generation))
    }

    pub(crate) fn is_forgotten(&self, subject: &SubjectId) -> Result<bool, ViewError> {
        on_either!(self, snapshot => snapshot.is_forgotten(subject))
    }

    pub(crate) fn view(
        &self,
        generation: Generation,
        stream: &StreamId,
    ) -> Result<Option<StoredView<'_>>, ViewError> {
        on_either!(self, snapshot => {
            let view = snapshot.view(generation, stream)?;
            snapshot.sealing().open_view(stream.as_str().as_bytes(), view)
        })
    }

    pub(crate) fn entry(
        &self,
        generation: Generation,
        stream: &StreamId,
        entry: &str,
    ) -> Result<Option<Cow<'_, [u8]>>, ViewError> {
        on_either!(self, snapshot => match snapshot.entry(generation, stream, entry)? {
            Some(value) => snapshot.sealing().open_entry(&place_of(stream, entry.as_bytes()), value),
            None => Ok(None),
        })
    }

    /// Up to `limit` entries whose keys begin with `prefix`, in key order, from behind `after` on.
    pub(crate) fn entries<'a>(
        &'a self,
        generation: Generation,
        stream: &StreamId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row<'a>>, ViewError> {
        on_either!(self, snapshot => {
            let rows = snapshot.entries(generation, stream, prefix, after, limit)?;
            let open = |(name, value): Row<'a>| {
                let value = snapshot.sealing().open_entry(&place_of(stream, &name), value);
                value.map(|value| value.map(|value| (name, value))).transpose()
            };
            rows.into_iter().filter_map(open).collect()
        })
    }

    pub(crate) fn lookup(
        &self,
        generation: Generation,
        lookup: &LookupKey,
    ) -> Result<Option<Cow<'_, [u8]>>, ViewError> {
        on_either!(self, snapshot => snapshot.lookup(generation, lookup))
    }

    /// Up to `limit` lookups of one partition, in `direction`, from behind `after` on.
    pub(crate) fn lookups(
        &self,
        generation: Generation,
        partition: (&'static str, &str),
        after: Option<&str>,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<Row<'_>>, ViewError> {
        on_either!(self, snapshot => snapshot.lookups(generation, partition, after, limit, direction))
    }

    /// Where all views of a generation stand, in the order of their streams' names.
    pub(crate) fn standings(&self, generation: Generation) -> Result<Vec<Standing>, ViewError> {
        on_either!(self, snapshot => snapshot.standings(generation))
    }

    /// How many views a generation has, removed ones included.
    pub(crate) fn count(&self, generation: Generation) -> Result<u64, ViewError> {
        on_either!(self, snapshot => snapshot.count(generation))
    }

    /// Which run of the store's server was read; always the same for a store without one.
    pub(crate) fn run(&self) -> u64 {
        match self {
            Self::Embedded(_) => 0,
            Self::Redis(snapshot) => snapshot.run(),
        }
    }

    /// Where the live views of a projection come from; always the same for a store without a server.
    pub(crate) fn origin(&self, projection: &str) -> Result<Origin, ViewError> {
        match self {
            Self::Embedded(_) => Ok(Origin::default()),
            Self::Redis(snapshot) => snapshot.origin(projection),
        }
    }

    /// Whether it pays to say beforehand what will be read.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Reads and remembers views and entries at once, but for those it remembers already.
    pub(crate) fn prefetch(&self, wanted: &[Wanted]) -> Result<(), ViewError> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Redis(snapshot) => snapshot.prefetch(wanted),
        }
    }

    /// Reads and remembers a view with all of its entries, as of one moment.
    pub(crate) fn prefetch_whole(&self, generation: Generation, stream: &StreamId) -> Result<(), ViewError> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Redis(snapshot) => snapshot.prefetch_whole(generation, stream),
        }
    }

    /// Whether what was read may not belong together, as a view or the live generation changed in between.
    pub(crate) fn has_moved(&self) -> Result<bool, ViewError> {
        match self {
            Self::Embedded(_) => Ok(false),
            Self::Redis(snapshot) => snapshot.has_moved(),
        }
    }
}

/// Where an entry is sealed for.
fn place_of(stream: &StreamId, entry: &[u8]) -> Vec<u8> {
    [stream.as_str().as_bytes(), &[0], entry].concat()
}

pub(crate) fn stream_id(name: &[u8]) -> Result<StreamId, ViewError> {
    let name =
        std::str::from_utf8(name).map_err(|error| ViewError::corrupt_because("a stream's name", error))?;
    StreamId::parse(name).map_err(|error| ViewError::corrupt_because("a stream's name", error))
}
