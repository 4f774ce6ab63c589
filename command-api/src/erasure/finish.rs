//! What every start does about erasures, before it serves.

use std::collections::HashSet;

use domain::{AccountId, StoredEvent, account};
use eventing::{
    Append, AppendError, Body, DestroyedKey, EventFilter, EventLog, ExpectedVersion, Keys, Metadata,
    NewEvent, Position, SchemaVersion, StreamId, SubjectId, Version,
};

use super::{ERASED, ErasureError, forgotten};
use crate::sessions::account_stream;

const PAGE: usize = 1_000;
/// Several processes may start at once and record the same; each looks again after a conflict.
const ATTEMPTS_MAX: usize = 5;

/// What a start found to be unfinished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Finished {
    /// Keys that were there although the log says that their persons are erased.
    pub keys_destroyed: usize,
    /// Persons whose keys are destroyed and whose erasure the log did not know of: it was put back to an older state.
    pub recorded_again: usize,
}

impl Finished {
    /// Says in the log lines what was found, if anything was.
    pub fn tell(self) {
        if self.keys_destroyed > 0 {
            tracing::warn!(
                keys = self.keys_destroyed,
                "keys of erased people were there, and are destroyed: an erasure was cut short, or older keys were put back"
            );
        }
        if self.recorded_again > 0 {
            tracing::warn!(
                people = self.recorded_again,
                "people are erased again: the log was put back to before their erasure"
            );
        }
    }
}

/// Brings log and keys to agree on who is forgotten, whichever of the two was put back to an older state or left behind by
/// a crash, and deletes what the log's database still holds about them. Safe to do again, and in several processes.
///
/// # Errors
/// [`ErasureError`]: something may be left; nothing must be served before a start has got through.
pub async fn finish(log: &EventLog, keys: &Keys) -> Result<Finished, ErasureError> {
    let mut finished = Finished::default();
    let destroyed = keys.destroyed().await?;
    let known: HashSet<SubjectId> = destroyed.iter().map(|key| key.subject).collect();
    let mut erased = HashSet::new();
    let mut after = Position::START;
    loop {
        let filter = EventFilter {
            event_type: Some(ERASED.to_owned()),
            ..EventFilter::after(after, PAGE)
        };
        let page = log.read_filtered(filter).await?;
        let subjects: Vec<SubjectId> = page.iter().filter_map(|event| event.subject).collect();
        for subject in subjects.iter().filter(|subject| !known.contains(subject)) {
            keys.destroy(*subject).await?;
            finished.keys_destroyed += 1;
        }
        let people: Vec<_> = subjects.iter().copied().map(forgotten).collect();
        log.forget(&people).await?;
        erased.extend(subjects);
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.position,
            _ => break,
        }
    }
    for key in destroyed.iter().filter(|key| !erased.contains(&key.subject)) {
        finished.recorded_again += usize::from(record_again(log, key).await?);
    }
    Ok(finished)
}

/// Records once more what a log has lost that was put back to before an erasure, and gives the name free. False when that
/// log knows nothing of the person, or says by now that they are erased.
async fn record_again(log: &EventLog, key: &DestroyedKey) -> Result<bool, ErasureError> {
    let stream = account_stream(AccountId::new(key.subject.0));
    let mut last_error = None;
    for _ in 0..ATTEMPTS_MAX {
        let Some(head) = log.stream_head(&stream).await? else {
            return Ok(false);
        };
        if is_erased(log, &stream, head.version).await? {
            return Ok(false);
        }
        match log.append(erased_again(&stream, head.version, key)).await {
            Ok(_) => {
                log.forget(&[forgotten(key.subject)]).await?;
                return Ok(true);
            }
            Err(error @ AppendError::VersionConflict { .. }) => last_error = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    last_error.map_or(Ok(false), |error| Err(error.into()))
}

/// Nothing follows an erasure in the stream of an account.
async fn is_erased(log: &EventLog, stream: &StreamId, version: Version) -> Result<bool, ErasureError> {
    let last = log
        .read_stream(stream, Version(version.0.saturating_sub(1)), 1)
        .await?;
    Ok(last.first().is_some_and(|event| event.event_type == ERASED))
}

/// The fact needs no key: it tells nothing but when.
fn erased_again(stream: &StreamId, version: Version, key: &DestroyedKey) -> Append {
    let erased = account::Erased { erased_at: key.at };
    let stored = domain::AccountEvent::from(erased).encode();
    let mut event = NewEvent::new(
        stored.event_type,
        SchemaVersion(stored.schema_version),
        stored.payload.clone(),
    );
    event.body = Body::Open(stored.payload.into());
    let metadata = Metadata {
        subject: Some(key.subject),
        ..Metadata::new()
    };
    Append::new(
        stream.clone(),
        ExpectedVersion::at(version),
        vec![event],
        metadata,
    )
}
