//! What processes remember of people who are forgotten, by whichever process.

use domain::{Account, AccountId, account::Username};
use eventing::{EventFilter, Position, RecordedEvent, SubjectId};
use projectors::DomainExecutor;

use super::ERASED;
use crate::{
    sessions::{SessionGate, account_stream},
    throttle::{Throttle, account_key},
};

const PAGE: usize = 1_000;
/// How long to leave a log alone that did not answer.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_millis(500);

/// What a process remembers of people. Cheap to clone.
#[derive(Clone)]
pub struct Memory {
    /// Aggregates and keys.
    pub executor: DomainExecutor,
    /// Sessions and counters, where there is the API.
    pub edge: Option<(SessionGate, Throttle)>,
}

impl Memory {
    /// Follows the log from `after` on, and drops what is about people as soon as their erasure is in it, whichever process
    /// recorded that. Ends only by being dropped.
    pub async fn follow(self, after: Position) {
        let mut head = self.executor.log().subscribe_head();
        let mut after = after;
        loop {
            let seen = *head.borrow_and_update();
            match erased_after(&self.executor, after, seen).await {
                Ok((erased, reached)) => {
                    erased.into_iter().for_each(|id| self.forget(id));
                    after = reached;
                }
                Err(error) => {
                    tracing::debug!(error = %error, "the log could not be followed for erasures; trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            }
            if after >= seen && head.changed().await.is_err() {
                return;
            }
        }
    }

    /// Drops what is about one person.
    pub fn forget(&self, id: AccountId) {
        if let Some((gate, throttle)) = &self.edge {
            // Only what happens to be in memory still knows the name by which attempts are counted.
            let held = self
                .executor
                .held::<Account>(&account_stream(id), eventing::Version::NONE);
            let username = held.and_then(|held| Username::parse(held.aggregate.username()).ok());
            if let Some(username) = username {
                throttle.forget(account_key(self.executor.keys(), &username));
            }
            gate.forget(id);
        }
        self.executor.forget(SubjectId(id.uuid()));
    }
}

/// Who was erased between two positions, and how far that is known.
async fn erased_after(
    executor: &DomainExecutor,
    after: Position,
    seen: Position,
) -> Result<(Vec<AccountId>, Position), eventing::LogError> {
    let recent = executor.log().recent_after(after, PAGE);
    if let Some(last) = recent.last() {
        return Ok((ids(&recent), last.position));
    }
    let filter = EventFilter {
        event_type: Some(ERASED.to_owned()),
        ..EventFilter::after(after, PAGE)
    };
    let events = executor.log().read_filtered(filter).await?;
    let last = events.last().map_or(after, |event| event.position);
    let reached = if events.len() < PAGE { last.max(seen) } else { last };
    Ok((ids(&events), reached))
}

fn ids(events: &[RecordedEvent]) -> Vec<AccountId> {
    let erased = events.iter().filter(|event| event.event_type == ERASED);
    erased.map(|event| AccountId::new(event.stream.uuid())).collect()
}
