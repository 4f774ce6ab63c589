//! A view in memory, while events are folded into it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
};

use eventing::{Position, StreamId, SubjectId, Version};
use serde::{Serialize, de::DeserializeOwned};

use crate::store::{Generation, LookupKey, Snapshot, ViewError, ViewWrite};

/// What a projection knows of one stream: a head, entries by key, and lookups that lead to it.
#[derive(Debug)]
pub(crate) struct View<H> {
    stream: StreamId,
    /// The version that the store holds, which a write is compared with.
    from: Version,
    version: Version,
    position: Position,
    subject: Option<SubjectId>,
    /// `None` once the person was forgotten; stays so.
    head: Option<H>,
    entries: BTreeMap<String, Entry>,
    lookups: BTreeMap<LookupKey, Option<Vec<u8>>>,
    /// The lookups that lead to the view, as far as is known.
    kept: BTreeSet<LookupKey>,
    changed: bool,
    weight: usize,
}

/// A view that an event is folded into, and where the entries that are not at hand lie.
pub(crate) struct ViewAt<'a, H> {
    view: &'a mut View<H>,
    /// `None` when nothing of the view came from a store.
    stored: Option<(&'a Snapshot, Generation)>,
}

#[derive(Debug)]
struct Entry {
    value: Option<Vec<u8>>,
    changed: bool,
}

impl<H: Default + Serialize + DeserializeOwned> View<H> {
    /// The view of a stream of which nothing was seen.
    pub(crate) fn blank(stream: StreamId) -> Self {
        Self {
            stream,
            from: Version::NONE,
            version: Version::NONE,
            position: Position::START,
            subject: None,
            head: Some(H::default()),
            entries: BTreeMap::new(),
            lookups: BTreeMap::new(),
            kept: BTreeSet::new(),
            changed: false,
            weight: 0,
        }
    }

    pub(crate) fn load(
        snapshot: &Snapshot,
        generation: Generation,
        stream: &StreamId,
    ) -> Result<Self, ViewError> {
        let Some(stored) = snapshot.view(generation, stream)? else {
            return Ok(Self::blank(stream.clone()));
        };
        let (from, position) = (stored.version, stored.position);
        let weight = stored.head.as_ref().map_or(0, |head| head.len());
        let head = stored.head.map(|head| parse(&head, "a view's head"));
        let mut head = head.transpose()?;
        if stored.is_lost {
            // What it held is gone with its key; what leads to it is still to be removed.
            head = Some(H::default());
        }
        Ok(Self {
            kept: stored.lookups.into_iter().collect(),
            subject: stored.subject,
            from,
            version: from,
            position,
            head,
            weight,
            ..Self::blank(stream.clone())
        })
    }

    pub(crate) fn stream(&self) -> &StreamId {
        &self.stream
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Those of `keys` that must be read from the store before an event is folded.
    pub(crate) fn missing(&self, keys: Vec<String>) -> Vec<String> {
        if self.from == Version::NONE {
            return Vec::new();
        }
        keys.into_iter()
            .filter(|key| !self.entries.contains_key(key))
            .collect()
    }

    pub(crate) fn subject(&self) -> Option<SubjectId> {
        self.subject
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.head.is_none()
    }

    pub(crate) fn head(&self) -> Option<&H> {
        self.head.as_ref()
    }

    /// The head of a view that is known not to be removed; the fold asks before it applies.
    pub(crate) fn head_mut(&mut self) -> &mut H {
        self.head.get_or_insert_default()
    }

    /// About how many bytes this view takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn advance(&mut self, version: Version, position: Position, subject: Option<SubjectId>) {
        self.version = version;
        self.position = position;
        self.subject = subject.or(self.subject);
        self.changed = true;
    }

    /// The entries at hand whose keys begin with `prefix`; all of them when nothing of the view came from a store.
    pub(crate) fn entries<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(&str, T)>, ViewError> {
        let keys = self
            .entries
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix));
        keys.filter_map(|(key, entry)| Some((&key[prefix.len()..], entry.value.as_deref()?)))
            .map(|(key, value)| Ok((key, parse(value, "an entry")?)))
            .collect()
    }

    pub(crate) fn put_entry(&mut self, key: String, value: &impl Serialize) -> Result<(), ViewError> {
        let value = bytes_of(value)?;
        self.weight += key.len() + value.len();
        self.entries.insert(
            key,
            Entry {
                value: Some(value),
                changed: true,
            },
        );
        Ok(())
    }

    pub(crate) fn remove_entry(&mut self, key: String) {
        self.entries.insert(
            key,
            Entry {
                value: None,
                changed: true,
            },
        );
    }

    pub(crate) fn put_lookup(&mut self, lookup: LookupKey, value: impl Into<Vec<u8>>) {
        self.kept.insert(lookup.clone());
        self.lookups.insert(lookup, Some(value.into()));
    }

    pub(crate) fn remove_lookup(&mut self, lookup: LookupKey) {
        self.kept.remove(&lookup);
        self.lookups.insert(lookup, None);
    }

    /// Removes everything but the version.
    pub(crate) fn remove(&mut self) {
        for lookup in std::mem::take(&mut self.kept) {
            self.lookups.insert(lookup, None);
        }
        self.head = None;
        self.entries.clear();
        self.changed = true;
    }

    /// What brings the store to this view; `None` when it holds it already.
    pub(crate) fn into_write(
        self,
        projection: &'static str,
        generation: Generation,
    ) -> Result<Option<ViewWrite>, ViewError> {
        if !self.changed {
            return Ok(None);
        }
        let head = self.head.map(|head| bytes_of(&head)).transpose()?;
        let entries = self.entries.into_iter().filter(|(_, entry)| entry.changed);
        Ok(Some(ViewWrite {
            projection,
            generation,
            stream: self.stream,
            subject: self.subject,
            from: self.from,
            to: self.version,
            position: self.position,
            head,
            entries: entries.map(|(key, entry)| (key, entry.value)).collect(),
            lookups: self.lookups.into_iter().collect(),
            kept: self.kept.into_iter().collect(),
        }))
    }
}

impl<'a, H> ViewAt<'a, H> {
    pub(crate) fn new(view: &'a mut View<H>, stored: Option<(&'a Snapshot, Generation)>) -> Self {
        Self { view, stored }
    }

    /// The entry `key`, from the store when it is not at hand.
    pub(crate) fn entry<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, ViewError> {
        self.fetch(key)?;
        let value = self
            .view
            .entries
            .get(key)
            .and_then(|entry| entry.value.as_deref());
        value.map(|value| parse(value, "an entry")).transpose()
    }

    fn fetch(&mut self, key: &str) -> Result<(), ViewError> {
        let view = &mut *self.view;
        let Some((snapshot, generation)) = self.stored else {
            return Ok(());
        };
        if view.from == Version::NONE || view.entries.contains_key(key) {
            return Ok(());
        }
        let value = snapshot
            .entry(generation, &view.stream, key)?
            .map(Cow::into_owned);
        view.weight += key.len() + value.as_ref().map_or(0, Vec::len);
        let entry = Entry {
            value,
            changed: false,
        };
        view.entries.insert(key.to_owned(), entry);
        Ok(())
    }
}

impl<H> Deref for ViewAt<'_, H> {
    type Target = View<H>;

    fn deref(&self) -> &View<H> {
        self.view
    }
}

impl<H> DerefMut for ViewAt<'_, H> {
    fn deref_mut(&mut self) -> &mut View<H> {
        self.view
    }
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, ViewError> {
    serde_json::from_slice(bytes).map_err(|error| ViewError::corrupt_because(what, error))
}

fn bytes_of(value: &impl Serialize) -> Result<Vec<u8>, ViewError> {
    serde_json::to_vec(value)
        .map_err(|error| ViewError::corrupt_because("a view that cannot be written", error))
}
