//! Comparing two generations row by row, in key order.

use std::{borrow::Cow, cmp::Ordering};

use domain::{AccountId, PlaylistId};
use eventing::StreamId;
use serde::Serialize;
use serde_json::Value;

use crate::{
    ProjectionKind, ViewError, ViewStore,
    projections::playlists::{PENDING, PLAYLISTS_OF},
    store::{EmbeddedSnapshot, Generation, StoredView, Table, decode_view, stream_id},
};

/// A place where live views are not what the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The projection's name.
    pub projection: &'static str,
    /// Whose view it is, where that can be told.
    pub stream: Option<StreamId>,
    /// How the two differ.
    pub kind: DifferenceKind,
    /// What differs: a view, one of its fields, an entry or a lookup.
    pub what: String,
}

/// How a live row differs from the one that the log gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The log gives it; the live views have it not.
    Missing,
    /// The live views have it; the log does not give it.
    Surplus,
    /// Both have it, not alike.
    Changed,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.kind {
            DifferenceKind::Missing => "is missing",
            DifferenceKind::Surplus => "should not be there",
            DifferenceKind::Changed => "is not what the log gives",
        };
        write!(f, "{}: ", self.projection)?;
        if let Some(stream) = &self.stream {
            write!(f, "{stream}: ")?;
        }
        write!(f, "{} {how}", self.what)
    }
}

/// One of the two sides of a comparison.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) snapshot: &'a EmbeddedSnapshot,
    pub(crate) generation: Generation,
}

/// A row that the two sides do not have alike.
pub(crate) struct Mismatch<'a> {
    pub(crate) table: Table,
    pub(crate) key: &'a [u8],
    pub(crate) live: Option<Cow<'a, [u8]>>,
    pub(crate) fresh: Option<Cow<'a, [u8]>>,
}

/// Hands every mismatch to `each`, views first, then entries, then lookups, each in key order.
pub(crate) fn compare(
    live: Side<'_>,
    fresh: Side<'_>,
    mut each: impl FnMut(Mismatch<'_>) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    Table::ALL
        .into_iter()
        .try_for_each(|table| compare_table(table, live, fresh, &mut each))
}

fn compare_table(
    table: Table,
    live_side: Side<'_>,
    fresh_side: Side<'_>,
    each: &mut impl FnMut(Mismatch<'_>) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    let mut lives = live_side.snapshot.rows(table, live_side.generation)?;
    let mut freshes = fresh_side.snapshot.rows(table, fresh_side.generation)?;
    let (mut left, mut right) = (lives.next().transpose()?, freshes.next().transpose()?);
    loop {
        let order = match (&left, &right) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let live = left.filter(|_| order.is_le());
        let fresh = right.filter(|_| order.is_ge());
        let (live_value, fresh_value) = (opened(live_side, table, live)?, opened(fresh_side, table, fresh)?);
        if live_value != fresh_value {
            let key = live.or(fresh).map_or(&[][..], |(key, _)| key);
            each(Mismatch {
                table,
                key,
                live: live_value,
                fresh: fresh_value,
            })?;
        }
        if live.is_some() {
            left = lives.next().transpose()?;
        }
        if fresh.is_some() {
            right = freshes.next().transpose()?;
        }
    }
}

/// A row's value as it was before it was sealed.
fn opened<'a>(
    side: Side<'a>,
    table: Table,
    row: Option<(&'a [u8], &'a [u8])>,
) -> Result<Option<Cow<'a, [u8]>>, ViewError> {
    row.map(|(key, value)| side.snapshot.sealing().open_row(table, key, value))
        .transpose()
}

/// Whether a lookup that differs may only have been copied later than the view that leads to it: that view has changed
/// since. Lookups change with their view, so when it has not, the difference is one.
pub(crate) fn was_overtaken(
    store: &ViewStore,
    live: Side<'_>,
    mismatch: &Mismatch<'_>,
) -> Result<bool, ViewError> {
    if !store.is_remote() || mismatch.table != Table::Lookups {
        return Ok(false);
    }
    match mismatch.stream() {
        Some(stream) => has_moved_on(store, live, &stream),
        None => Ok(false),
    }
}

/// Whether a live view has changed since it was copied.
pub(crate) fn has_moved_on(store: &ViewStore, live: Side<'_>, stream: &StreamId) -> Result<bool, ViewError> {
    let now = store.snapshot()?;
    let before = live.snapshot.view(live.generation, stream)?;
    let before = live
        .snapshot
        .sealing()
        .open_view(stream.as_str().as_bytes(), before)?;
    Ok(now.view(live.generation, stream)? != before)
}

/// The stream whose view a lookup leads to: its key begins with its index, and its value is an id.
pub(crate) fn leads_to(key: &[u8], value: &[u8]) -> Option<StreamId> {
    let index = key.split(|byte| *byte == 0).next()?;
    let category = match std::str::from_utf8(index).ok()? {
        PENDING | PLAYLISTS_OF => PlaylistId::CATEGORY,
        _ => AccountId::CATEGORY,
    };
    let id = std::str::from_utf8(value).ok()?;
    StreamId::parse(&format!("{category}-{id}")).ok()
}

impl Mismatch<'_> {
    /// The stream that the row belongs to, where that can be told.
    pub(crate) fn stream(&self) -> Option<StreamId> {
        match self.table {
            Table::Views | Table::Entries => {
                let name = self.key.split(|byte| *byte == 0).next()?;
                stream_id(name).ok()
            }
            Table::Lookups => leads_to(self.key, self.live.as_deref().or(self.fresh.as_deref())?),
        }
    }

    pub(crate) fn difference(&self, kind: ProjectionKind) -> Difference {
        let how = match (&self.live, &self.fresh) {
            (None, _) => DifferenceKind::Missing,
            (_, None) => DifferenceKind::Surplus,
            _ => DifferenceKind::Changed,
        };
        Difference {
            projection: kind.name(),
            stream: self.stream(),
            kind: how,
            what: self.what(),
        }
    }

    /// Both sides, when the row is a view.
    pub(crate) fn views(&self) -> Option<(Option<StoredView<'_>>, Option<StoredView<'_>>)> {
        (self.table == Table::Views).then(|| (view_of(self.live.as_deref()), view_of(self.fresh.as_deref())))
    }

    fn what(&self) -> String {
        let after = |skip: usize| {
            let parts: Vec<_> = self
                .key
                .split(|byte| *byte == 0)
                .skip(skip)
                .map(String::from_utf8_lossy)
                .collect();
            parts.join("/")
        };
        match self.table {
            Table::Views => self.what_of_view(),
            Table::Entries => format!("entry {}", after(1)),
            Table::Lookups => format!("lookup {}", after(0)),
        }
    }

    fn what_of_view(&self) -> String {
        match self.views() {
            Some((Some(live), Some(fresh))) if live.version != fresh.version => {
                format!("version {}, which should be {},", live.version, fresh.version)
            }
            Some((Some(live), Some(fresh))) if live.position != fresh.position => {
                format!("position {}, which should be {},", live.position, fresh.position)
            }
            Some((Some(live), Some(fresh))) => match (live.head, fresh.head) {
                (Some(live), Some(fresh)) => format!("field {}", first_field(&live, &fresh)),
                _ => "removal".to_owned(),
            },
            _ => "view".to_owned(),
        }
    }
}

fn view_of(bytes: Option<&[u8]>) -> Option<StoredView<'_>> {
    bytes.and_then(|bytes| decode_view(bytes).ok())
}

/// The path of the first field that differs, as a JSON pointer. Names fields only, never what they hold.
fn first_field(live: &[u8], fresh: &[u8]) -> String {
    match (serde_json::from_slice(live), serde_json::from_slice(fresh)) {
        (Ok(live), Ok(fresh)) => {
            path_of_difference(&live, &fresh).unwrap_or_else(|| "/ (its bytes)".to_owned())
        }
        _ => "/ (its bytes)".to_owned(),
    }
}

fn path_of_difference(live: &Value, fresh: &Value) -> Option<String> {
    match (live, fresh) {
        (Value::Object(live), Value::Object(fresh)) => {
            let keys = fresh
                .keys()
                .chain(live.keys().filter(|key| !fresh.contains_key(*key)));
            let mut differing = keys.filter(|key| live.get(*key) != fresh.get(*key));
            let key = differing.next()?;
            let within = live
                .get(key)
                .zip(fresh.get(key))
                .and_then(|(live, fresh)| path_of_difference(live, fresh));
            Some(format!("/{key}{}", within.unwrap_or_default()))
        }
        _ => (live != fresh).then(String::new),
    }
}
