//! The log as a repository of cqrs-es, for loading aggregates.
//!
//! Only loading goes this way. cqrs-es would commit without ids, times and positions, so appending does not.

use std::marker::PhantomData;
use std::sync::Arc;

use cqrs_es::persist::{
    PersistedEventRepository, PersistedEventStore, PersistenceError, ReplayStream, SerializedEvent,
    SerializedSnapshot,
};
use cqrs_es::{Aggregate, DomainEvent, EventStore};
use parking_lot::Mutex;
use serde_json::Value;

use super::cache::Held;
use super::{Codec, LoadError};
use crate::ids::{Position, StreamId, Version};
use crate::keys::{Keys, Payload};
use crate::log::EventLog;
use crate::record::RecordedEvent;

/// Records read at a time.
const PAGE_LEN: usize = 1_000;

/// Folds a stream from its start.
pub(super) async fn load<A, C>(log: &EventLog, keys: &Keys, stream: &StreamId) -> Result<Held<A>, LoadError>
where
    A: Aggregate + Clone + 'static,
    C: Codec<A>,
{
    let seen = Arc::new(Mutex::new(Seen::default()));
    let repository = LogRepository::<A, C> {
        log: log.clone(),
        keys: keys.clone(),
        stream: stream.clone(),
        seen: Arc::clone(&seen),
        types: PhantomData,
    };
    let store = PersistedEventStore::<_, A>::new_event_store(repository);
    let loaded = store.load_aggregate(stream.as_str()).await;
    let seen = std::mem::take(&mut *seen.lock());
    match (loaded, seen.fault) {
        (_, Some(fault)) => Err(fault),
        (Ok(context), None) => Ok(Held {
            version: seen.version,
            position: seen.position,
            weight: seen.weight,
            aggregate: Arc::new(context.aggregate),
        }),
        (Err(error), None) => Err(LoadError::Undecodable(error.to_string())),
    }
}

/// What cqrs-es does not hand on: where the stream ended (an upcast may have dropped its last events), how
/// much was read, and what went wrong.
#[derive(Debug, Default)]
struct Seen {
    version: Version,
    position: Position,
    weight: usize,
    fault: Option<LoadError>,
}

/// One stream of the log, whose events the codec `C` knows as those of `B`.
struct LogRepository<B, C> {
    log: EventLog,
    keys: Keys,
    stream: StreamId,
    seen: Arc<Mutex<Seen>>,
    types: PhantomData<fn() -> (B, C)>,
}

impl<B, C> LogRepository<B, C>
where
    B: Aggregate,
    C: Codec<B>,
{
    async fn read_all(&self, after: Version) -> Result<Vec<SerializedEvent>, LoadError> {
        let mut after = after;
        let mut events = Vec::new();
        loop {
            let page = self.log.read_stream(&self.stream, after, PAGE_LEN).await?;
            for record in &page {
                self.read_one(record, &mut events).await?;
                after = record.version;
            }
            if page.len() < PAGE_LEN {
                return Ok(events);
            }
        }
    }

    async fn read_one(
        &self,
        record: &RecordedEvent,
        events: &mut Vec<SerializedEvent>,
    ) -> Result<(), LoadError> {
        let Payload::Open(payload) = self.keys.open_event(record).await? else {
            return Err(LoadError::Erased);
        };
        let decoded = C::decode(&record.event_type, record.schema_version.0, &payload)
            .map_err(LoadError::Undecodable)?;
        for event in decoded {
            events.push(serialized::<B>(record, &event)?);
        }
        let mut seen = self.seen.lock();
        (seen.version, seen.position) = (record.version, record.position);
        seen.weight += payload.len();
        Ok(())
    }
}

fn serialized<B: Aggregate>(record: &RecordedEvent, event: &B::Event) -> Result<SerializedEvent, LoadError> {
    let payload = serde_json::to_value(event).map_err(|error| LoadError::Undecodable(error.to_string()))?;
    Ok(SerializedEvent {
        aggregate_id: record.stream.to_string(),
        sequence: usize::try_from(record.version.0).unwrap_or(usize::MAX),
        aggregate_type: B::TYPE.to_owned(),
        event_type: event.event_type(),
        event_version: event.event_version(),
        payload,
        metadata: Value::Object(serde_json::Map::new()),
    })
}

fn unused<T>() -> Result<T, PersistenceError> {
    Err(PersistenceError::UnknownError(
        "only loading a stream goes through cqrs-es".into(),
    ))
}

impl<B, C> PersistedEventRepository for LogRepository<B, C>
where
    B: Aggregate,
    C: Codec<B>,
{
    async fn get_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.get_last_events::<A>(aggregate_id, 0).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        _aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.read_all(Version(last_sequence as u64))
            .await
            .map_err(|fault| {
                let error = PersistenceError::UnknownError(fault.to_string().into());
                self.seen.lock().fault = Some(fault);
                error
            })
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _aggregate_id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        _events: &[SerializedEvent],
        _snapshot: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        unused()
    }

    async fn stream_events<A: Aggregate>(
        &self,
        _aggregate_id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        unused()
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        unused()
    }
}
