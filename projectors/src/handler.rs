//! Applies what a consumer hands over to several projections at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use eventing::{
    Keys, Position, StreamId, Version,
    consumer::{DeadLetterReason, HaltReason, Handler, HandlerError, Run, Verdict},
};

use parking_lot::Mutex;

use crate::{
    ProjectionKind, ViewError, ViewStore,
    fold::Folded,
    folding::{Folding, live_generation},
    opened::{Fault, Opened, open_all},
    rebuild::blocking,
    remembered::{Remembered, Stand, Stored},
    store::{Batch, Raise, Snapshot, Wanted},
};

/// How long to leave a store or key ring alone that did not answer, or is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long to wait for a rebuild's switch, which takes some milliseconds when views are few.
const RETRY_AFTER_SWITCH: Duration = Duration::from_millis(100);

/// A consumer's handler that keeps the views of some projections.
///
/// The views of a batch and their lookups are durable before a verdict is given, a checkpoint before it is answered for. Several of these, in
/// one process or in many, may keep the same views: each write is compared with the version it was folded from.
///
/// A Redis that was emptied gets empty views again, and one that lost anything is noticed: [`Handler::checkpoint`] then
/// answers less than it did, and the consumer must catch up from there.
#[derive(Clone, Debug)]
pub struct ProjectionHandler {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: ViewStore,
    keys: Keys,
    name: &'static str,
    kinds: Vec<ProjectionKind>,
    remembered: Mutex<Remembered>,
}

impl ProjectionHandler {
    /// A handler called `name` (stored state) that keeps the views of `kinds`.
    ///
    /// A projection that has no views yet, or views of another revision, begins empty: the consumer catches up.
    ///
    /// # Errors
    /// [`ViewError`]: the store cannot be written. Nothing is changed.
    pub fn new(
        store: ViewStore,
        keys: Keys,
        name: &'static str,
        kinds: &[ProjectionKind],
    ) -> Result<Self, ViewError> {
        for kind in kinds {
            store.ensure_live(kind.name(), kind.revision())?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                keys,
                name,
                kinds: kinds.to_vec(),
                remembered: Mutex::default(),
            }),
        })
    }
}

impl Handler for ProjectionHandler {
    fn name(&self) -> &'static str {
        self.inner.name
    }

    fn wants(&self, stream: &StreamId) -> bool {
        self.inner.kinds.iter().any(|kind| kind.wants(stream.category()))
    }

    async fn applied(&self, streams: &[StreamId]) -> Result<Vec<Version>, HandlerError> {
        let streams = streams.to_vec();
        self.inner.ask(move |inner| inner.applied(&streams)).await
    }

    async fn checkpoint(&self) -> Result<Position, HandlerError> {
        self.inner.ask(Inner::checkpoint).await
    }

    async fn store_checkpoint(&self, position: Position) -> Result<Position, HandlerError> {
        let inner = Arc::clone(&self.inner);
        let storing = move || {
            inner.with_views(|| {
                inner.raise_checkpoints(position)?;
                inner.checkpoint()
            })
        };
        let stored = tokio::task::spawn_blocking(storing).await;
        stored.map_err(HandlerError::new)?.map_err(HandlerError::new)
    }

    async fn handle(&self, runs: Vec<Run>) -> Vec<Verdict> {
        let inner = Arc::clone(&self.inner);
        let count = runs.len();
        let handled = tokio::task::spawn_blocking(move || inner.handle(&runs)).await;
        match handled {
            Ok(verdicts) => verdicts,
            // The consumer counts a panic as a failed attempt; the runtime going down cancels nothing that was stored.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => vec![Verdict::RetryAfter(RETRY_AFTER); count],
            },
        }
    }

    async fn pass_over(
        &self,
        stream: &StreamId,
        version: Version,
        position: Position,
    ) -> Result<(), HandlerError> {
        let inner = Arc::clone(&self.inner);
        let stream = stream.clone();
        let passed = tokio::task::spawn_blocking(move || inner.pass_over(&stream, version, position)).await;
        passed.map_err(HandlerError::new)?.map_err(HandlerError::new)
    }
}

/// What came of folding runs, before it is stored.
struct Attempt {
    verdicts: Vec<Verdict>,
    folding: Folding,
}

impl Inner {
    /// Reads inline what takes microseconds, and elsewhere what crosses a network.
    async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl Fn(&Self) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, HandlerError> {
        if !self.store.is_remote() {
            return read(self).map_err(HandlerError::new);
        }
        let inner = Arc::clone(self);
        let read = blocking(move || inner.with_views(|| read(&inner))).await;
        read.map_err(HandlerError::new)
    }

    /// Does `work`, a second time when there were no views at all, as in a Redis that was emptied. Views of another
    /// revision are another program's, and left alone.
    fn with_views<T>(&self, work: impl Fn() -> Result<T, ViewError>) -> Result<T, ViewError> {
        match work() {
            Err(ViewError::NotBuilt(_)) => {
                let snapshot = self.store.snapshot()?;
                for kind in &self.kinds {
                    if snapshot.live(kind.name())?.is_none() {
                        tracing::warn!(
                            projection = kind.name(),
                            "there are no views; they are folded from the start"
                        );
                        self.store.ensure_live(kind.name(), kind.revision())?;
                    }
                }
                work()
            }
            other => other,
        }
    }

    fn applied(&self, streams: &[StreamId]) -> Result<Vec<Version>, ViewError> {
        let snapshot = self.store.snapshot()?;
        self.prefetch(&snapshot, streams)?;
        streams
            .iter()
            .map(|stream| self.applied_to(&snapshot, stream))
            .collect()
    }

    fn prefetch(&self, snapshot: &Snapshot, streams: &[StreamId]) -> Result<(), ViewError> {
        if !snapshot.is_remote() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for kind in &self.kinds {
            let generation = live_generation(snapshot, *kind)?;
            let streams = streams.iter().filter(|stream| kind.wants(stream.category()));
            wanted.extend(streams.map(|stream| Wanted {
                generation,
                stream: stream.clone(),
                subject: None,
                entries: Vec::new(),
            }));
        }
        snapshot.prefetch(&wanted)
    }

    fn applied_to(&self, snapshot: &Snapshot, stream: &StreamId) -> Result<Version, ViewError> {
        let mut lowest = None;
        for kind in self.kinds.iter().filter(|kind| kind.wants(stream.category())) {
            let view = snapshot.view(live_generation(snapshot, *kind)?, stream)?;
            let version = view.map_or(Version::NONE, |view| view.version);
            lowest = Some(lowest.map_or(version, |lowest: Version| lowest.min(version)));
        }
        Ok(lowest.unwrap_or(Version::NONE))
    }

    fn checkpoint(&self) -> Result<Position, ViewError> {
        let snapshot = self.store.snapshot()?;
        let stored = self.stored(&snapshot)?;
        Ok(self.remembered.lock().answer(stored))
    }

    fn stored(&self, snapshot: &Snapshot) -> Result<Stored, ViewError> {
        let checkpoint = |kind: &ProjectionKind| {
            let live = live_generation(snapshot, *kind)?;
            let stand = Stand {
                origin: snapshot.origin(kind.name())?,
                checkpoint: snapshot.checkpoint(live)?,
            };
            Ok((*kind, stand))
        };
        self.kinds.iter().map(checkpoint).collect()
    }

    fn handle(&self, runs: &[Run]) -> Vec<Verdict> {
        let opened: Vec<Vec<Opened>> = runs_of(runs, open_all(&self.keys, &events_of(runs)));
        self.with_views(|| self.store_runs(&opened))
            .unwrap_or_else(|error| vec![verdict_on(&error); runs.len()])
    }

    /// Folds and stores as if nobody else wrote; if somebody did, or a person must be forgotten, does it again for
    /// what is left while nobody else can.
    fn store_runs(&self, runs: &[Vec<Opened>]) -> Result<Vec<Verdict>, ViewError> {
        let snapshot = self.store.snapshot()?;
        let Attempt {
            mut verdicts,
            mut folding,
        } = self.fold_runs(&snapshot, runs)?;
        if folding.forgets_anyone() {
            drop(snapshot);
            return self.store_alone(runs);
        }
        let batch = folding.drain()?;
        drop(snapshot);
        if batch.writes.is_empty() {
            return Ok(verdicts);
        }
        let outcomes = self.store.commit(batch)?.into_iter();
        let refused = outcomes.filter_map(|(stream, outcome)| outcome.err().map(|_| stream));
        let refused = refused.collect::<BTreeSet<_>>();
        if !refused.is_empty() {
            self.try_again(runs, &mut verdicts, &refused)?;
        }
        Ok(verdicts)
    }

    fn raise_checkpoints(&self, position: Position) -> Result<(), ViewError> {
        let snapshot = self.store.snapshot()?;
        let stored = self.stored(&snapshot)?;
        let raises = self.remembered.lock().raises(&stored, position);
        let mut batch = Batch::default();
        for (kind, stand) in raises {
            batch.checkpoints.push(Raise {
                projection: kind.name(),
                generation: live_generation(&snapshot, kind)?,
                to: position,
                known: stand.checkpoint,
                run: stand.origin.run,
            });
        }
        drop(snapshot);
        if !batch.checkpoints.is_empty() {
            let raises = batch.checkpoints.clone();
            self.store.commit(batch)?;
            self.remember(&raises);
        }
        Ok(())
    }

    fn try_again(
        &self,
        runs: &[Vec<Opened>],
        verdicts: &mut [Verdict],
        refused: &BTreeSet<StreamId>,
    ) -> Result<(), ViewError> {
        for (run, verdict) in runs.iter().zip(verdicts) {
            if run.first().is_some_and(|event| refused.contains(&event.stream)) {
                let again = self.store_alone(std::slice::from_ref(run))?;
                *verdict = again
                    .into_iter()
                    .next()
                    .unwrap_or(Verdict::RetryAfter(Duration::ZERO));
            }
        }
        Ok(())
    }

    fn store_alone(&self, runs: &[Vec<Opened>]) -> Result<Vec<Verdict>, ViewError> {
        self.store.exclusively(|snapshot| {
            let Attempt {
                verdicts,
                mut folding,
            } = self.fold_runs(snapshot, runs)?;
            folding.forget_everywhere(snapshot)?;
            let batch = folding.drain()?;
            batch
                .forgotten
                .iter()
                .for_each(|subject| self.keys.forget_cached(*subject));
            Ok((batch, verdicts))
        })
    }

    /// Knows that checkpoints are stored. One that the store has left out is noticed at the next look.
    fn remember(&self, raises: &[Raise]) {
        let mut remembered = self.remembered.lock();
        for raise in raises {
            let kinds = self.kinds.iter().filter(|kind| kind.name() == raise.projection);
            remembered.raised(kinds.copied(), raise.to);
        }
    }

    fn fold_runs(&self, snapshot: &Snapshot, runs: &[Vec<Opened>]) -> Result<Attempt, ViewError> {
        let mut folding = Folding::of_live(snapshot, &self.kinds)?;
        folding.prefetch(snapshot, runs.iter().flatten())?;
        let mut verdicts = Vec::with_capacity(runs.len());
        for run in runs {
            verdicts.push(fold_run(&mut folding, snapshot, run)?);
        }
        Ok(Attempt { verdicts, folding })
    }

    fn pass_over(&self, stream: &StreamId, version: Version, position: Position) -> Result<(), ViewError> {
        self.store.exclusively(|snapshot| {
            let kinds: Vec<_> = self
                .kinds
                .iter()
                .copied()
                .filter(|kind| kind.wants(stream.category()))
                .collect();
            let mut folding = Folding::of_live(snapshot, &kinds)?;
            for fold in folding.folds_mut() {
                fold.pass_over(snapshot, stream, version, position)?;
            }
            Ok((folding.drain()?, ()))
        })
    }
}

fn fold_run(folding: &mut Folding, snapshot: &Snapshot, run: &[Opened]) -> Result<Verdict, ViewError> {
    let mut verdict = Verdict::AlreadySeen;
    for event in run {
        match folding.apply(snapshot, event) {
            Ok(Folded::AlreadySeen) => {}
            Ok(Folded::Applied | Folded::Forgets(_)) => verdict = Verdict::Done,
            Ok(Folded::Gap) => return Ok(Verdict::RetryAfter(Duration::ZERO)),
            Ok(Folded::Unreadable) => return Ok(unreadable(event)),
            Err(error @ ViewError::Corrupt { .. }) => {
                folding.discard(&event.stream);
                return Ok(Verdict::DeadLetter(DeadLetterReason(error.to_string())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(verdict)
}

fn unreadable(event: &Opened) -> Verdict {
    match &event.content {
        Err(Fault::Poison(reason)) => Verdict::DeadLetter(DeadLetterReason(reason.clone())),
        _ => Verdict::RetryAfter(RETRY_AFTER),
    }
}

fn verdict_on(error: &ViewError) -> Verdict {
    match error {
        ViewError::Corrupt { .. } => Verdict::Halt(HaltReason(error.to_string())),
        ViewError::Switching => Verdict::RetryAfter(RETRY_AFTER_SWITCH),
        ViewError::KeyTooLong => Verdict::DeadLetter(DeadLetterReason(error.to_string())),
        _ => {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "views could not be stored; trying again"
            );
            Verdict::RetryAfter(RETRY_AFTER)
        }
    }
}

fn events_of(runs: &[Run]) -> Vec<Arc<eventing::RecordedEvent>> {
    runs.iter().flat_map(|run| run.events.iter().cloned()).collect()
}

fn runs_of(runs: &[Run], opened: Vec<Opened>) -> Vec<Vec<Opened>> {
    let mut opened = opened.into_iter();
    runs.iter()
        .map(|run| opened.by_ref().take(run.events.len()).collect())
        .collect()
}
