//! What a consumer says about itself, for readiness and for people.

use std::time::Instant;

use tokio::sync::watch;

use crate::Position;

/// Where a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// The handler's name.
    pub name: &'static str,
    /// What it is doing.
    pub state: ConsumerState,
    /// Everything wanted at or below is stored, parked or skipped.
    pub checkpoint: Position,
    /// The highest position it knows the log to have reached.
    pub head_seen: Position,
    /// Streams set aside as dead letters.
    pub parked: usize,
    /// Streams that failed and will be tried again.
    pub waiting: usize,
    /// What went wrong last; kept when it goes well again. Without personal data.
    pub last_error: Option<String>,
    /// When it first reached the head of the log since its start.
    pub live_since: Option<Instant>,
}

impl ConsumerStatus {
    pub(super) fn starting(name: &'static str) -> Self {
        Self {
            name,
            state: ConsumerState::CatchingUp,
            checkpoint: Position(0),
            head_seen: Position(0),
            parked: 0,
            waiting: 0,
            last_error: None,
            live_since: None,
        }
    }

    /// How many positions lie between the checkpoint and the head.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.head_seen.0.saturating_sub(self.checkpoint.0)
    }

    /// Whether its views can be relied on: it has reached the head once and has not stopped or halted.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == ConsumerState::Live
    }
}

/// What a consumer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerState {
    /// Reading what it missed from the log.
    CatchingUp,
    /// Taking deliveries.
    Live,
    /// Stopped by its handler or by damage it must not go past; `last_error` says why. It needs a person.
    Halted,
    /// Stopped as asked.
    Stopped,
}

/// The writing side of the status.
#[derive(Debug)]
pub(super) struct StatusBoard(watch::Sender<ConsumerStatus>);

impl StatusBoard {
    pub(super) fn new(name: &'static str) -> Self {
        Self(watch::Sender::new(ConsumerStatus::starting(name)))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<ConsumerStatus> {
        self.0.subscribe()
    }

    /// Changes the status; wakes nobody when nothing changed.
    pub(super) fn update(&self, change: impl FnOnce(&mut ConsumerStatus)) {
        self.0.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    /// Sets the error text.
    pub(super) fn note(&self, error: String) {
        self.update(|status| status.last_error = Some(error));
    }

    /// Sets the error text from the whole chain of `error`, and logs it.
    pub(super) fn failed(&self, doing: &str, error: &(dyn std::error::Error + 'static)) {
        let chain = chain_of(error);
        let name = self.0.borrow().name;
        tracing::warn!(consumer.name = name, error = %chain, "the consumer could not {doing}");
        self.update(|status| status.last_error = Some(format!("could not {doing}: {chain}")));
    }
}

/// An error and its sources, on one line.
pub(crate) fn chain_of(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
