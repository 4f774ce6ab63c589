//! Several projections at work on the same events.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use eventing::{StreamId, SubjectId};

use crate::{
    fold::{Fold, Folded},
    opened::Opened,
    projection::ProjectionKind,
    store::{Batch, Generation, Snapshot, ViewError, Wanted},
};

/// Projections that fold the same events, each into its own generation.
pub(crate) struct Folding {
    folds: BTreeMap<ProjectionKind, Box<dyn Fold>>,
    forgotten: BTreeSet<SubjectId>,
}

impl Folding {
    pub(crate) fn new(generations: impl IntoIterator<Item = (ProjectionKind, Generation)>) -> Self {
        let folds = generations
            .into_iter()
            .map(|(kind, generation)| (kind, kind.start(generation)));
        Self {
            folds: folds.collect(),
            forgotten: BTreeSet::new(),
        }
    }

    /// The live generations of `kinds`.
    pub(crate) fn of_live(snapshot: &Snapshot, kinds: &[ProjectionKind]) -> Result<Self, ViewError> {
        let live = kinds
            .iter()
            .map(|kind| Ok((*kind, live_generation(snapshot, *kind)?)));
        Ok(Self::new(live.collect::<Result<Vec<_>, ViewError>>()?))
    }

    /// Reads in a few round trips what folding `events` will read, where that saves time.
    pub(crate) fn prefetch<'a>(
        &self,
        snapshot: &Snapshot,
        events: impl IntoIterator<Item = &'a Opened>,
    ) -> Result<(), ViewError> {
        if !snapshot.is_remote() {
            return Ok(());
        }
        let mut wanted = BTreeMap::<(Generation, StreamId), Wanted>::new();
        for event in events {
            let folds = self
                .folds
                .iter()
                .filter(|(kind, _)| kind.wants(event.stream.category()));
            for one in folds.filter_map(|(_, fold)| fold.wants(event)) {
                let key = (one.generation, one.stream.clone());
                match wanted.entry(key) {
                    btree_map::Entry::Vacant(empty) => _ = empty.insert(one),
                    btree_map::Entry::Occupied(mut held) => held.get_mut().entries.extend(one.entries),
                }
            }
        }
        let wanted: Vec<_> = wanted.into_values().map(without_doubles).collect();
        snapshot.prefetch(&wanted)
    }

    /// Folds one event into every projection that wants it.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot, event: &Opened) -> Result<Folded, ViewError> {
        let mut result = Folded::AlreadySeen;
        for (kind, fold) in &mut self.folds {
            if !kind.wants(event.stream.category()) {
                continue;
            }
            match fold.apply(snapshot, event)? {
                Folded::AlreadySeen => {}
                Folded::Applied => result = Folded::Applied,
                Folded::Forgets(subject) => {
                    self.forgotten.insert(subject);
                    result = Folded::Forgets(subject);
                }
                stop @ (Folded::Gap | Folded::Unreadable) => return Ok(stop),
            }
        }
        Ok(result)
    }

    pub(crate) fn folds_mut(&mut self) -> impl Iterator<Item = &mut Box<dyn Fold>> {
        self.folds.values_mut()
    }

    pub(crate) fn discard(&mut self, stream: &StreamId) {
        self.folds.values_mut().for_each(|fold| fold.discard(stream));
    }

    pub(crate) fn forgets_anyone(&self) -> bool {
        !self.forgotten.is_empty()
    }

    pub(crate) fn weight(&self) -> usize {
        self.folds.values().map(|fold| fold.weight()).sum()
    }

    /// Forgets, in every live projection, whoever an event said must be. For a batch that is made while nobody else
    /// can write: a view that came up in between would be left over.
    pub(crate) fn forget_everywhere(&mut self, snapshot: &Snapshot) -> Result<(), ViewError> {
        for kind in ProjectionKind::ALL {
            if let Some(live) = snapshot.live(kind.name())?
                && live.revision == kind.revision()
            {
                self.folds
                    .entry(kind)
                    .or_insert_with(|| kind.start(live.generation));
            }
        }
        self.forget_here(snapshot)
    }

    /// Forgets, in these projections alone, whoever an event said must be.
    pub(crate) fn forget_here(&mut self, snapshot: &Snapshot) -> Result<(), ViewError> {
        for fold in self.folds.values_mut() {
            for subject in &self.forgotten {
                fold.forget(snapshot, *subject)?;
            }
        }
        Ok(())
    }

    /// Everything that must be stored. Nothing is kept in memory afterwards.
    pub(crate) fn drain(&mut self) -> Result<Batch, ViewError> {
        let mut batch = Batch {
            forgotten: std::mem::take(&mut self.forgotten).into_iter().collect(),
            ..Batch::default()
        };
        for fold in self.folds.values_mut() {
            batch.writes.append(&mut fold.drain()?);
        }
        Ok(batch)
    }
}

fn without_doubles(mut wanted: Wanted) -> Wanted {
    wanted.entries.sort_unstable();
    wanted.entries.dedup();
    wanted
}

/// The generation that is live and was folded by this program's revision.
pub(crate) fn live_generation(snapshot: &Snapshot, kind: ProjectionKind) -> Result<Generation, ViewError> {
    let live = snapshot
        .live(kind.name())?
        .filter(|live| live.revision == kind.revision());
    live.map(|live| live.generation)
        .ok_or(ViewError::NotBuilt(kind.name()))
}
