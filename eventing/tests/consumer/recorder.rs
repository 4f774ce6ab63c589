//! A handler that remembers everything, and fails as it is told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use eventing::{
    Position, StreamId, Version,
    consumer::{DeadLetterReason, HaltReason, Handler, HandlerError, Run, Verdict},
};
use tokio::sync::Semaphore;

/// What happens at one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The handler says that it can never be applied.
    Poison,
    /// The handler asks for time, this often.
    Retry(u32),
    /// The handler panics.
    Panic,
    /// The handler never comes back: the test ends the consumer then, as a crash would.
    Hang,
    /// The same, but after the effect is stored.
    HangAfter,
    /// The handler says that going on would do harm.
    Halt,
}

/// The store of any number of replicas, in memory.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    state: Mutex<State>,
    out_of_order: AtomicBool,
    down: AtomicBool,
    keeps_checkpoint: AtomicBool,
    offered: AtomicUsize,
    /// Gets a permit each time a handler hangs.
    pub(crate) hanging: HangCount,
}

#[derive(Debug)]
pub(crate) struct HangCount(pub(crate) Semaphore);

impl Default for HangCount {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

#[derive(Debug, Default)]
struct State {
    applied: HashMap<StreamId, Version>,
    effects: BTreeMap<(StreamId, Version), u32>,
    checkpoint: Position,
    faults: HashMap<(StreamId, Version), Fault>,
    calls: usize,
    loses: Option<(Position, StreamId)>,
}

impl Recorder {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Has `fault` happen at `version` of `stream`.
    pub(crate) fn fail_at(&self, stream: &StreamId, version: u64, fault: Fault) {
        self.state()
            .faults
            .insert((stream.clone(), Version(version)), fault);
    }

    /// Takes all faults away.
    pub(crate) fn repair(&self) {
        self.state().faults.clear();
    }

    /// Has the store answer, or not.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Has the store leave out checkpoints, or not.
    pub(crate) fn keep_checkpoint(&self, keep: bool) {
        self.keeps_checkpoint.store(keep, Ordering::SeqCst);
    }

    /// Forgets all that was stored, as a store without its disk.
    pub(crate) fn lose_everything(&self) {
        *self.state() = State::default();
    }

    /// Has the store lose `stream`, and nothing else, just before it is to store a checkpoint at or above `position`: as one that
    /// is put back to its last dump. It knows that it lacks something, and leaves the checkpoint out.
    pub(crate) fn lose_before_checkpoint(&self, position: Position, stream: &StreamId) {
        self.state().loses = Some((position, stream.clone()));
    }

    /// Has the first `count` events of the log stored, all of `stream`, as another replica would.
    pub(crate) fn has_stored(&self, stream: &StreamId, count: u64) {
        let mut state = self.state();
        state.applied.insert(stream.clone(), Version(count));
        state.checkpoint = Position(count);
    }

    /// How many events were looked at, from the bus or the log.
    pub(crate) fn offered(&self) -> usize {
        self.offered.load(Ordering::SeqCst)
    }

    /// How far `stream` is applied.
    pub(crate) fn version_of(&self, stream: &StreamId) -> u64 {
        self.state().applied.get(stream).map_or(0, |version| version.0)
    }

    /// How many events had an effect.
    pub(crate) fn effects(&self) -> usize {
        self.state().effects.len()
    }

    /// How often `version` of `stream` had an effect.
    pub(crate) fn effects_of(&self, stream: &StreamId, version: u64) -> u32 {
        self.state()
            .effects
            .get(&(stream.clone(), Version(version)))
            .copied()
            .unwrap_or_default()
    }

    /// The stored checkpoint.
    pub(crate) fn stored_checkpoint(&self) -> Position {
        self.state().checkpoint
    }

    /// How often runs were handled.
    pub(crate) fn calls(&self) -> usize {
        self.state().calls
    }

    /// Checks that every effect happened once, and every run was contiguous.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert!(
            !self.out_of_order.load(Ordering::SeqCst),
            "a run was not contiguous"
        );
        let state = self.state();
        let twice: Vec<_> = state.effects.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "applied more than once: {twice:?}");
    }

    fn answer(&self) -> Result<(), HandlerError> {
        if self.down.load(Ordering::SeqCst) {
            Err(HandlerError::new("it is down"))
        } else {
            Ok(())
        }
    }

    /// Applies a run as a view store would: all of it at once, compared with what is applied.
    fn apply(&self, run: &Run) -> Step {
        let mut state = self.state();
        let applied = state.applied.get(&run.stream).copied().unwrap_or_default();
        if run.last().0 <= applied {
            return Step::Say(Verdict::AlreadySeen);
        }
        if run.first().0 != applied.next() {
            return Step::Say(Verdict::RetryAfter(Duration::ZERO));
        }
        let contiguous = run
            .events
            .windows(2)
            .all(|pair| pair[1].version == pair[0].version.next());
        let of_stream = run.events.iter().all(|event| event.stream == run.stream);
        if !contiguous || !of_stream {
            self.out_of_order.store(true, Ordering::SeqCst);
        }
        let mut after = Step::Say(Verdict::Done);
        for event in &run.events {
            match state.faults.get_mut(&(run.stream.clone(), event.version)) {
                None | Some(Fault::Retry(0)) => {}
                Some(Fault::HangAfter) => after = Step::Hang,
                Some(Fault::Hang) => return Step::Hang,
                Some(Fault::Panic) => return Step::Panic,
                Some(Fault::Poison) => {
                    return Step::Say(Verdict::DeadLetter(DeadLetterReason("poison".into())));
                }
                Some(Fault::Halt) => return Step::Say(Verdict::Halt(HaltReason("too dangerous".into()))),
                Some(Fault::Retry(left)) => {
                    *left -= 1;
                    return Step::Say(Verdict::RetryAfter(Duration::from_millis(1)));
                }
            }
        }
        for event in &run.events {
            *state
                .effects
                .entry((run.stream.clone(), event.version))
                .or_default() += 1;
        }
        state.applied.insert(run.stream.clone(), run.last().0);
        after
    }
}

enum Step {
    Say(Verdict),
    Panic,
    Hang,
}

impl Handler for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn wants(&self, stream: &StreamId) -> bool {
        self.offered.fetch_add(1, Ordering::SeqCst);
        stream.category() != "other"
    }

    async fn applied(&self, streams: &[StreamId]) -> Result<Vec<Version>, HandlerError> {
        self.answer()?;
        let state = self.state();
        Ok(streams
            .iter()
            .map(|stream| state.applied.get(stream).copied().unwrap_or_default())
            .collect())
    }

    async fn checkpoint(&self) -> Result<Position, HandlerError> {
        self.answer()?;
        Ok(self.state().checkpoint)
    }

    async fn store_checkpoint(&self, position: Position) -> Result<Position, HandlerError> {
        self.answer()?;
        let mut state = self.state();
        if let Some((_, stream)) = state.loses.take_if(|(at, _)| position >= *at) {
            state.applied.remove(&stream);
            state.effects.retain(|(of, _), _| *of != stream);
            return Ok(state.checkpoint);
        }
        if !self.keeps_checkpoint.load(Ordering::SeqCst) {
            state.checkpoint = state.checkpoint.max(position);
        }
        Ok(state.checkpoint)
    }

    async fn handle(&self, runs: Vec<Run>) -> Vec<Verdict> {
        if !runs.is_empty() {
            self.state().calls += 1;
        }
        let mut verdicts = Vec::with_capacity(runs.len());
        for run in runs {
            match self.apply(&run) {
                Step::Say(verdict) => verdicts.push(verdict),
                Step::Panic => panic!("as told"),
                Step::Hang => {
                    self.hanging.0.add_permits(1);
                    std::future::pending::<()>().await;
                }
            }
        }
        verdicts
    }

    async fn pass_over(
        &self,
        stream: &StreamId,
        version: Version,
        _position: Position,
    ) -> Result<(), HandlerError> {
        self.answer()?;
        let mut state = self.state();
        let applied = state.applied.entry(stream.clone()).or_default();
        if applied.next() == version {
            *applied = version;
        }
        Ok(())
    }
}
