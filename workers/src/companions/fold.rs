//! What every listener likes, folded from pages of the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use classifier::companions::Likes;
use domain::{AccountId, Event, ListenerEvent};
use eventing::{EventLog, KeyError, Keys, LogError, Payload, Position, RecordedEvent};

/// Events read at a time.
pub(super) const PAGE: usize = 4_096;
const ERASED: &str = "account.erased";

/// The log could not be read on. What was folded stays so; try again.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
    /// A key could not be read.
    #[error("a person's key could not be read")]
    Keys(#[source] KeyError),
    /// A thread that opens events, or counts, panicked.
    #[error("opening events panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// The likes of all listeners up to a position, and what changed since companions were published.
pub(super) struct Fold {
    likes: Arc<Likes>,
    position: Position,
    /// Changes up to here are published.
    published: Position,
    pub(super) changes: u64,
    pub(super) changed_at: Instant,
    /// A listener was erased behind `published`.
    pub(super) is_erased: bool,
    /// Listeners whose events cannot be opened any more, and whose erasure has not come up yet.
    forgotten: HashSet<AccountId>,
}

/// What a record says here.
pub(super) enum Fact {
    Did(ListenerEvent),
    /// It was sealed for somebody who is forgotten.
    Sealed,
    Erased,
}

impl Fold {
    /// Nothing is folded yet; what stands up to `published` is no news.
    pub(super) fn new(published: Position) -> Self {
        Self {
            likes: Arc::default(),
            position: Position::START,
            published,
            changes: 0,
            changed_at: Instant::now(),
            is_erased: false,
            forgotten: HashSet::new(),
        }
    }

    /// The position of the last event that was folded or passed over.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    pub(super) fn likes(&self) -> &Arc<Likes> {
        &self.likes
    }

    /// Takes note that all that is folded is published.
    pub(super) fn is_published(&mut self) {
        self.published = self.position;
        self.changes = 0;
        self.is_erased = false;
    }

    /// Folds the next page. Answers how many events were read; fewer than [`PAGE`] at the end of the log.
    ///
    /// An event that can never be read is passed over: the role's consumer sets it aside and tells of it.
    pub(super) async fn page(&mut self, log: &EventLog, keys: &Keys) -> Result<usize, FoldError> {
        let events = log.tail_after(self.position, PAGE).await?;
        let Some(last) = events.last().map(|event| event.position) else {
            return Ok(0);
        };
        let (read, keys) = (events.len(), keys.clone());
        let reading = tokio::task::spawn_blocking(move || facts(&keys, &events));
        for (position, listener, fact) in reading.await.map_err(FoldError::Panicked)?? {
            self.apply(position, listener, &fact);
        }
        self.position = last;
        Ok(read)
    }

    fn apply(&mut self, position: Position, listener: AccountId, fact: &Fact) {
        let likes = Arc::make_mut(&mut self.likes);
        let has_changed = match fact {
            Fact::Did(event) => likes.apply(listener, event),
            Fact::Sealed => {
                self.forgotten.insert(listener);
                likes.forget(listener)
            }
            Fact::Erased => {
                let had_likes = likes.forget(listener);
                let was_forgotten = self.forgotten.remove(&listener);
                self.is_erased |= position > self.published && (had_likes || was_forgotten);
                had_likes
            }
        };
        if has_changed && position > self.published {
            self.changes += 1;
            self.changed_at = Instant::now();
        }
    }
}

/// What the events say, as far as it matters here, in their order. Blocks while keys are read.
pub(super) fn facts(
    keys: &Keys,
    events: &[RecordedEvent],
) -> Result<Vec<(Position, AccountId, Fact)>, FoldError> {
    let mut facts = Vec::new();
    for event in events {
        let account = AccountId::new(event.stream.uuid());
        match event.stream.category() {
            AccountId::LISTENER_CATEGORY => {
                let said = said(keys, event)?.into_iter();
                facts.extend(said.map(|fact| (event.position, account, fact)));
            }
            AccountId::CATEGORY if event.event_type == ERASED => {
                facts.push((event.position, account, Fact::Erased));
            }
            _ => {}
        }
    }
    Ok(facts)
}

fn said(keys: &Keys, event: &RecordedEvent) -> Result<Vec<Fact>, FoldError> {
    let payload = match keys.open_event_blocking(event) {
        Ok(Payload::Open(payload)) => payload,
        Ok(Payload::Erased) => return Ok(vec![Fact::Sealed]),
        Err(error) if error.is_passing() => return Err(FoldError::Keys(error)),
        Err(_) => return Ok(Vec::new()),
    };
    let decoded = domain::decode(&event.event_type, event.schema_version.0, &payload).unwrap_or_default();
    let listeners = decoded.into_iter().filter_map(|event| match event {
        Event::Listener(event) => Some(Fact::Did(event)),
        _ => None,
    });
    Ok(listeners.collect())
}
