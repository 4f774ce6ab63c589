//! What views hold about people is sealed under their keys, as records are: whoever keeps a file, a dump or a page of a store
//! keeps nothing that outlives the key.
//!
//! Sealed are heads and the values of entries. In the open stay keys, versions and positions: opaque ids, hashes of tokens,
//! ids of tracks. A sealed head has with it, in the open, the lookups that lead to its view, so that they can be removed when
//! it can be read no more.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use eventing::{KeyError, Keys, Payload, SealedPayload, SubjectId};

use super::batch::{Batch, LookupKey, StoredView, ViewWrite};
use super::snapshot::Table;
use super::{ViewError, layout};

/// The first byte of a sealed value. JSON begins with no such byte.
const SEALED: u8 = 1;
const SUBJECT_BYTES: usize = 16;
const KEY_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// Seals what is written and opens what is read, once it has been given keys. Without them it does neither. Cheap to clone:
/// all clones have the keys at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sealing(Arc<OnceLock<Keys>>);

/// A value of which the key was destroyed.
struct Lost;

impl Sealing {
    /// Seals and opens with `keys` from now on. Said again, it changes nothing.
    pub(super) fn begin(&self, keys: Keys) {
        let _ = self.0.set(keys);
    }

    /// Seals what of the batch is about people. Blocks while keys are read.
    ///
    /// # Errors
    /// `Unavailable`: a key cannot be used. One that was destroyed since the events were opened is found so when they are
    /// opened again. A part of the batch is sealed then, and it is of no more use.
    pub(super) fn seal(&self, batch: &mut Batch) -> Result<(), ViewError> {
        match self.0.get() {
            Some(keys) => batch
                .writes
                .iter_mut()
                .try_for_each(|write| seal_write(keys, write)),
            None => Ok(()),
        }
    }

    /// A view as it was written. One of which the key was destroyed counts as removed, and says so.
    pub(crate) fn open_view<'a>(
        &self,
        stream: &[u8],
        view: Option<StoredView<'a>>,
    ) -> Result<Option<StoredView<'a>>, ViewError> {
        let Some(view) = view else { return Ok(None) };
        let Some(head) = view.head.as_deref().filter(|head| is_sealed(head)) else {
            return Ok(Some(view));
        };
        let (subject, rest) = subject_of(head)?;
        let (lookups, sealed) = decode_lookups(rest)?;
        let opened = self.open(subject, &context(Table::Views, stream), sealed)?;
        let is_lost = opened.is_err();
        Ok(Some(StoredView {
            head: opened.ok().map(|head| Cow::Owned(head.into())),
            subject: Some(subject),
            lookups,
            is_lost,
            ..view
        }))
    }

    /// The value of an entry as it was written; nothing when its key was destroyed. `place` is the stream's name, a zero byte
    /// and the entry's.
    pub(super) fn open_entry<'a>(
        &self,
        place: &[u8],
        value: Cow<'a, [u8]>,
    ) -> Result<Option<Cow<'a, [u8]>>, ViewError> {
        if !is_sealed(&value) {
            return Ok(Some(value));
        }
        let (subject, sealed) = subject_of(&value)?;
        let (_, sealed) = decode_lookups(sealed)?;
        let opened = self.open(subject, &context(Table::Entries, place), sealed)?;
        Ok(opened.ok().map(|value| Cow::Owned(value.into())))
    }

    /// A row's value as it was written, for comparisons: `key` comes without the generation. What cannot be opened any more
    /// stays as it is.
    pub(crate) fn open_row<'a>(
        &self,
        table: Table,
        key: &[u8],
        value: &'a [u8],
    ) -> Result<Cow<'a, [u8]>, ViewError> {
        match table {
            Table::Lookups => Ok(Cow::Borrowed(value)),
            Table::Entries => {
                let opened = self.open_entry(key, Cow::Borrowed(value))?;
                Ok(opened.unwrap_or(Cow::Borrowed(value)))
            }
            Table::Views => {
                let view = self.open_view(key, Some(layout::decode_view(value)?))?;
                let opened = view.filter(|view| view.subject.is_some() && !view.is_lost);
                Ok(opened.map_or(Cow::Borrowed(value), |view| {
                    Cow::Owned(layout::encode_view(
                        view.version,
                        view.position,
                        view.head.as_deref(),
                    ))
                }))
            }
        }
    }

    fn open(
        &self,
        subject: SubjectId,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Result<Bytes, Lost>, ViewError> {
        let cut_short = || layout::corrupt("a sealed value is cut short");
        let keys = self
            .0
            .get()
            .ok_or_else(|| layout::corrupt("it is sealed, and there are no keys"))?;
        let (key, rest) = sealed.split_first_chunk::<KEY_BYTES>().ok_or_else(cut_short)?;
        let (nonce, data) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(cut_short)?;
        let sealed = SealedPayload {
            key: *key,
            nonce: *nonce,
            data: Bytes::copy_from_slice(data),
        };
        match keys.open_sealed_blocking(subject, context, &sealed) {
            Ok(Payload::Open(plain)) => Ok(Ok(plain)),
            Ok(Payload::Erased) => Ok(Err(Lost)),
            Err(error) if error.is_passing() => Err(ViewError::unavailable(error)),
            Err(error) => Err(ViewError::corrupt_because("a sealed value", error)),
        }
    }
}

fn seal_write(keys: &Keys, write: &mut ViewWrite) -> Result<(), ViewError> {
    let Some(subject) = write.subject else {
        return Ok(());
    };
    let stream = write.stream.as_str().as_bytes();
    if let Some(head) = &mut write.head {
        let context = context(Table::Views, stream);
        let lookups = encode_lookups(&write.kept)?;
        *head = value(keys, subject, &context, &lookups, head)?;
    }
    for (entry, held) in &mut write.entries {
        if let Some(plain) = held {
            let context = context(Table::Entries, &[stream, &[0], entry.as_bytes()].concat());
            *plain = value(keys, subject, &context, &[], plain)?;
        }
    }
    Ok(())
}

fn value(
    keys: &Keys,
    subject: SubjectId,
    context: &[u8],
    lookups: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, ViewError> {
    let unavailable = |error: KeyError| ViewError::unavailable(error);
    let sealed = keys.seal_blocking(subject, context, plain).map_err(unavailable)?;
    let count = (lookups.len() as u32).to_be_bytes();
    let subject = subject.as_uuid();
    let parts: [&[u8]; 7] = [
        &[SEALED],
        subject.as_bytes(),
        &count,
        lookups,
        &sealed.key,
        &sealed.nonce,
        &sealed.data,
    ];
    Ok(parts.concat())
}

fn is_sealed(value: &[u8]) -> bool {
    value.first() == Some(&SEALED)
}

/// Whose value it is, and what follows.
fn subject_of(value: &[u8]) -> Result<(SubjectId, &[u8]), ViewError> {
    let subject = value
        .get(1..)
        .and_then(<[u8]>::split_first_chunk::<SUBJECT_BYTES>);
    let (subject, rest) = subject.ok_or_else(|| layout::corrupt("a sealed value has no subject"))?;
    Ok((SubjectId::from(uuid::Uuid::from_bytes(*subject)), rest))
}

/// Whom a value is sealed for, if it is sealed.
pub(crate) fn sealed_subject(value: &[u8]) -> Option<SubjectId> {
    let (subject, _) = subject_of(value).ok()?;
    is_sealed(value).then_some(subject)
}

/// The lookups that stand in the open with a view's sealed head; `None` with any other head.
pub(crate) fn kept_lookups(view: &StoredView<'_>) -> Result<Option<Vec<LookupKey>>, ViewError> {
    let Some(head) = view.head.as_deref().filter(|head| is_sealed(head)) else {
        return Ok(None);
    };
    let (_, rest) = subject_of(head)?;
    Ok(Some(decode_lookups(rest)?.0))
}

/// A value belongs in its place and nowhere else, in whatever generation.
fn context(table: Table, place: &[u8]) -> Vec<u8> {
    let table: &[u8] = match table {
        Table::Views => b"view ",
        Table::Entries => b"entry ",
        Table::Lookups => b"lookup ",
    };
    [table, place].concat()
}

fn encode_lookups(lookups: &[LookupKey]) -> Result<Vec<u8>, ViewError> {
    let parts: Vec<_> = lookups
        .iter()
        .map(|lookup| (lookup.index, &lookup.partition, &lookup.key))
        .collect();
    match parts.is_empty() {
        true => Ok(Vec::new()),
        false => serde_json::to_vec(&parts)
            .map_err(|error| ViewError::corrupt_because("lookups that cannot be written", error)),
    }
}

fn decode_lookups(value: &[u8]) -> Result<(Vec<LookupKey>, &[u8]), ViewError> {
    let cut_short = || layout::corrupt("a sealed value's lookups are cut short");
    let (count, rest) = value.split_first_chunk::<4>().ok_or_else(cut_short)?;
    let (lookups, rest) = rest
        .split_at_checked(u32::from_be_bytes(*count) as usize)
        .ok_or_else(cut_short)?;
    if lookups.is_empty() {
        return Ok((Vec::new(), rest));
    }
    let parts: Vec<(String, String, String)> = serde_json::from_slice(lookups)
        .map_err(|error| ViewError::corrupt_because("a sealed value's lookups", error))?;
    let lookups = parts.into_iter().map(|(index, partition, key)| {
        let index = crate::projections::INDEXES.iter().find(|known| **known == index);
        let index = index.ok_or_else(|| layout::corrupt("a lookup's index is not known"))?;
        Ok(LookupKey::new(index, partition, key))
    });
    Ok((lookups.collect::<Result<_, ViewError>>()?, rest))
}

#[cfg(test)]
mod tests {
    use eventing::testing::TempDir;
    use eventing::{MasterKey, Position, StreamId, Version};
    use uuid::Uuid;

    use super::super::{Generation, ViewStore, ViewWrite};
    use super::*;
    use crate::ProjectionKind;

    const SECRET: &str = "\"what somebody wrote\"";

    struct World {
        dir: TempDir,
        keys: Keys,
        store: ViewStore,
        generation: Generation,
        subject: SubjectId,
        stream: StreamId,
        lookup: LookupKey,
    }

    impl World {
        async fn new() -> Self {
            let dir = TempDir::new();
            let keys = Keys::open(dir.path(), MasterKey::random()).await.unwrap();
            let subject = SubjectId::from(Uuid::from_u128(7));
            keys.create(subject).await.unwrap();
            let store = ViewStore::open(dir.path().join("views")).unwrap();
            let kind = ProjectionKind::Accounts;
            let generation = store.ensure_live(kind.name(), kind.revision()).unwrap();
            let world = Self {
                stream: StreamId::new("account", subject.as_uuid()),
                lookup: LookupKey::new(crate::projections::INDEXES[0], "", "token"),
                store: store.sealed_with(keys.clone()),
                dir,
                keys,
                generation,
                subject,
            };
            world.store.commit(world.batch()).unwrap();
            world
        }

        fn batch(&self) -> Batch {
            let write = ViewWrite {
                projection: ProjectionKind::Accounts.name(),
                generation: self.generation,
                stream: self.stream.clone(),
                subject: Some(self.subject),
                from: Version::NONE,
                to: Version(1),
                position: Position(1),
                head: Some(SECRET.into()),
                entries: vec![("entry".to_owned(), Some(SECRET.into()))],
                lookups: vec![(self.lookup.clone(), Some(b"7".to_vec()))],
                kept: vec![self.lookup.clone()],
            };
            Batch {
                writes: vec![write],
                ..Batch::default()
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_written_reads_back_and_does_not_lie_in_the_file() {
        let world = World::new().await;
        let snapshot = world.store.snapshot().unwrap();
        let view = snapshot.view(world.generation, &world.stream).unwrap().unwrap();
        assert_eq!(view.head.as_deref(), Some(SECRET.as_bytes()));
        assert_eq!((view.subject, view.is_lost), (Some(world.subject), false));
        let entry = snapshot.entry(world.generation, &world.stream, "entry").unwrap();
        assert_eq!(entry.as_deref(), Some(SECRET.as_bytes()));
        let entries = snapshot
            .entries(world.generation, &world.stream, "", None, 10)
            .unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(&*entries[0].1, SECRET.as_bytes());
        let file = std::fs::read(world.dir.path().join("views").join("data.mdb")).unwrap();
        let is_there = |text: &[u8]| file.windows(text.len()).any(|bytes| bytes == text);
        assert!(is_there(world.stream.as_str().as_bytes()), "the file was read");
        assert!(!is_there(SECRET.as_bytes()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_view_whose_key_is_destroyed_counts_as_removed_and_still_tells_its_lookups() {
        let world = World::new().await;
        world.keys.destroy(world.subject).await.unwrap();
        let snapshot = world.store.snapshot().unwrap();
        let view = snapshot.view(world.generation, &world.stream).unwrap().unwrap();
        assert_eq!((view.head, view.is_lost, view.version), (None, true, Version(1)));
        assert_eq!(view.lookups, [world.lookup]);
        assert!(
            snapshot
                .entry(world.generation, &world.stream, "entry")
                .unwrap()
                .is_none()
        );
        let entries = snapshot
            .entries(world.generation, &world.stream, "", None, 10)
            .unwrap();
        assert!(entries.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_about_somebody_who_is_forgotten_is_written() {
        let world = World::new().await;
        world.keys.destroy(world.subject).await.unwrap();
        let refused = world.store.commit(world.batch());
        assert!(matches!(refused, Err(ViewError::Unavailable(_))), "{refused:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sealed_value_opens_in_its_own_place_only() {
        let world = World::new().await;
        let sealing = world.store.sealing();
        let mut batch = world.batch();
        sealing.seal(&mut batch).unwrap();
        let value = batch.writes[0].entries[0].1.clone().unwrap();
        let place = |entry: &str| [world.stream.as_str().as_bytes(), &[0], entry.as_bytes()].concat();
        let opened = sealing
            .open_entry(&place("entry"), Cow::Borrowed(&value))
            .unwrap();
        assert_eq!(opened.as_deref(), Some(SECRET.as_bytes()));
        let moved = sealing.open_entry(&place("other"), Cow::Borrowed(&value));
        assert!(matches!(moved, Err(ViewError::Corrupt { .. })), "{moved:?}");
        for length in 1..value.len() {
            let cut = sealing.open_entry(&place("entry"), Cow::Borrowed(&value[..length]));
            assert!(
                matches!(cut, Err(ViewError::Corrupt { .. })),
                "{length} bytes: {cut:?}"
            );
        }
    }
}
