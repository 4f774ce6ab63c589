//! Folding a projection again, beside the live views, and switching to the result at once.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use eventing::{EventLog, Keys, Position, StreamId, Version};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::{
    Difference, ProjectionKind, ViewError, ViewStore,
    compare::{Side, compare, was_overtaken},
    digest::digests_of,
    folding::Folding,
    opened::open,
    scan::{Beside, Part, Scanned, fold_event, fold_log},
    store::{Generation, RebuildLock, Snapshot, Standing, Wanted},
};

/// A rebuild stops chasing the log's head when it is so close, and folds the rest while nobody else can write.
const CLOSE_ENOUGH: u64 = 1_000;
/// A log that grows faster than it is folded is chased so many times.
const CHASES_MAX: u32 = 20;
/// Records of one stream read at a time.
const PAGE: usize = 1_000;
/// Views whose standing is read at a time.
const STANDINGS: usize = 1_000;

/// What a rebuild came to.
#[derive(Clone, Debug, Serialize)]
pub struct Rebuilt {
    /// The projection's name.
    pub projection: &'static str,
    /// The generation that is live now.
    pub generation: Generation,
    /// The generation that was live before.
    pub replaced: Option<Generation>,
    /// Everything wanted at or below this is in the new views.
    pub position: Position,
    /// How many events of the log were read.
    pub events: u64,
    /// How many rows of views at the same version were not alike. Expected after a change of the fold; otherwise the
    /// old views were damaged.
    pub differences: u64,
    /// The first of them.
    pub first_difference: Option<Difference>,
    /// Streams that an unreadable event stopped; their views stand before it.
    pub stopped: BTreeSet<StreamId>,
    /// How long it took.
    pub took: Duration,
}

/// Folds all of `kind` again; [`rebuild_together`] with one projection.
///
/// # Errors
/// As [`rebuild_together`]; the live views are unchanged after each.
pub async fn rebuild(
    store: &ViewStore,
    log: &EventLog,
    keys: &Keys,
    kind: ProjectionKind,
) -> Result<Rebuilt, ViewError> {
    let mut rebuilt = rebuild_together(store, log, keys, &[kind]).await?;
    Ok(rebuilt.remove(0))
}

/// Folds all of `kinds` into new generations in one reading of the log. Then, one projection after the other, compares
/// the new generation with the live one and switches to it in one transaction, and at last deletes the old ones.
/// Readers and projectors in every process go on meanwhile and notice the switch by themselves: no view goes back to an
/// earlier version. One answer per kind, in their order.
///
/// Not cancel-safe: a rebuild that is dropped leaves unfinished generations, which the next one deletes.
///
/// # Errors
/// Projections that were switched before the error stay so; the live views of the others are unchanged.
/// - `RebuildRunning`: another one runs on this store.
/// - `Log`: the log or a person's key could not be read.
/// - `Full`, `Unavailable`, `Corrupt`: the store could not be written.
pub async fn rebuild_together(
    store: &ViewStore,
    log: &EventLog,
    keys: &Keys,
    kinds: &[ProjectionKind],
) -> Result<Vec<Rebuilt>, ViewError> {
    let started = Instant::now();
    let (lock, generations) = begin(store.clone(), kinds.to_vec()).await?;
    let rebuild = Rebuild {
        store: store.clone(),
        log: log.clone(),
        keys: keys.clone(),
        generations,
    };
    let finished = rebuild.run().await;
    let store = store.clone();
    let kinds = kinds.to_vec();
    let mut rebuilt = blocking(move || {
        if finished.is_err() {
            kinds
                .iter()
                .try_for_each(|kind| store.abandon(kind.name(), &lock))?;
        }
        store.sweep(&lock)?;
        finished
    })
    .await?;
    for rebuilt in &mut rebuilt {
        rebuilt.took = started.elapsed();
    }
    Ok(rebuilt)
}

type Building = (ProjectionKind, Generation);

async fn begin(
    store: ViewStore,
    kinds: Vec<ProjectionKind>,
) -> Result<(RebuildLock, Vec<Building>), ViewError> {
    blocking(move || {
        let lock = store.lock_rebuild()?;
        let begun = kinds.iter().map(|kind| {
            store
                .begin_building(kind.name(), kind.revision(), &lock)
                .map(|generation| (*kind, generation))
        });
        let begun = begun.collect::<Result<_, _>>()?;
        Ok((lock, begun))
    })
    .await
}

#[derive(Clone)]
struct Rebuild {
    store: ViewStore,
    log: EventLog,
    keys: Keys,
    generations: Vec<Building>,
}

impl Rebuild {
    async fn run(&self) -> Result<Vec<Rebuilt>, ViewError> {
        let (position, scanned) = self.chase().await?;
        let (this, runtime) = (self.clone(), Handle::current());
        blocking(move || {
            let finish = |building: &Building| this.finish(&runtime, *building, position, &scanned);
            this.generations.iter().map(finish).collect()
        })
        .await
    }

    /// Folds the log up to its head, and what came meanwhile, until little is left.
    async fn chase(&self) -> Result<(Position, Scanned), ViewError> {
        let kinds: Vec<_> = self.generations.iter().map(|(kind, _)| *kind).collect();
        let mut total = Scanned::default();
        let mut after = Position::START;
        for _ in 0..CHASES_MAX {
            let until = self
                .log
                .head()
                .await
                .map_err(|error| ViewError::log("its head", error))?;
            let part = Part {
                after,
                ..Part::until(&self.log, &self.keys, until)
            };
            let beside = self.beside(&kinds).await?;
            let mut scanned = fold_log(&self.store, part, self.generations.clone(), beside).await?;
            total.events += scanned.events;
            total.stopped.append(&mut scanned.stopped);
            total.refused.append(&mut scanned.refused);
            let came = until.0 - after.0;
            after = until;
            if came <= CLOSE_ENOUGH || !total.stopped.is_empty() {
                break;
            }
        }
        Ok((after, total))
    }

    async fn beside(&self, kinds: &[ProjectionKind]) -> Result<Option<Arc<Mutex<Beside>>>, ViewError> {
        let (store, kinds) = (self.store.clone(), kinds.to_vec());
        let beside = blocking(move || Beside::moving(&store, &kinds)).await?;
        Ok(Some(Arc::new(Mutex::new(beside))))
    }

    /// Compares one new generation with the live one, and switches to it.
    fn finish(
        &self,
        runtime: &Handle,
        (kind, generation): Building,
        position: Position,
        scanned: &Scanned,
    ) -> Result<Rebuilt, ViewError> {
        let is_of = |stream: &&StreamId| kind.wants(stream.category());
        let live = self.store.snapshot()?.live(kind.name())?;
        let mut rebuilt = Rebuilt {
            projection: kind.name(),
            generation,
            replaced: live.map(|live| live.generation),
            position,
            events: scanned.events,
            differences: 0,
            first_difference: None,
            stopped: scanned.stopped.iter().filter(is_of).cloned().collect(),
            took: Duration::ZERO,
        };
        let refused = scanned.refused.iter().filter(is_of).cloned().collect();
        self.compare(kind, &mut rebuilt)?;
        self.switch(runtime, kind, &mut rebuilt, &refused)?;
        Ok(rebuilt)
    }

    fn compare(&self, kind: ProjectionKind, rebuilt: &mut Rebuilt) -> Result<(), ViewError> {
        let Some(live) = self.store.snapshot()?.live(kind.name())? else {
            return Ok(());
        };
        let frozen = self.store.frozen(&[live.generation])?;
        let fresh = self.store.frozen(&[rebuilt.generation])?;
        let (live_digests, digests, fresh) =
            digests_of((&frozen.snapshot, live.generation), (fresh, rebuilt.generation))?;
        if live_digests == digests {
            return Ok(());
        }
        let live = Side {
            snapshot: &frozen.snapshot,
            generation: live.generation,
        };
        let fresh = Side {
            snapshot: &fresh.snapshot,
            generation: rebuilt.generation,
        };
        compare(live, fresh, |mismatch| {
            let comparable = match mismatch.stream() {
                Some(stream) => is_at_same_version(live, fresh, &stream)?,
                None => true,
            };
            if comparable && !was_overtaken(&self.store, live, &mismatch)? {
                rebuilt.differences += 1;
                rebuilt
                    .first_difference
                    .get_or_insert_with(|| mismatch.difference(kind));
            }
            Ok(())
        })
    }

    fn switch(
        &self,
        runtime: &Handle,
        kind: ProjectionKind,
        rebuilt: &mut Rebuilt,
        refused: &BTreeSet<StreamId>,
    ) -> Result<(), ViewError> {
        let position = rebuilt.position;
        self.store.switch(kind.name(), position, |snapshot| {
            let mut folding = Folding::new([(kind, rebuilt.generation)]);
            self.overtake(
                runtime,
                snapshot,
                (kind, rebuilt.generation),
                refused,
                &mut folding,
            )?;
            folding.drain()
        })?;
        let snapshot = self.store.snapshot()?;
        rebuilt.position = snapshot.checkpoint(rebuilt.generation)?;
        Ok(())
    }

    /// Brings every new view at least to where the live one stands, while nobody else can write.
    fn overtake(
        &self,
        runtime: &Handle,
        snapshot: &Snapshot,
        (kind, building): Building,
        refused: &BTreeSet<StreamId>,
        folding: &mut Folding,
    ) -> Result<(), ViewError> {
        for stream in refused {
            self.refold(runtime, snapshot, building, stream, Version::NONE, folding)?;
        }
        let Some(live) = snapshot.live(kind.name())? else {
            return Ok(());
        };
        let standings = snapshot.standings(live.generation)?;
        for part in standings.chunks(STANDINGS) {
            prefetch(snapshot, building, part)?;
            for Standing {
                stream,
                version,
                is_removed,
            } in part
            {
                let fresh = snapshot.view(building, stream)?;
                let is_behind = fresh.as_ref().is_none_or(|fresh| fresh.version < *version);
                if is_behind && !refused.contains(stream) {
                    self.refold(runtime, snapshot, building, stream, *version, folding)?;
                }
                if *is_removed && fresh.is_some_and(|fresh| fresh.head.is_some()) {
                    folding
                        .folds_mut()
                        .try_for_each(|fold| fold.remove(snapshot, stream))?;
                }
            }
        }
        Ok(())
    }

    fn refold(
        &self,
        runtime: &Handle,
        snapshot: &Snapshot,
        building: Generation,
        stream: &StreamId,
        live: Version,
        folding: &mut Folding,
    ) -> Result<(), ViewError> {
        let mut after = snapshot
            .view(building, stream)?
            .map_or(Version::NONE, |view| view.version);
        loop {
            let page = runtime.block_on(self.log.read_stream(stream, after, PAGE));
            let page = page.map_err(|error| ViewError::log("a stream", error))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.version;
            for event in &page {
                let is_stopped = fold_event(folding, snapshot, &open(&self.keys, event), |event| {
                    Ok(event.version <= live)
                })?;
                if is_stopped {
                    return Ok(());
                }
            }
        }
    }
}

fn prefetch(snapshot: &Snapshot, generation: Generation, standings: &[Standing]) -> Result<(), ViewError> {
    let wanted = standings.iter().map(|standing| Wanted {
        generation,
        stream: standing.stream.clone(),
        subject: None,
        entries: Vec::new(),
    });
    snapshot.prefetch(&wanted.collect::<Vec<_>>())
}

fn is_at_same_version(one: Side<'_>, other: Side<'_>, stream: &StreamId) -> Result<bool, ViewError> {
    let version = |side: Side<'_>| {
        let view = side.snapshot.view(side.generation, stream)?;
        Ok::<_, ViewError>(view.map(|view| view.version))
    };
    Ok(version(one)? == version(other)?)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ViewError> + Send + 'static,
) -> Result<T, ViewError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(ViewError::unavailable)?
}
