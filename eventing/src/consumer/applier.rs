//! Brings the handler's store up to what is known, and minds the streams that fail.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;

use super::{
    ConsumerError, ConsumerSettings, Handler, Run, Verdict,
    error::Ended,
    ledger::Ledger,
    patience::{Patience, ask_log, ask_store},
    plan::Heap,
    waiting::{Waiting, backoff},
};
use crate::{EventLog, Position, RecordedEvent, StreamId, Version, failpoint};

/// Events of one stream read from the log at once, when a gap is filled.
const STREAM_PAGE: usize = 1_000;
/// How often in a row another replica may be faster before that counts as a failed attempt.
const RACES_MAX: u32 = 5;

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
}

/// Where a run began and ended.
struct Span {
    stream: StreamId,
    first: (Version, Position),
}

/// Why a run was not applied, when it may be later.
struct Failure {
    reason: &'static str,
    error: String,
    asked: Duration,
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
                self.walk(&stream).await?;
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

    /// Looks up what people decided about dead letters.
    pub(super) async fn look_at_decisions(&mut self) -> Result<(), Ended> {
        let released = ask_log!(self.patience, "read its dead letters", self.ledger.read());
        for (stream, position) in released {
            if !self.waiting.contains(&stream) {
                self.waiting.put(stream, Instant::now(), position);
            }
        }
        self.tell();
        Ok(())
    }

    /// Whether events of this stream have to wait; sees to it that a stream that failed in an earlier life does.
    fn sets_aside(&mut self, event: &RecordedEvent) -> bool {
        let stream = &event.stream;
        if self.ledger.is_parked(stream) || self.waiting.contains(stream) {
            return true;
        }
        let alone = self.careful || self.ledger.is_failing(stream) || self.ledger.has_skips(stream);
        if alone {
            self.waiting.put(stream.clone(), Instant::now(), event.position);
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
        let applied = ask_store!(self.patience, "read what is applied", self.handler.applied(streams));
        if applied.len() == streams.len() {
            return Ok(applied);
        }
        Err(self.broke(format!("{} versions for {} streams", applied.len(), streams.len())))
    }

    async fn applied_to(&self, stream: &StreamId) -> Result<Version, Ended> {
        Ok(self.applied(std::slice::from_ref(stream)).await?[0])
    }

    async fn handle(&mut self, runs: Vec<Run>) -> Result<(), Ended> {
        if runs.is_empty() {
            return Ok(());
        }
        let spans: Vec<Span> =
            runs.iter().map(|run| Span { stream: run.stream.clone(), first: run.first() }).collect();
        match self.call(runs).await? {
            Some(verdicts) => {
                for (span, verdict) in spans.into_iter().zip(verdicts) {
                    self.conclude(&span, verdict).await?;
                }
            }
            // One of them is at fault: each is tried alone, and counted before.
            None => {
                for span in spans {
                    self.waiting.put(span.stream, Instant::now(), span.first.1);
                }
            }
        }
        Ok(())
    }

    /// Calls the handler; no answer when it panicked.
    async fn call(&self, runs: Vec<Run>) -> Result<Option<Vec<Verdict>>, Ended> {
        let count = runs.len();
        failpoint!("consumer.before_handle");
        let verdicts = AssertUnwindSafe(self.handler.handle(runs, None)).catch_unwind().await.ok();
        failpoint!("consumer.after_handle");
        match verdicts {
            Some(verdicts) if verdicts.len() != count => {
                Err(self.broke(format!("{} verdicts for {count} runs", verdicts.len())))
            }
            verdicts => Ok(verdicts),
        }
    }

    /// Does what the verdict on a run says. True when the run is stored.
    async fn conclude(&mut self, span: &Span, verdict: Verdict) -> Result<bool, Ended> {
        match verdict {
            Verdict::Done | Verdict::AlreadySeen => Ok(true),
            Verdict::RetryAfter(Duration::ZERO) => self.lost_a_race(span).await.map(|()| false),
            Verdict::RetryAfter(asked) => {
                let error = "the handler asked to be tried again".to_owned();
                self.failed(span, Failure { reason: "retries", error, asked }).await.map(|()| false)
            }
            Verdict::DeadLetter(reason) => self.park(span, "dead-letter", &reason.0).await.map(|()| false),
            Verdict::Halt(reason) => Err(ConsumerError::Halted {
                consumer: self.patience.consumer,
                stream: span.stream.clone(),
                version: span.first.0,
                reason,
            }
            .into()),
        }
    }

    async fn lost_a_race(&mut self, span: &Span) -> Result<(), Ended> {
        let races = self.waiting.put_after_race(span.stream.clone(), Instant::now(), span.first.1);
        if races <= RACES_MAX {
            return Ok(());
        }
        let error = "another replica was always faster".to_owned();
        self.failed(span, Failure { reason: "races", error, asked: Duration::ZERO }).await
    }

    /// Lets the stream wait. The first failure counts as one attempt; later ones were counted before they were made.
    async fn failed(&mut self, span: &Span, failure: Failure) -> Result<(), Ended> {
        let Some(event) = self.at_fault(span).await? else {
            self.waiting.put(span.stream.clone(), Instant::now(), span.first.1);
            return Ok(());
        };
        if self.ledger.attempts(&event.stream, event.version) == 0 {
            ask_log!(self.patience, "count an attempt", self.ledger.count(&event));
        }
        self.ledger.note(&event.stream, failure.reason, &failure.error);
        let attempts = self.ledger.attempts(&event.stream, event.version);
        let (min, max) = (self.settings.backoff_min, self.settings.backoff_max);
        let wait = backoff(attempts, failure.asked, min, max);
        self.waiting.put(event.stream.clone(), Instant::now() + wait, event.position);
        Ok(())
    }

    /// Parks the stream and tells so.
    async fn park(&mut self, span: &Span, reason: &str, error: &str) -> Result<(), Ended> {
        if let Some(event) = self.at_fault(span).await? {
            ask_log!(self.patience, "store a dead letter", self.ledger.park(&event, reason, error));
            tracing::error!(
                consumer.name = self.patience.consumer,
                stream = %event.stream,
                version = event.version.0,
                position = event.position.0,
                reason,
                error,
                "an event is set aside; its stream waits until a person retries or skips it"
            );
        }
        self.stop_waiting(&span.stream).await;
        Ok(())
    }

    /// The first event of the stream that is not applied; none when another replica was faster.
    async fn at_fault(&self, span: &Span) -> Result<Option<RecordedEvent>, Ended> {
        let applied = self.applied_to(&span.stream).await?;
        let read = ask_log!(self.patience, "read the log", self.log.read_stream(&span.stream, applied, 1));
        Ok(read.into_iter().next())
    }

    /// Tries a stream that waits, alone: counted before, and parked when that was too often.
    async fn retry(&mut self, stream: &StreamId) -> Result<(), Ended> {
        let span = Span { stream: stream.clone(), first: (Version(0), Position(0)) };
        let Some(event) = self.at_fault(&span).await? else { return self.through(stream).await };
        if self.ledger.attempts(stream, event.version) >= self.settings.attempts_max {
            let error = self.ledger.last_error(stream).unwrap_or_default().to_owned();
            return self.park(&span, "too many attempts", &error).await;
        }
        if !self.ledger.is_skipped(stream, event.version) {
            ask_log!(self.patience, "count an attempt", self.ledger.count(&event));
        }
        if self.walk(stream).await? { self.through(stream).await } else { Ok(()) }
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

    /// Applies a stream from where it stands to its head, straight from the log. True when it got there.
    async fn walk(&mut self, stream: &StreamId) -> Result<bool, Ended> {
        let mut before = None;
        loop {
            let applied = self.applied_to(stream).await?;
            if before == Some(applied) {
                return Err(self.broke(format!("{stream} does not go on from version {applied}")));
            }
            before = Some(applied);
            let read = ask_log!(self.patience, "read the log", self.log.read_stream(stream, applied, STREAM_PAGE));
            if read.is_empty() {
                return Ok(true);
            }
            if !self.step(stream, read).await? {
                return Ok(false);
            }
        }
    }

    /// Applies the next events of a stream, up to one that is skipped; or passes over that. True when that is stored.
    async fn step(&mut self, stream: &StreamId, read: Vec<RecordedEvent>) -> Result<bool, Ended> {
        let (version, position) = (read[0].version, read[0].position);
        if self.ledger.is_skipped(stream, version) {
            ask_store!(self.patience, "pass over an event", self.handler.pass_over(stream, version, position));
            return Ok(true);
        }
        let kept = read.into_iter().take_while(|event| !self.ledger.is_skipped(stream, event.version));
        let run = Run { stream: stream.clone(), events: kept.map(Arc::new).collect() };
        let span = Span { stream: stream.clone(), first: run.first() };
        match self.call(vec![run]).await? {
            Some(verdicts) => {
                let verdict = verdicts.into_iter().next().unwrap_or(Verdict::AlreadySeen);
                self.conclude(&span, verdict).await
            }
            None => {
                let error = "the handler panicked".to_owned();
                self.failed(&span, Failure { reason: "panic", error, asked: Duration::ZERO }).await?;
                Ok(false)
            }
        }
    }

    fn broke(&self, what: String) -> Ended {
        ConsumerError::HandlerBroke { consumer: self.patience.consumer, what }.into()
    }

    fn tell(&self) {
        let (parked, waiting) = (self.ledger.parked(), self.waiting.len());
        self.patience.status.update(|status| {
            status.parked = parked;
            status.waiting = waiting;
        });
    }
}
