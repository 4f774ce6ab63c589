//! What every listener likes, folded from pages of the log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use classifier::companions::Likes;
use domain::{AccountId, Event, ListenerEvent};
use eventing::{EventLog, Keys, LogError, Position, RecordedEvent};
use projectors::{Content, Fault, Opened, open_all};

/// Events read at a time.
pub(super) const PAGE: usize = 4_096;

/// The log could not be read on. What was folded stays so; try again.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
    /// A key could not be read.
    #[error("a person's key could not be read: {0}")]
    Keys(String),
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
pub(super) enum Fact<'a> {
    Did(&'a ListenerEvent),
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
        let is_wanted = |event: &RecordedEvent| {
            matches!(
                event.stream.category(),
                AccountId::LISTENER_CATEGORY | AccountId::CATEGORY
            )
        };
        let events: Vec<_> = events.into_iter().filter(is_wanted).map(Arc::new).collect();
        let opening = tokio::task::spawn_blocking(move || open_all(&keys, &events));
        for event in opening.await.map_err(FoldError::Panicked)? {
            for fact in facts(&event)? {
                self.apply(event.position, AccountId::new(event.stream.uuid()), &fact);
            }
        }
        self.position = last;
        Ok(read)
    }

    fn apply(&mut self, position: Position, listener: AccountId, fact: &Fact<'_>) {
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

/// What an event says, as far as it matters here. What can never be read says nothing.
pub(super) fn facts(event: &Opened) -> Result<Vec<Fact<'_>>, FoldError> {
    match (event.stream.category(), &event.content) {
        (AccountId::CATEGORY, _) if event.is_erasure => Ok(vec![Fact::Erased]),
        (AccountId::LISTENER_CATEGORY, Ok(Content::Erased)) => Ok(vec![Fact::Sealed]),
        (AccountId::LISTENER_CATEGORY, Ok(Content::Events(events))) => {
            Ok(events.iter().filter_map(did).collect())
        }
        (AccountId::LISTENER_CATEGORY, Err(Fault::Unavailable(reason))) => {
            Err(FoldError::Keys(reason.clone()))
        }
        _ => Ok(Vec::new()),
    }
}

fn did(event: &Event) -> Option<Fact<'_>> {
    match event {
        Event::Listener(event) => Some(Fact::Did(event)),
        _ => None,
    }
}
