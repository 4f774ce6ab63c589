//! Decides a whole batch of appends in memory, each on top of the ones before it.
//!
//! What is refused leaves nothing in the plan, and the others of its batch go on.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::known::{Head, Known};
use crate::append::{Append, AppendError, Appended, Claim, ClaimChange, NewReceipt, Receipt, ReceiptKey};
use crate::ids::{EventId, ExpectedVersion, Position, StreamId, Version, new_uuid_v7};
use crate::log::LogError;
use crate::record::{RecordedEvent, line};

/// What a batch changes, and what its callers are answered.
#[derive(Debug)]
pub(super) struct Plan {
    known: Known,
    after: Position,
    mark: Uuid,
    /// New records with their streams' numbers, in order.
    pub(super) events: Vec<(i64, RecordedEvent)>,
    moved: HashSet<StreamId>,
    /// Who holds a claim after the batch; `None` for nobody.
    pub(super) claims: HashMap<Claim, Option<StreamId>>,
    pub(super) receipts: Vec<(NewReceipt, Position)>,
    now: DateTime<Utc>,
    ids: HashSet<EventId>,
}

impl Plan {
    /// An empty plan on top of `known`, at the time `now` in microseconds.
    pub(super) fn new(known: Known, now: i64) -> Result<Self, LogError> {
        let recorded_at = now.max(known.recorded_at);
        let now = DateTime::from_timestamp_micros(recorded_at)
            .ok_or_else(|| LogError::Corrupt("the time of the last record".to_owned()))?;
        Ok(Self {
            after: known.position,
            mark: new_uuid_v7(),
            known,
            events: Vec::new(),
            moved: HashSet::new(),
            claims: HashMap::new(),
            receipts: Vec::new(),
            now,
            ids: HashSet::new(),
        })
    }

    /// Where the log stands before the batch.
    pub(super) fn after(&self) -> Position {
        self.after
    }

    /// The mark that the log's head has before the batch.
    pub(super) fn after_mark(&self) -> Option<Uuid> {
        self.known.mark
    }

    /// The mark that the batch leaves. Who finds it at [`position`](Self::position) knows that all of the batch was written, and
    /// nothing since.
    pub(super) fn mark(&self) -> Uuid {
        self.mark
    }

    /// Where the log stands after the batch.
    pub(super) fn position(&self) -> Position {
        self.known.position
    }

    /// When its records were recorded, in microseconds.
    pub(super) fn recorded_at(&self) -> i64 {
        self.now.timestamp_micros()
    }

    /// The streams that moved, and where to.
    pub(super) fn moved(&self) -> impl Iterator<Item = (&StreamId, Head)> {
        self.moved
            .iter()
            .filter_map(|stream| Some((stream, *self.known.streams.get(stream)?)))
    }

    /// Whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.claims.is_empty() && self.receipts.is_empty()
    }

    /// Plans one append, or says why not.
    pub(super) fn append(&mut self, append: &Append) -> Result<Appended, AppendError> {
        let head = self.known.streams.get(&append.stream).copied();
        let actual = head.map_or(Version::NONE, |head| head.version);
        let is_expected = append.expected.holds_at(actual);
        if (!is_expected || append.expected == ExpectedVersion::Any)
            && let Some(earlier) = self.earlier(append)
        {
            return Ok(earlier);
        }
        self.check_receipt(append)?;
        if !is_expected {
            return Err(AppendError::VersionConflict {
                stream: append.stream.clone(),
                expected: append.expected,
                actual,
            });
        }
        self.check_claims(append)?;
        self.check_ids(append)?;
        Ok(self.write(append, head))
    }

    /// What the same append was answered, in the database or earlier in this batch.
    fn earlier(&self, append: &Append) -> Option<Appended> {
        let first = append.events.first()?;
        if let Some(earlier) = self.known.earlier.get(&first.id) {
            return Some(earlier.clone());
        }
        let start = self.events.iter().position(|(_, event)| event.id == first.id)?;
        let planned = self.events[start..].iter().map(|(_, event)| event);
        let events: Vec<RecordedEvent> = planned.take(append.events.len()).cloned().collect();
        let is_same = events.len() == append.events.len()
            && events
                .iter()
                .zip(&append.events)
                .all(|(planned, asked)| planned.id == asked.id && planned.stream == append.stream);
        let (position, version) = events.last().map(|last| (last.position, last.version))?;
        is_same.then_some(Appended {
            position,
            version,
            events,
        })
    }

    fn check_receipt(&self, append: &Append) -> Result<(), AppendError> {
        let earlier = append
            .receipt
            .as_ref()
            .and_then(|receipt| self.known.receipts.get(&receipt.key));
        earlier.map_or(Ok(()), |earlier| {
            Err(AppendError::ReceiptExists(Box::new(earlier.clone())))
        })
    }

    fn check_claims(&self, append: &Append) -> Result<(), AppendError> {
        for change in &append.claims {
            if let ClaimChange::Take(claim) = change
                && self.holder(claim).is_some_and(|holder| *holder != append.stream)
            {
                return Err(AppendError::ClaimTaken {
                    kind: claim.kind.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_ids(&self, append: &Append) -> Result<(), AppendError> {
        let mut own = HashSet::new();
        let is_used = |id: &EventId| self.known.used.contains(id) || self.ids.contains(id);
        let is_reused = append
            .events
            .iter()
            .any(|event| is_used(&event.id) || !own.insert(event.id));
        if is_reused {
            return Err(AppendError::Invalid("an event id is in use"));
        }
        Ok(())
    }

    fn holder(&self, claim: &Claim) -> Option<&StreamId> {
        match self.claims.get(claim) {
            Some(changed) => changed.as_ref(),
            None => self.known.claims.get(claim),
        }
    }

    fn write(&mut self, append: &Append, head: Option<Head>) -> Appended {
        let (head, events) = self.write_events(append, head);
        for change in &append.claims {
            self.write_claim(append, change);
        }
        let (position, version) = head.map_or((Position::START, Version::NONE), |head| {
            (head.position, head.version)
        });
        if let Some(receipt) = &append.receipt {
            self.write_receipt(receipt, position);
        }
        Appended {
            position,
            version,
            events,
        }
    }

    fn write_events(&mut self, append: &Append, head: Option<Head>) -> (Option<Head>, Vec<RecordedEvent>) {
        if append.events.is_empty() {
            return (head, Vec::new());
        }
        let mut head = head.unwrap_or(Head {
            no: super::to_sql(self.known.position.next().0),
            version: Version::NONE,
            position: Position::START,
        });
        let mut events = Vec::with_capacity(append.events.len());
        for event in &append.events {
            (head.position, head.version) = (self.known.position.next(), head.version.next());
            self.known.position = head.position;
            let place = line::Place {
                position: head.position,
                stream: &append.stream,
                version: head.version,
                recorded_at: self.now,
            };
            let recorded = line::record(event, &append.metadata, place);
            self.ids.insert(event.id);
            self.events.push((head.no, recorded.clone()));
            events.push(recorded);
        }
        self.known.streams.insert(append.stream.clone(), head);
        self.moved.insert(append.stream.clone());
        (Some(head), events)
    }

    fn write_claim(&mut self, append: &Append, change: &ClaimChange) {
        match change {
            ClaimChange::Take(claim) => {
                self.claims.insert(claim.clone(), Some(append.stream.clone()));
            }
            ClaimChange::Release(claim) if self.holder(claim) == Some(&append.stream) => {
                self.claims.insert(claim.clone(), None);
            }
            ClaimChange::Release(_) => {}
        }
    }

    fn write_receipt(&mut self, receipt: &NewReceipt, position: Position) {
        let stored = Receipt {
            fingerprint: receipt.fingerprint,
            answer: Some(receipt.answer.clone()),
            subject: receipt.subject,
            position,
            recorded_at: self.now,
        };
        self.known.receipts.insert(ReceiptKey(receipt.key.0), stored);
        self.receipts.push((receipt.clone(), position));
    }
}
