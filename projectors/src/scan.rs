//! Folding the log from the log itself: for rebuilds and replays.
//!
//! One task reads pages, all cores open and decode them, and one thread folds them in order. Views stay in memory until
//! enough has gathered, so each is read and written once for many events.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use eventing::{EventLog, Keys, Position, StreamId, Version};
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

use crate::{
    ProjectionKind, ViewError, ViewStore,
    fold::Folded,
    folding::Folding,
    opened::{Content, Fault, Opened, open_all},
    store::{EmbeddedSnapshot, Frozen, Generation, Raise, Refusal, Snapshot, changed_by_another},
};

/// Events read from the log at a time: large enough to be worth a thread, small enough to keep all cores busy.
const PAGE_EVENTS: usize = 4_096;
/// Pages that may be read ahead of the fold.
const PAGES_AHEAD: usize = 8;
/// Views are stored when about so many bytes of them have gathered: while they are stored nothing is folded, and what can be
/// read ahead meanwhile should not be less than what gathers.
const FLUSH_BYTES: usize = 16 << 20;

/// How many events have been read, for whoever watches a long fold.
pub type Count = Arc<AtomicU64>;

/// Whoever watches a long fold.
#[derive(Clone, Debug, Default)]
pub struct Watcher {
    /// Grows by every event that is read.
    pub read: Count,
    /// Gets the events that are folded, opened, in their order and without those that no view is made from. A fold waits for a
    /// slow receiver, and goes on without one that is gone.
    pub folded: Option<mpsc::Sender<Vec<Opened>>>,
}

/// The part of the log to be folded: behind `after`, up to and including `until`.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) log: EventLog,
    pub(crate) keys: Keys,
    pub(crate) after: Position,
    pub(crate) until: Position,
    /// Only these streams; all when absent.
    pub(crate) only: Option<Arc<HashSet<StreamId>>>,
    pub(crate) watcher: Watcher,
}

impl Part {
    /// The log up to and including `until`.
    pub(crate) fn until(log: &EventLog, keys: &Keys, until: Position) -> Self {
        Self {
            log: log.clone(),
            keys: keys.clone(),
            after: Position::START,
            until,
            only: None,
            watcher: Watcher::default(),
        }
    }

    fn admits(&self, stream: &StreamId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(stream))
    }
}

struct Page {
    events: u64,
    opened: Vec<Opened>,
}

/// The live views that a fold is made beside, or compared with.
pub(crate) struct Beside {
    views: LiveViews,
    pub(crate) live: BTreeMap<ProjectionKind, LiveAt>,
}

enum LiveViews {
    /// Fold all there is; the live views tell only what was passed over.
    Moving(Snapshot),
    /// Fold exactly what these claim to hold.
    Frozen(Frozen),
}

impl Beside {
    /// For a fold of all there is.
    pub(crate) fn moving(store: &ViewStore, kinds: &[ProjectionKind]) -> Result<Self, ViewError> {
        let snapshot = store.snapshot()?;
        let live = live_of(kinds, |kind| {
            let Some(built) = snapshot.live(kind.name())? else {
                return Ok(None);
            };
            Ok(Some((built.generation, snapshot.checkpoint(built.generation)?)))
        })?;
        let views = LiveViews::Moving(snapshot);
        Ok(Self { views, live })
    }

    /// For a fold that is compared with the live views as they are now.
    pub(crate) fn frozen(store: &ViewStore, kinds: &[ProjectionKind]) -> Result<Self, ViewError> {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        let frozen = store.frozen_live(&names)?;
        let snapshot = &frozen.snapshot;
        let live = live_of(kinds, |kind| {
            let Some(built) = snapshot.live(kind.name())? else {
                return Ok(None);
            };
            Ok(Some((built.generation, snapshot.checkpoint(built.generation)?)))
        })?;
        let views = LiveViews::Frozen(frozen);
        Ok(Self { views, live })
    }

    /// What is compared with; none for a fold of all there is.
    pub(crate) fn compared(&self) -> Option<&EmbeddedSnapshot> {
        match &self.views {
            LiveViews::Moving(_) => None,
            LiveViews::Frozen(frozen) => Some(&frozen.snapshot),
        }
    }

    /// Where the projection that wants a stream is live.
    fn live_of(&self, stream: &StreamId) -> Option<LiveAt> {
        let mut live = self.live.iter();
        live.find(|(kind, _)| kind.wants(stream.category()))
            .map(|(_, live)| *live)
    }

    /// The version that a live view stands at.
    fn version(&self, generation: Generation, stream: &StreamId) -> Result<Version, ViewError> {
        let view = match &self.views {
            LiveViews::Moving(snapshot) => snapshot.view(generation, stream)?,
            LiveViews::Frozen(frozen) => frozen.snapshot.view(generation, stream)?,
        };
        Ok(view.map_or(Version::NONE, |view| view.version))
    }

    /// Whether the live views claim to hold an event. Up to the checkpoint they do; a view is asked only beyond it.
    fn admits(&self, event: &Opened) -> Result<bool, ViewError> {
        if self.compared().is_none() {
            return Ok(true);
        }
        match self.live_of(&event.stream) {
            None => Ok(false),
            Some((_, checkpoint)) if event.position <= checkpoint => Ok(true),
            Some((generation, _)) => Ok(event.version <= self.version(generation, &event.stream)?),
        }
    }

    /// Whether an unreadable event was skipped by a person: the live view went on beyond it.
    fn went_past(&self, event: &Opened) -> Result<bool, ViewError> {
        match self.live_of(&event.stream) {
            None => Ok(false),
            Some((generation, _)) => Ok(self.version(generation, &event.stream)? >= event.version),
        }
    }
}

type LiveAt = (Generation, Position);

fn live_of(
    kinds: &[ProjectionKind],
    live: impl Fn(ProjectionKind) -> Result<Option<LiveAt>, ViewError>,
) -> Result<BTreeMap<ProjectionKind, LiveAt>, ViewError> {
    let live = kinds.iter().map(|kind| Ok(live(*kind)?.map(|at| (*kind, at))));
    live.filter_map(Result::transpose).collect()
}

/// What a fold of the log came to.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    pub(crate) events: u64,
    /// Streams that an unreadable event stopped.
    pub(crate) stopped: BTreeSet<StreamId>,
    /// Streams whose views were refused, for their person was forgotten meanwhile.
    pub(crate) refused: BTreeSet<StreamId>,
}

/// Folds a part of the log into the given generations and stores them, with `part.until` as their checkpoint.
/// The generations must be no other writer's.
pub(crate) async fn fold_log(
    store: &ViewStore,
    part: Part,
    generations: Vec<(ProjectionKind, Generation)>,
    beside: Option<Arc<parking_lot::Mutex<Beside>>>,
) -> Result<Scanned, ViewError> {
    fold_on(store, part, generations, beside, Scanned::default()).await
}

/// Goes on with a fold that came to `scanned` before: streams that it stopped or refused stay so.
pub(crate) async fn fold_on(
    store: &ViewStore,
    mut part: Part,
    generations: Vec<(ProjectionKind, Generation)>,
    beside: Option<Arc<parking_lot::Mutex<Beside>>>,
    scanned: Scanned,
) -> Result<Scanned, ViewError> {
    let store = store.clone();
    let runtime = Handle::current();
    let folded = tokio::task::spawn_blocking(move || {
        let (until, folded) = (part.until, part.watcher.folded.take());
        let kinds: Vec<_> = generations.iter().map(|(kind, _)| *kind).collect();
        let pages = runtime.block_on(async { read_pages(part, kinds) });
        let snapshot = store.snapshot()?;
        let folding = Folding::new(generations.iter().copied());
        let mut fold = LogFold {
            store,
            folding,
            snapshot,
            beside,
            scanned,
            folded,
        };
        fold.pages(&runtime, pages)?;
        fold.flush(&generations, Some(until))?;
        Ok(fold.scanned)
    });
    folded.await.map_err(ViewError::unavailable)?
}

fn read_pages(part: Part, kinds: Vec<ProjectionKind>) -> mpsc::Receiver<JoinHandle<Result<Page, ViewError>>> {
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(async move {
        let (mut after, until) = (part.after, part.until);
        while after < until {
            let limit = PAGE_EVENTS.min(usize::try_from(until.0 - after.0).unwrap_or(PAGE_EVENTS));
            let events = part.log.read_after(after, limit).await;
            let last = events
                .as_ref()
                .ok()
                .and_then(|events| events.last())
                .map(|event| event.position);
            let (part, kinds) = (part.clone(), kinds.clone());
            let page = tokio::task::spawn_blocking(move || {
                let events = events.map_err(|error| ViewError::log("a page of events", error))?;
                let count = events.len() as u64;
                part.watcher.read.fetch_add(count, Ordering::Relaxed);
                let wanted = |stream: &StreamId| {
                    kinds.iter().any(|kind| kind.wants(stream.category())) && part.admits(stream)
                };
                let events: Vec<_> = events
                    .into_iter()
                    .filter(|event| wanted(&event.stream))
                    .map(Arc::new)
                    .collect();
                Ok(Page {
                    events: count,
                    opened: open_all(&part.keys, &events),
                })
            });
            let is_sent = sender.send(page).await.is_ok();
            match last {
                Some(last) if is_sent => after = last,
                _ => break,
            }
        }
    });
    receiver
}

struct LogFold {
    store: ViewStore,
    folding: Folding,
    snapshot: Snapshot,
    beside: Option<Arc<parking_lot::Mutex<Beside>>>,
    scanned: Scanned,
    folded: Option<mpsc::Sender<Vec<Opened>>>,
}

impl LogFold {
    fn pages(
        &mut self,
        runtime: &Handle,
        mut pages: mpsc::Receiver<JoinHandle<Result<Page, ViewError>>>,
    ) -> Result<(), ViewError> {
        while let Some(page) = pages.blocking_recv() {
            let page = runtime.block_on(page).map_err(ViewError::unavailable)??;
            self.scanned.events += page.events;
            self.folding.prefetch(&self.snapshot, &page.opened)?;
            page.opened.iter().try_for_each(|event| self.event(event))?;
            if let Some(folded) = &self.folded
                && folded.blocking_send(page.opened).is_err()
            {
                self.folded = None;
            }
            if self.folding.weight() >= FLUSH_BYTES {
                self.flush(&[], None)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Opened) -> Result<(), ViewError> {
        if self.scanned.stopped.contains(&event.stream) || self.scanned.refused.contains(&event.stream) {
            return Ok(());
        }
        let beside = self.beside.as_ref().map(|beside| beside.lock());
        if let Some(beside) = &beside
            && !beside.admits(event)?
        {
            return Ok(());
        }
        let went_past = |event: &Opened| {
            beside
                .as_ref()
                .map_or(Ok(false), |beside| beside.went_past(event))
        };
        fold_event(&mut self.folding, &self.snapshot, event, went_past).map(|is_stopped| {
            if is_stopped {
                self.scanned.stopped.insert(event.stream.clone());
            }
        })
    }

    fn flush(
        &mut self,
        generations: &[(ProjectionKind, Generation)],
        checkpoint: Option<Position>,
    ) -> Result<(), ViewError> {
        self.folding.forget_here(&self.snapshot)?;
        let mut batch = self.folding.drain()?;
        if let Some(checkpoint) = checkpoint {
            let raise = |(kind, of): &(ProjectionKind, Generation)| Raise {
                projection: kind.name(),
                generation: *of,
                to: checkpoint,
                known: Position::START,
                run: self.snapshot.run(),
            };
            batch.checkpoints = generations.iter().map(raise).collect();
        }
        for (stream, outcome) in self.store.commit(batch)? {
            match outcome {
                Ok(()) => {}
                Err(Refusal::Forgotten) => _ = self.scanned.refused.insert(stream),
                Err(Refusal::OtherVersion | Refusal::OtherGeneration) => return Err(changed_by_another()),
            }
        }
        self.snapshot = self.store.snapshot()?;
        Ok(())
    }
}

/// Folds one event as a projector does. Answers whether it stops its stream, for it cannot be read.
pub(crate) fn fold_event(
    folding: &mut Folding,
    snapshot: &Snapshot,
    event: &Opened,
    went_past: impl Fn(&Opened) -> Result<bool, ViewError>,
) -> Result<bool, ViewError> {
    match folding.apply(snapshot, event)? {
        Folded::Applied | Folded::AlreadySeen | Folded::Forgets(_) => Ok(false),
        Folded::Gap => Err(ViewError::log("a stream", format!("{} has a gap", event.stream))),
        Folded::Unreadable => match &event.content {
            Err(Fault::Unavailable(reason)) => Err(ViewError::log("a person's key", reason.clone())),
            _ if went_past(event)? => {
                for fold in folding.folds_mut() {
                    fold.pass_over(snapshot, &event.stream, event.version, event.position)?;
                }
                Ok(false)
            }
            Ok(Content::Events(_) | Content::Erased) | Err(Fault::Poison(_)) => Ok(true),
        },
    }
}
