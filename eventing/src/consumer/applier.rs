//! Brings the handler's store up to what is known, and minds the streams that fail.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;

use super::{
    ConsumerError, ConsumerSettings, HaltReason, Handler, Run, Verdict,
    error::Ended,
    ledger::Ledger,
    patience::{Patience, ask_log, ask_store},
    plan::Heap,
    waiting::{Waiting, backoff},
};
use crate::traces::{Handling, trace_of};
use crate::{EventLog, Position, RecordedEvent, StreamId, Version, failpoint};

/// Events of one stream read from the log at once, when a gap is filled.
const STREAM_PAGE: usize = 1_000;
/// How often in a row another replica may be faster before that counts as a failed attempt.
const RACES_MAX: u32 = 5;
/// How many times more attempts an event gets while nothing goes well.
const OUTAGE_FACTOR: u32 = 8;

/// Reasons, as they are stored with dead letters.
const REFUSED: &str = "refused by the handler";
const RETRIED: &str = "retried";
const PANICKED: &str = "panicked";
const TOO_OFTEN: &str = "too many attempts";

/// Applies events. Afterwards each is stored, or its stream is parked, or its stream waits.
pub(super) struct Applier<H> {
    pub(super) handler: Arc<H>,
    pub(super) log: EventLog,
    pub(super) ledger: Ledger,
    pub(super) waiting: Waiting,
    pub(super) settings: ConsumerSettings,
    pub(super) patience: Patience,
    /// Whether every stream is handled alone and counted before, since earlier runs died at this place.
    pub(super) careful: bool,
    /// When a run was stored last.
    pub(super) went_well: Option<Instant>,
}

/// Where a run begins, and how many events it has.
struct Span {
    stream: StreamId,
    first: (Version, Position),
    len: usize,
}

impl Span {
    fn of(run: &Run) -> Self {
        Self {
            stream: run.stream.clone(),
            first: run.first(),
            len: run.events.len(),
        }
    }
}

/// What a verdict on a run leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is stored: go on.
    Stored,
    /// One of several events is at fault: try fewer, to find out which.
    Narrow,
    /// The stream waits, or is parked.
    SetAside,
}

impl<H: Handler> Applier<H> {
    /// Applies `events`, in any order, with duplicates and gaps.
    pub(super) async fn apply(&mut self, events: Vec<Arc<RecordedEvent>>) -> Result<(), Ended> {
        self.make_room().await?;
        let heap = Heap::of(events.into_iter().filter(|event| !self.sets_aside(event)));
        let streams = heap.streams();
        if !streams.is_empty() {
            let applied = self.applied(&streams).await?;
            let plan = heap.against(&applied);
            self.handle(plan.runs).await?;
            for stream in plan.gaps {
                self.walk(&stream, STREAM_PAGE).await?;
            }
        }
        self.retry_due().await
    }

    /// Tries every stream whose time has come.
    pub(super) async fn retry_due(&mut self) -> Result<(), Ended> {
        for stream in self.waiting.due(Instant::now()) {
            self.retry(&stream).await?;
        }
        self.tell();
        Ok(())
    }

    /// Looks up what people decided about dead letters, and what other replicas tried and parked.
    pub(super) async fn look_at_decisions(&mut self) -> Result<(), Ended> {
        let news = ask_log!(self.patience, "read its dead letters", self.ledger.read());
        for (stream, position) in news.released {
            if !self.waiting.contains(&stream) {
                self.waiting.put(stream, Instant::now(), position);
            }
        }
        for (stream, attempts) in news.tried {
            self.waiting
                .postpone(&stream, Instant::now() + self.wait_after(attempts));
        }
        let waiting = self.waiting.streams();
        let parked: Vec<_> = waiting
            .filter(|stream| self.ledger.is_parked(stream))
            .cloned()
            .collect();
        for stream in parked {
            self.stop_waiting(&stream).await;
        }
        self.tell();
        Ok(())
    }

    /// How long an event waits that was tried so often.
    fn wait_after(&self, attempts: u32) -> Duration {
        let (min, max) = (self.settings.backoff_min, self.settings.backoff_max);
        backoff(attempts, Duration::ZERO, min, max)
    }

    /// Whether events of this stream have to wait; sees to it that a stream that failed in an earlier life does.
    fn sets_aside(&mut self, event: &RecordedEvent) -> bool {
        let stream = &event.stream;
        if self.ledger.is_parked(stream) || self.waiting.contains(stream) {
            return true;
        }
        let is_failing = self.ledger.is_failing(stream);
        let alone = self.careful || is_failing || self.ledger.has_skips(stream);
        if alone {
            // One that fails was tried by another replica just now, or is left over from one.
            let attempts = self.ledger.attempts_at(stream);
            let wait = if is_failing {
                self.wait_after(attempts)
            } else {
                Duration::ZERO
            };
            self.waiting
                .put(stream.clone(), Instant::now() + wait, event.position);
        }
        if self.careful {
            self.waiting.suspect(stream);
        }
        alone
    }

    /// Waits until not too many streams wait.
    async fn make_room(&mut self) -> Result<(), Ended> {
        while self.waiting.len() > self.settings.waiting_max {
            let until = self.waiting.next_due().unwrap_or_else(Instant::now);
            tokio::select! {
                () = self.patience.shutdown.cancelled() => return Err(Ended::Asked),
                () = tokio::time::sleep_until(until.into()) => self.retry_due().await?,
            }
        }
        Ok(())
    }

    async fn applied(&self, streams: &[StreamId]) -> Result<Vec<Version>, Ended> {
        let applied = ask_store!(
            self.patience,
            "read what is applied",
            self.handler.applied(streams)
        );
        if applied.len() == streams.len() {
            return Ok(applied);
        }
        Err(self.broke(format!(
            "{} versions for {} streams",
            applied.len(),
            streams.len()
        )))
    }

    async fn applied_to(&self, stream: &StreamId) -> Result<Version, Ended> {
        Ok(self.applied(std::slice::from_ref(stream)).await?[0])
    }

    async fn handle(&mut self, runs: Vec<Run>) -> Result<(), Ended> {
        if runs.is_empty() {
            return Ok(());
        }
        let spans: Vec<Span> = runs.iter().map(Span::of).collect();
        let Some(verdicts) = self.call(runs).await? else {
            spans.iter().for_each(|span| self.try_alone(span));
            return Ok(());
        };
        for (span, verdict) in spans.iter().zip(verdicts) {
            if self.conclude(span, verdict).await? == Outcome::Narrow {
                self.try_alone(span);
            }
        }
        Ok(())
    }

    /// Lets a stream be tried alone, at once, and counted before: it may be at fault.
    fn try_alone(&mut self, span: &Span) {
        self.waiting
            .put(span.stream.clone(), Instant::now(), span.first.1);
        self.waiting.suspect(&span.stream);
    }

    /// Calls the handler; no answer when it panicked.
    async fn call(&self, runs: Vec<Run>) -> Result<Option<Vec<Verdict>>, Ended> {
        let count = runs.len();
        let handling = Handling::begin(self.patience.consumer, &runs);
        failpoint!("consumer.before_handle");
        let verdicts = AssertUnwindSafe(self.handler.handle(runs))
            .catch_unwind()
            .await
            .ok();
        handling.end(verdicts.as_deref());
        failpoint!("consumer.after_handle");
        match verdicts {
            Some(verdicts) if verdicts.len() != count => {
                Err(self.broke(format!("{} verdicts for {count} runs", verdicts.len())))
            }
            verdicts => Ok(verdicts),
        }
    }

    /// Does what the verdict on a run says.
    async fn conclude(&mut self, span: &Span, verdict: Verdict) -> Result<Outcome, Ended> {
        match verdict {
            Verdict::Done | Verdict::AlreadySeen => {
                self.went_well = Some(Instant::now());
                return Ok(Outcome::Stored);
            }
            Verdict::DeadLetter(_) if span.len > 1 => return Ok(Outcome::Narrow),
            Verdict::DeadLetter(reason) => self.park(span, REFUSED, &reason.0).await?,
            Verdict::RetryAfter(Duration::ZERO) => self.lost_a_race(span).await?,
            Verdict::RetryAfter(asked) => {
                self.failed(span, RETRIED, "the handler asked for time", asked)
                    .await?
            }
            Verdict::Halt(reason) => return Err(self.halted(span, reason)),
        }
        Ok(Outcome::SetAside)
    }

    async fn lost_a_race(&mut self, span: &Span) -> Result<(), Ended> {
        let races = self
            .waiting
            .put_after_race(span.stream.clone(), Instant::now(), span.first.1);
        if races <= RACES_MAX {
            return Ok(());
        }
        self.failed(span, RETRIED, "another replica was always faster", Duration::ZERO)
            .await
    }

    /// Lets the stream wait, and remembers why. The first failure counts as an attempt; later ones are counted before.
    async fn failed(&mut self, span: &Span, reason: &str, error: &str, asked: Duration) -> Result<(), Ended> {
        let Some(event) = self.at_fault(&span.stream).await? else {
            self.waiting
                .put(span.stream.clone(), Instant::now(), span.first.1);
            return Ok(());
        };
        // Others may have counted more, or parked it.
        ask_log!(
            self.patience,
            "read a dead letter",
            self.ledger.read_again(&event)
        );
        if self.ledger.is_parked(&span.stream) {
            self.stop_waiting(&span.stream).await;
            return Ok(());
        }
        ask_log!(
            self.patience,
            "remember a failure",
            self.ledger.failed(&event, reason, error)
        );
        let attempts = self.ledger.attempts(&event.stream, event.version);
        let wait = backoff(
            attempts,
            asked,
            self.settings.backoff_min,
            self.settings.backoff_max,
        );
        self.waiting
            .put(event.stream.clone(), Instant::now() + wait, event.position);
        self.patience.status.note(format!(
            "{reason} at {} version {}: {error}",
            event.stream, event.version
        ));
        Ok(())
    }

    /// Parks the stream and tells so.
    async fn park(&mut self, span: &Span, reason: &str, error: &str) -> Result<(), Ended> {
        if let Some(event) = self.at_fault(&span.stream).await? {
            ask_log!(
                self.patience,
                "store a dead letter",
                self.ledger.park(&event, reason, error)
            );
            tracing::error!(
                consumer.name = self.patience.consumer,
                stream = %event.stream,
                version = event.version.0,
                position = event.position.0,
                trace_id = trace_of(&event).map(tracing::field::display),
                reason,
                error,
                "an event is set aside; its stream waits until a person retries or skips it"
            );
        }
        self.stop_waiting(&span.stream).await;
        Ok(())
    }

    /// The first event of the stream that is not applied; none when another replica was faster.
    async fn at_fault(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, Ended> {
        let applied = self.applied_to(stream).await?;
        let read = ask_log!(
            self.patience,
            "read the log",
            self.log.read_stream(stream, applied, 1)
        );
        Ok(read.into_iter().next())
    }

    /// Tries a stream that waits. One that failed is tried alone, counted before, and parked when that was too often.
    async fn retry(&mut self, stream: &StreamId) -> Result<(), Ended> {
        let Some(event) = self.at_fault(stream).await? else {
            return self.through(stream).await;
        };
        let is_tried_elsewhere = ask_log!(
            self.patience,
            "read a dead letter",
            self.ledger.read_again(&event)
        );
        if self.ledger.is_parked(stream) {
            self.stop_waiting(stream).await;
            return Ok(());
        }
        if is_tried_elsewhere {
            let attempts = self.ledger.attempts(stream, event.version);
            let due = Instant::now() + self.wait_after(attempts);
            self.waiting.put(stream.clone(), due, event.position);
            return Ok(());
        }
        self.try_event(&event).await
    }

    /// Tries the first event of a stream that is not applied, and those behind it; parks a hopeless one instead.
    async fn try_event(&mut self, event: &RecordedEvent) -> Result<(), Ended> {
        let stream = &event.stream;
        let suspected = self.waiting.is_suspect(stream) || self.ledger.is_failing(stream);
        let skipped = self.ledger.is_skipped(stream, event.version);
        if suspected && !skipped {
            if self.is_hopeless(event) {
                let span = Span {
                    stream: stream.clone(),
                    first: (event.version, event.position),
                    len: 1,
                };
                let error = self.ledger.last_error(stream).to_owned();
                return self.park(&span, TOO_OFTEN, &error).await;
            }
            ask_log!(self.patience, "count an attempt", self.ledger.count(event));
        }
        let page = if suspected { 1 } else { STREAM_PAGE };
        if self.walk(stream, page).await? {
            self.through(stream).await
        } else {
            Ok(())
        }
    }

    /// Whether an event was tried too often. One whose handler only ever asks for time is given much more of it as
    /// long as nothing else goes well either: that is an outage, not the event's fault.
    fn is_hopeless(&self, event: &RecordedEvent) -> bool {
        let attempts = self.ledger.attempts(&event.stream, event.version);
        let asked_for_time = self.ledger.reason(&event.stream) == RETRIED;
        let is_outage = asked_for_time && self.went_well < self.waiting.since(&event.stream);
        let factor = if is_outage { OUTAGE_FACTOR } else { 1 };
        attempts >= self.settings.attempts_max.saturating_mul(factor)
    }

    async fn through(&mut self, stream: &StreamId) -> Result<(), Ended> {
        ask_log!(self.patience, "clear a failure", self.ledger.clear(stream));
        self.stop_waiting(stream).await;
        Ok(())
    }

    async fn stop_waiting(&mut self, stream: &StreamId) {
        if let Some(delivery) = self.waiting.end(stream)
            && let Err(error) = delivery.ack().await
        {
            self.patience.status.failed("acknowledge", &error);
        }
    }

    /// Applies a stream from where it stands to its head, straight from the log, first `page` events at a time. True
    /// when it got there.
    async fn walk(&mut self, stream: &StreamId, mut page: usize) -> Result<bool, Ended> {
        let mut stored = None;
        loop {
            let applied = self.applied_to(stream).await?;
            if stored == Some(applied) {
                return Err(self.broke(format!("{stream} does not go on from version {applied}")));
            }
            let read = ask_log!(
                self.patience,
                "read the log",
                self.log.read_stream(stream, applied, page)
            );
            if read.is_empty() {
                return Ok(true);
            }
            match self.step(stream, read).await? {
                (Outcome::Stored, _) => (stored, page) = (Some(applied), (page * 2).min(STREAM_PAGE)),
                (Outcome::Narrow, len) => (stored, page) = (None, (len / 2).max(1)),
                (Outcome::SetAside, _) => return Ok(false),
            }
        }
    }

    /// Applies the next events of a stream, up to one that is skipped; or passes over that. Also tells how many.
    async fn step(&mut self, stream: &StreamId, read: Vec<RecordedEvent>) -> Result<(Outcome, usize), Ended> {
        let (version, position) = (read[0].version, read[0].position);
        if self.ledger.is_skipped(stream, version) {
            ask_store!(
                self.patience,
                "pass over an event",
                self.handler.pass_over(stream, version, position)
            );
            return Ok((Outcome::Stored, 1));
        }
        let kept = read
            .into_iter()
            .take_while(|event| !self.ledger.is_skipped(stream, event.version));
        let run = Run {
            stream: stream.clone(),
            events: kept.map(Arc::new).collect(),
        };
        let span = Span::of(&run);
        let verdict = self
            .call(vec![run])
            .await?
            .and_then(|verdicts| verdicts.into_iter().next());
        let outcome = match verdict {
            Some(verdict) => self.conclude(&span, verdict).await?,
            None if span.len > 1 => Outcome::Narrow,
            None => {
                self.failed(&span, PANICKED, "the handler panicked", Duration::ZERO)
                    .await?;
                Outcome::SetAside
            }
        };
        Ok((outcome, span.len))
    }

    fn halted(&self, span: &Span, reason: HaltReason) -> Ended {
        let (consumer, stream, version) = (self.patience.consumer, span.stream.clone(), span.first.0);
        ConsumerError::Halted {
            consumer,
            stream,
            version,
            reason,
        }
        .into()
    }

    fn broke(&self, what: String) -> Ended {
        ConsumerError::HandlerBroke {
            consumer: self.patience.consumer,
            what,
        }
        .into()
    }

    fn tell(&self) {
        let (parked, waiting) = (self.ledger.parked(), self.waiting.len());
        self.patience.status.update(|status| {
            status.parked = parked;
            status.waiting = waiting;
        });
    }
}
