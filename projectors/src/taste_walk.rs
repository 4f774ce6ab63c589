//! Listeners' taste along the log: each event is read once, however often it is looked at on the way.

use std::{collections::HashSet, sync::Arc};

use domain::AccountId;
use eventing::{EventLog, Keys, Position, StreamId};

use crate::{
    ListenerTaste, ProjectionKind, ViewError, Viewed,
    scan::{Count, Part, Scanned, Watcher, fold_on},
    scratch::Scratch,
};

/// Walks along the log and can say at every step what some listeners had taught until there. What it holds lies in a
/// temporary folder, so its memory does not grow with the log.
pub struct TasteWalk {
    log: EventLog,
    keys: Keys,
    listeners: Arc<HashSet<StreamId>>,
    scratch: Scratch,
    scanned: Scanned,
    at: Position,
    read: Count,
}

impl TasteWalk {
    /// Stands before the first event; only the streams of `listeners` are folded. `read` grows by every event that is read.
    ///
    /// # Errors
    /// `Full`, `Unavailable`: the temporary folder cannot be made.
    pub fn new(
        log: EventLog,
        keys: Keys,
        listeners: impl IntoIterator<Item = AccountId>,
        read: Count,
    ) -> Result<Self, ViewError> {
        Ok(Self {
            log,
            keys,
            listeners: Arc::new(listeners.into_iter().map(listener_stream).collect()),
            scratch: Scratch::of(&[ProjectionKind::TasteModels])?,
            scanned: Scanned::default(),
            at: Position::START,
            read,
        })
    }

    /// Goes on to `until`, that included; never back.
    ///
    /// # Errors
    /// - `Log`: the log or a person's key could not be read.
    /// - `Full`, `Unavailable`: the temporary folder could not be written.
    pub async fn advance(&mut self, until: Position) -> Result<(), ViewError> {
        if until <= self.at {
            return Ok(());
        }
        let part = Part {
            after: self.at,
            only: Some(Arc::clone(&self.listeners)),
            watcher: Watcher {
                read: self.read.clone(),
                folded: None,
            },
            ..Part::until(&self.log, &self.keys, until)
        };
        let generations = self.scratch.generations.clone();
        let scanned = std::mem::take(&mut self.scanned);
        self.scanned = fold_on(&self.scratch.store, part, generations, None, scanned).await?;
        self.at = until;
        Ok(())
    }

    /// What `listener` had taught until here, and the version of their stream; nothing when an event of theirs cannot be
    /// read.
    ///
    /// # Errors
    /// `Full`, `Unavailable`, `Corrupt`: the temporary folder could not be read.
    pub async fn taste(&self, listener: AccountId) -> Result<Option<Viewed<ListenerTaste>>, ViewError> {
        if self.scanned.stopped.contains(&listener_stream(listener)) {
            return Ok(None);
        }
        let reader = self.scratch.store.reader();
        reader.listener_taste(listener).await.map(Some)
    }
}

fn listener_stream(listener: AccountId) -> StreamId {
    StreamId::new(AccountId::LISTENER_CATEGORY, listener.uuid())
}
