//! Many events, fast: ratings of many listeners, appended straight to the log, sealed as the server seals them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeZone, Utc};
use classifier::Catalogue;
use domain::listener::TrackRated;
use domain::{ListenerEvent, Rating};
use eventing::record::seal_context;
use eventing::{
    Append, Body, EventId, EventLog, ExpectedVersion, Keys, LogConfig, MasterKey, Metadata, NewEvent,
    SchemaVersion, StreamId, SubjectId, Version,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::cpu::cores;

/// Ratings of each listener.
const EVENTS_PER_LISTENER: u64 = 1_000;
/// Events an append.
const EVENTS_PER_APPEND: u64 = 500;

/// Appends about `events` ratings of tracks of `catalogue` to the log in the data folder `data`, which no server uses
/// at the moment, and hands back how many.
///
/// # Errors
/// When the log or the keys cannot be opened or written.
pub async fn fill(data: &Path, catalogue: Catalogue, events: u64) -> Result<u64> {
    let filler = Arc::new(Filler {
        log: EventLog::open(LogConfig::new(data)).await?,
        keys: Keys::open(data, MasterKey::load_or_create(data)?).await?,
        catalogue,
        listeners: events.div_ceil(EVENTS_PER_LISTENER),
        next: AtomicU64::new(0),
    });
    let mut tasks = JoinSet::new();
    for _ in 0..2 * cores() {
        let filler = Arc::clone(&filler);
        tasks.spawn(async move { filler.work().await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(filler.listeners * EVENTS_PER_LISTENER)
}

struct Filler {
    log: EventLog,
    keys: Keys,
    catalogue: Catalogue,
    listeners: u64,
    next: AtomicU64,
}

impl Filler {
    async fn work(&self) -> Result<()> {
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if n >= self.listeners {
                return Ok(());
            }
            self.listener(n).await?;
        }
    }

    async fn listener(&self, n: u64) -> Result<()> {
        let id = Uuid::now_v7();
        let subject = SubjectId::from(id);
        self.keys.create(subject).await?;
        let stream = StreamId::new("listener", id);
        for first in (0..EVENTS_PER_LISTENER).step_by(EVENTS_PER_APPEND as usize) {
            let mut events = Vec::with_capacity(EVENTS_PER_APPEND as usize);
            for version in first + 1..=first + EVENTS_PER_APPEND {
                events.push(self.event(n, version, &stream, subject).await?);
            }
            let expected = if first == 0 {
                ExpectedVersion::NoStream
            } else {
                ExpectedVersion::Exactly(Version(first))
            };
            let metadata = Metadata {
                subject: Some(subject),
                ..Metadata::new()
            };
            self.log
                .append(Append::new(stream.clone(), expected, events, metadata))
                .await?;
        }
        Ok(())
    }

    async fn event(&self, n: u64, version: u64, stream: &StreamId, subject: SubjectId) -> Result<NewEvent> {
        let rated = self.rated(n, version)?;
        let encoded = domain::recorded::encode(&ListenerEvent::TrackRated(rated));
        let id = EventId::new();
        let context = seal_context(id, stream, Version(version), encoded.event_type);
        let sealed = self
            .keys
            .seal(subject, context.as_bytes(), &encoded.payload)
            .await?;
        Ok(NewEvent {
            id,
            event_type: encoded.event_type.into(),
            schema_version: SchemaVersion(encoded.schema_version),
            body: Body::Sealed(sealed),
        })
    }

    /// A different track for each version, far from the last one, so that no rating replaces another.
    fn rated(&self, n: u64, version: u64) -> Result<TrackRated> {
        let tracks = self.catalogue.len() as u64;
        let index = u32::try_from((n.wrapping_mul(7_919) + version) % tracks)?;
        let rating = if (n + version).is_multiple_of(3) {
            Rating::Dislike
        } else {
            Rating::Like
        };
        Ok(TrackRated {
            track: self.catalogue.id(index),
            rating,
            rated_at: second(version).context("a second of 2026")?,
            described: self.catalogue.describe(index),
        })
    }
}

fn second(n: u64) -> Option<DateTime<Utc>> {
    Utc.timestamp_opt(1_767_225_600 + i64::try_from(n).ok()?, 0)
        .single()
}
