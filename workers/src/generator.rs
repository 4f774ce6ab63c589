//! The generator: takes requests in, makes several playlists at a time, and finds the requests that were missed.
//!
//! A request comes by the inbox as soon as its view is stored. What comes by no message (a worker died, the inbox was
//! full) still stands in the view of pending playlists, which is swept at the start and every few seconds.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use classifier::GeneratorVersion;
use domain::{Playlist, PlaylistId, PlaylistRejection};
use eventing::traces::{Kind, Running, trace_of};
use eventing::{ExecuteError, Executed, Metadata, Order, failpoint};
use projectors::DomainExecutor;
use tokio::sync::mpsc;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing::field::{Empty, display};

use crate::generation::{Answer, answer_from, contents};
use crate::inputs::{Asked, Inputs, InputsError, Request};
use crate::library::{Library, LibraryError};
use crate::measures::{GenerationMeasures, Stage, Stages};
use crate::parts::Parts;

/// The generator's bounds.
#[derive(Clone, Debug)]
pub struct GeneratorSettings {
    /// Playlists made at a time: computing one takes a whole core.
    pub slots: usize,
    /// Requests that wait in memory. Beyond, they wait in the view.
    pub inbox_max: usize,
    /// How often the view of pending playlists is swept.
    pub sweep_every: Duration,
    /// How many pending playlists one sweep takes up; more than can be made until the next.
    pub sweep_max: usize,
    /// How long playlists that are being made may take after a stop was asked for.
    pub drain_max: Duration,
}

impl Default for GeneratorSettings {
    fn default() -> Self {
        Self {
            slots: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            inbox_max: 1_024,
            sweep_every: Duration::from_secs(2),
            sweep_max: 4_096,
            drain_max: Duration::from_secs(10),
        }
    }
}

/// A request could not be answered now. It stays pending, and a later sweep takes it up again.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The log could not be read far enough.
    #[error("what stood before the request could not be read")]
    Inputs(#[from] InputsError),
    /// A catalogue or model is not to be had now.
    #[error("the catalogue or the model is not to be had now")]
    Library(#[from] LibraryError),
    /// The answer could not be appended. It may have been, if the source says so.
    #[error("the answer could not be appended")]
    Append(#[source] ExecuteError<PlaylistRejection>),
}

/// Answers one request at a time. Cheap to clone.
#[derive(Clone)]
pub struct Generator {
    parts: Parts,
    executor: DomainExecutor,
    library: Library,
    measures: GenerationMeasures,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This generator answered it.
    Answered,
    /// It had its answer, or somebody else was faster.
    AnsweredBefore,
    /// The log has no such request.
    Unknown,
    /// The person who asked was forgotten.
    Erased,
}

impl Generator {
    /// A generator over shared parts.
    #[must_use]
    pub fn new(parts: Parts, library: Library) -> Self {
        let executor = parts.executor.clone();
        Self {
            parts,
            executor,
            library,
            measures: GenerationMeasures::new(),
        }
    }

    /// What it says of its work; every clone of the generator counts in the same.
    #[must_use]
    pub fn measures(&self) -> &GenerationMeasures {
        &self.measures
    }

    /// Answers `playlist`, unless that was done. Any number of generators may do so at once: one answer is recorded.
    ///
    /// Dropping the future is safe; the answer may be recorded all the same.
    ///
    /// # Errors
    /// [`GeneratorError`]: the request stays pending. Try again later.
    pub async fn make(&self, playlist: PlaylistId) -> Result<Outcome, GeneratorError> {
        let made = self.make_counted(playlist).await;
        if made.is_err() {
            self.measures.put_off();
        }
        made
    }

    async fn make_counted(&self, playlist: PlaylistId) -> Result<Outcome, GeneratorError> {
        let Parts { log, keys, .. } = &self.parts;
        match Asked::read(log, keys, playlist).await? {
            Asked::Open(request) => self.answer_in_its_trace(&request).await,
            Asked::Answered(..) => Ok(Outcome::AnsweredBefore),
            Asked::Unknown => Ok(Outcome::Unknown),
            Asked::Erased => Ok(Outcome::Erased),
        }
    }

    /// Goes on with the trace of the request, in log lines and in what is recorded.
    async fn answer_in_its_trace(&self, request: &Request) -> Result<Outcome, GeneratorError> {
        let recorded = &request.recorded;
        tracing::Span::current().record("trace_id", trace_of(recorded).map(display));
        let mut metadata = Metadata::caused_by(recorded);
        let traceparent = recorded.traceparent.as_deref();
        let mut span = Running::continuing(traceparent, Kind::Internal, || "generate playlist".into());
        if let Some(span) = &span {
            metadata.traceparent = Some(span.context().to_string());
        }
        let outcome = self.answer(request, metadata).await;
        if let (Some(span), Err(_)) = (&mut span, &outcome) {
            span.fail("put_off");
        }
        outcome
    }

    async fn answer(&self, request: &Request, metadata: Metadata) -> Result<Outcome, GeneratorError> {
        let Parts { log, keys, views, .. } = &self.parts;
        let version = GeneratorVersion::CURRENT;
        let mut stages = Stages::begin(request.recorded.recorded_at);
        let inputs = Inputs::before(request, log, keys, Some(&views.reader())).await?;
        let contents = contents(version, &inputs, &self.library).await;
        stages.end(Stage::Loading);
        let answer = answer_from(version, request, inputs, contents).await?;
        let is_playlist = matches!(answer, Answer::Generated(_));
        stages.end(Stage::Generating);
        failpoint!("generate.before_append");
        let outcome = self.record(request, answer, metadata).await?;
        failpoint!("generate.after_append");
        stages.end(Stage::Appending);
        match outcome {
            Outcome::Answered => self.measures.answered(&stages, is_playlist),
            _ => self.measures.in_vain(),
        }
        Ok(outcome)
    }

    async fn record(
        &self,
        request: &Request,
        answer: Answer,
        metadata: Metadata,
    ) -> Result<Outcome, GeneratorError> {
        use PlaylistRejection::AlreadyAnswered;
        match self.append(request, answer, metadata).await {
            Ok(_) => Ok(Outcome::Answered),
            Err(ExecuteError::Rejected(AlreadyAnswered)) => Ok(Outcome::AnsweredBefore),
            Err(ExecuteError::Erased) => Ok(Outcome::Erased),
            Err(error) => Err(GeneratorError::Append(error)),
        }
    }

    async fn append(
        &self,
        request: &Request,
        answer: Answer,
        metadata: Metadata,
    ) -> Result<Executed<domain::PlaylistEvent>, ExecuteError<PlaylistRejection>> {
        let command = answer.into_command(SystemTime::now().into());
        let order = Order::<Playlist>::new(request.recorded.stream.clone(), command, metadata);
        self.executor.execute(order.about(request.subject())).await
    }
}

/// The way in: what it takes is made soon, what it does not take is found by a sweep.
#[derive(Clone, Debug)]
pub struct Inbox(mpsc::Sender<PlaylistId>);

impl Inbox {
    /// Asks for `playlist` to be made. Never waits.
    pub fn ask(&self, playlist: PlaylistId) {
        // Full or closed: the request stands in the view of pending playlists, and a sweep finds it there.
        let _ = self.0.try_send(playlist);
    }
}

/// What a slot came back with.
type Done = Result<(task::Id, Result<Outcome, GeneratorError>), JoinError>;

/// A playlist that a slot makes, and what its log lines stand in.
struct BeingMade {
    playlist: PlaylistId,
    lines: tracing::Span,
}

/// The task that keeps a generator busy.
pub struct GeneratorTask {
    generator: Generator,
    settings: GeneratorSettings,
    inbox: mpsc::Receiver<PlaylistId>,
    swept: VecDeque<PlaylistId>,
    being_made: HashMap<task::Id, BeingMade>,
    patience: Patience,
    slots: JoinSet<Result<Outcome, GeneratorError>>,
    /// Gives each generator an order of its own.
    order: RandomState,
}

impl GeneratorTask {
    /// A task, and its inbox.
    #[must_use]
    pub fn new(generator: Generator, settings: GeneratorSettings) -> (Self, Inbox) {
        let (sender, inbox) = mpsc::channel(settings.inbox_max.max(1));
        let task = Self {
            generator,
            settings,
            inbox,
            swept: VecDeque::new(),
            being_made: HashMap::new(),
            patience: Patience::default(),
            slots: JoinSet::new(),
            order: RandomState::new(),
        };
        (task, Inbox(sender))
    }

    /// Makes playlists until `shutdown`. Then it takes nothing new, lets those that are being made come to their end
    /// within [`GeneratorSettings::drain_max`], and returns; the rest stays pending.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut sweeps = interval(self.settings.sweep_every);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.fill_slots();
            let has_room = self.slots.len() < self.settings.slots;
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(done) = self.slots.join_next_with_id() => self.take_back(done),
                Some(playlist) = self.inbox.recv(), if has_room => self.start(playlist),
                _ = sweeps.tick() => self.sweep().await,
            }
        }
        self.drain().await;
    }

    fn fill_slots(&mut self) {
        while self.slots.len() < self.settings.slots {
            // What came by the inbox goes first: somebody is waiting for it now.
            let Some(playlist) = self.inbox.try_recv().ok().or_else(|| self.swept.pop_front()) else {
                return;
            };
            self.start(playlist);
        }
    }

    fn start(&mut self, playlist: PlaylistId) {
        if !self.is_being_made(&playlist) {
            let generator = self.generator.clone();
            // Enabled whatever is written, so that the line of a failure tells its trace.
            let lines = tracing::error_span!("generate", trace_id = Empty);
            let making = async move { generator.make(playlist).await };
            let task = self.slots.spawn(making.instrument(lines.clone()));
            self.being_made.insert(task.id(), BeingMade { playlist, lines });
        }
    }

    fn is_being_made(&self, playlist: &PlaylistId) -> bool {
        self.being_made.values().any(|made| made.playlist == *playlist)
    }

    async fn sweep(&mut self) {
        if !self.swept.is_empty() {
            return;
        }
        match self
            .generator
            .parts
            .views
            .reader()
            .pending_playlists(self.settings.sweep_max)
            .await
        {
            Ok(pending) => {
                self.patience.forget_all_but(&pending);
                let is_due = |id: &PlaylistId| !self.is_being_made(id) && self.patience.is_over(id);
                let mut due: Vec<_> = pending.into_iter().filter(is_due).collect();
                // Every replica sees the same list: in the same order they would all make the same playlists.
                due.sort_by_cached_key(|playlist| self.order.hash_one(playlist));
                self.swept.extend(due);
            }
            // The views are still being built for the first time.
            Err(projectors::ViewError::NotBuilt(_)) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "pending playlists could not be looked up"
                );
            }
        }
    }

    fn take_back(&mut self, done: Done) {
        let task = done.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(BeingMade { playlist, lines }) = self.being_made.remove(&task) else {
            return;
        };
        let _lines = lines.entered();
        match done {
            Ok((_, Ok(outcome))) => tracing::debug!(playlist.id = %playlist, ?outcome, "a playlist was made"),
            Ok((_, Err(error))) => self.put_off(playlist, &error),
            Err(error) => self.put_off(playlist, &error),
        }
    }

    fn put_off(&mut self, playlist: PlaylistId, error: &(dyn std::error::Error + 'static)) {
        let wait = self.patience.failed(playlist);
        tracing::warn!(
            playlist.id = %playlist,
            retry_after_ms = wait.as_millis() as u64,
            error,
            "a playlist could not be made now; it stays pending"
        );
    }

    async fn drain(mut self) {
        let drain_max = self.settings.drain_max;
        let drained = timeout(drain_max, async {
            while let Some(done) = self.slots.join_next_with_id().await {
                self.take_back(done);
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                playlists = self.slots.len(),
                "playlists that were being made stay pending"
            );
        }
    }
}

/// How long to leave requests alone that could not be answered: twice as long after each failure.
#[derive(Debug, Default)]
struct Patience(HashMap<PlaylistId, (u32, Instant)>);

impl Patience {
    const WAIT_MIN: Duration = Duration::from_secs(1);
    const WAIT_MAX: Duration = Duration::from_secs(300);

    fn failed(&mut self, playlist: PlaylistId) -> Duration {
        let (failures, until) = self.0.entry(playlist).or_insert((0, Instant::now()));
        let wait = Self::WAIT_MIN
            .saturating_mul(1 << (*failures).min(16))
            .min(Self::WAIT_MAX);
        *failures += 1;
        *until = Instant::now() + wait;
        wait
    }

    fn is_over(&self, playlist: &PlaylistId) -> bool {
        self.0
            .get(playlist)
            .is_none_or(|(_, until)| *until <= Instant::now())
    }

    fn forget_all_but(&mut self, pending: &[PlaylistId]) {
        if !self.0.is_empty() {
            let pending: HashSet<_> = pending.iter().collect();
            self.0.retain(|playlist, _| pending.contains(playlist));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_doubles_and_is_forgotten_with_the_request() {
        let playlist = PlaylistId::new(uuid::Uuid::from_u128(1));
        let mut patience = Patience::default();
        assert!(patience.is_over(&playlist));
        let waits: Vec<u64> = (0..11).map(|_| patience.failed(playlist).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(!patience.is_over(&playlist));
        tokio::time::advance(Duration::from_secs(300)).await;
        assert!(patience.is_over(&playlist));
        patience.forget_all_but(&[]);
        assert_eq!(patience.failed(playlist).as_secs(), 1);
    }
}
