//! The lookups that stand in the open with sealed heads, held against the table of lookups.
//!
//! They are what leads to the removal of a view that nobody can open any more. Views that are folded again for a comparison are
//! not sealed and have no such list, so the live ones are held against each other: the table is compared with the log elsewhere.

use std::collections::BTreeSet;

use eventing::StreamId;

use crate::{
    Difference, DifferenceKind, ProjectionKind, ViewError, ViewStore,
    compare::{Side, has_moved_on, leads_to},
    store::{LookupKey, Table, decode_view, kept_lookups, stream_id},
};

/// Hands a difference to `each` for every live view whose list lacks a lookup that leads to it, or has one that does not.
pub(crate) fn compare_kept(
    store: &ViewStore,
    live: Side<'_>,
    kind: ProjectionKind,
    mut each: impl FnMut(Difference),
) -> Result<(), ViewError> {
    let mut wrong = too_long(live)?;
    wrong.append(&mut too_short(live)?);
    for stream in wrong {
        // Of a store that others write meanwhile, views and lookups are copied one after the other.
        if store.is_remote() && has_moved_on(store, live, &stream)? {
            continue;
        }
        each(Difference {
            projection: kind.name(),
            stream: Some(stream),
            kind: DifferenceKind::Changed,
            what: "list of lookups".to_owned(),
        });
    }
    Ok(())
}

/// Views that keep a lookup that does not lead to them.
fn too_long(live: Side<'_>) -> Result<BTreeSet<StreamId>, ViewError> {
    let mut wrong = BTreeSet::new();
    for row in live.snapshot.rows(Table::Views, live.generation)? {
        let (name, view) = row?;
        let stream = stream_id(name)?;
        for lookup in kept_lookups(&decode_view(view)?)?.unwrap_or_default() {
            let value = live.snapshot.lookup(live.generation, &lookup)?;
            let leads = value.and_then(|value| leads_to(lookup.index.as_bytes(), &value));
            if leads.as_ref() != Some(&stream) {
                wrong.insert(stream.clone());
            }
        }
    }
    Ok(wrong)
}

/// Views that do not keep a lookup that leads to them.
fn too_short(live: Side<'_>) -> Result<BTreeSet<StreamId>, ViewError> {
    let mut wrong = BTreeSet::new();
    for row in live.snapshot.rows(Table::Lookups, live.generation)? {
        let (key, value) = row?;
        let Some(stream) = leads_to(key, value) else {
            continue;
        };
        let Some(view) = live.snapshot.view(live.generation, &stream)? else {
            continue;
        };
        let kept = kept_lookups(&view)?;
        if kept.is_some_and(|kept| !kept.iter().any(|lookup| is_at(lookup, key))) {
            wrong.insert(stream);
        }
    }
    Ok(wrong)
}

/// Whether a lookup's row has this key.
fn is_at(lookup: &LookupKey, key: &[u8]) -> bool {
    let parts = [lookup.index, &lookup.partition, &lookup.key];
    parts.join("\0").as_bytes() == key
}

#[cfg(test)]
mod tests {
    use eventing::testing::TempDir;
    use eventing::{Keys, MasterKey, Position, SubjectId, Version};
    use uuid::Uuid;

    use super::*;
    use crate::projections::INDEXES;
    use crate::store::{Batch, Generation, ViewWrite};

    const KIND: ProjectionKind = ProjectionKind::Accounts;

    struct World {
        _dir: TempDir,
        store: ViewStore,
        generation: Generation,
        subject: SubjectId,
    }

    impl World {
        async fn new() -> Self {
            let dir = TempDir::new();
            let keys = Keys::open(dir.path(), MasterKey::random()).await.unwrap();
            let subject = SubjectId::from(Uuid::from_u128(7));
            keys.create(subject).await.unwrap();
            let store = ViewStore::open(dir.path().join("views"))
                .unwrap()
                .sealed_with(keys);
            let generation = store.ensure_live(KIND.name(), KIND.revision()).unwrap();
            Self {
                _dir: dir,
                store,
                generation,
                subject,
            }
        }

        fn lookup(&self, key: &str) -> LookupKey {
            LookupKey::new(INDEXES[0], "", key)
        }

        /// Writes a view that keeps some lookups in its head, when others lead to it.
        fn write(&self, kept: &[&str], leading: &[&str]) {
            let id = self.subject.as_uuid();
            let leading = leading
                .iter()
                .map(|key| (self.lookup(key), Some(id.to_string().into_bytes())));
            let write = ViewWrite {
                projection: KIND.name(),
                generation: self.generation,
                stream: StreamId::new("account", id),
                subject: Some(self.subject),
                from: Version::NONE,
                to: Version(1),
                position: Position(1),
                head: Some(b"{}".to_vec()),
                entries: Vec::new(),
                lookups: leading.collect(),
                kept: kept.iter().map(|key| self.lookup(key)).collect(),
            };
            let batch = Batch {
                writes: vec![write],
                ..Batch::default()
            };
            self.store.commit(batch).unwrap();
        }

        fn differences(&self) -> Vec<String> {
            let frozen = self.store.frozen(&[self.generation]).unwrap();
            let live = Side {
                snapshot: &frozen.snapshot,
                generation: self.generation,
            };
            let mut found = Vec::new();
            compare_kept(&self.store, live, KIND, |difference| {
                found.push(difference.to_string())
            })
            .unwrap();
            found
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_list_with_every_lookup_that_leads_to_its_view_is_right() {
        let world = World::new().await;
        world.write(&["a", "b"], &["a", "b"]);
        assert!(world.differences().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_list_that_lacks_a_lookup_or_has_another_one_is_a_difference() {
        for (kept, leading) in [
            (&["a"][..], &["a", "b"][..]),
            (&["a", "b"], &["a"]),
            (&["b"], &["a"]),
        ] {
            let world = World::new().await;
            world.write(kept, leading);
            let found = world.differences();
            assert_eq!(found.len(), 1, "{kept:?} of {leading:?}: {found:?}");
            assert!(found[0].contains("list of lookups"), "{found:?}");
        }
    }
}
