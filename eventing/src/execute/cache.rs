//! Aggregates kept in memory, bounded by their weight.

use std::any::Any;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::Loaded;
use crate::ids::{Position, StreamId, SubjectId, Version};

/// The weight of everything kept: about so many bytes.
const WEIGHT_MAX: u64 = 256 << 20;
/// How many aggregates are expected; only a first size.
const ITEMS_EXPECTED: usize = 100_000;
/// What an aggregate weighs besides its events' payloads.
const WEIGHT_LEAST: usize = 512;
/// The cache's parts, each with a lock and an equal share of the weight. What is heavier than a share is not kept, so there are few:
/// the default are four for each core, which on a large machine leaves hardly room for one busy listener in each.
const SHARDS: usize = 2;

/// An aggregate, as of when, and what it weighs: the payload bytes that were folded into it, which is more
/// than what is left of them, unless the codec knows better.
#[derive(Debug)]
pub(super) struct Held<A> {
    pub(super) version: Version,
    pub(super) position: Position,
    pub(super) weight: usize,
    pub(super) aggregate: Arc<A>,
}

#[derive(Debug, Clone)]
struct Kept {
    version: Version,
    position: Position,
    weight: usize,
    /// Whom it is about, as far as is known.
    subject: Option<SubjectId>,
    aggregate: Arc<dyn Any + Send + Sync>,
}

#[derive(Debug, Clone)]
struct ByPayload;

impl Weighter<StreamId, Kept> for ByPayload {
    fn weight(&self, _: &StreamId, kept: &Kept) -> u64 {
        (kept.weight + WEIGHT_LEAST) as u64
    }
}

pub(super) struct AggregateCache(Cache<StreamId, Kept, ByPayload>);

impl std::fmt::Debug for AggregateCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AggregateCache")
            .field("len", &self.0.len())
            .finish()
    }
}

impl AggregateCache {
    pub(super) fn new() -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(ITEMS_EXPECTED)
            .weight_capacity(WEIGHT_MAX)
            .shards(SHARDS)
            .build()
            .expect("both capacities are given");
        Self(Cache::with_options(
            options,
            ByPayload,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        ))
    }

    /// Takes an aggregate out. An aggregate of another type under this name is dropped.
    pub(super) fn take<A: Send + Sync + 'static>(&self, stream: &StreamId) -> Option<Held<A>> {
        let (
            _,
            Kept {
                version,
                position,
                weight,
                aggregate,
                subject: _,
            },
        ) = self.0.remove(stream)?;
        let aggregate = aggregate.downcast().ok()?;
        Some(Held {
            version,
            position,
            weight,
            aggregate,
        })
    }

    /// A copy of what is kept, which stays where it is.
    pub(super) fn peek<A: Send + Sync + 'static>(&self, stream: &StreamId) -> Option<Loaded<A>> {
        let kept = self.0.get(stream)?;
        Some(Loaded {
            version: kept.version,
            position: kept.position,
            aggregate: kept.aggregate.downcast().ok()?,
        })
    }

    pub(super) fn put<A: Send + Sync + 'static>(
        &self,
        stream: &StreamId,
        subject: Option<SubjectId>,
        held: Held<A>,
    ) {
        let Held {
            version,
            position,
            weight,
            aggregate,
        } = held;
        self.0.insert(
            stream.clone(),
            Kept {
                version,
                position,
                weight,
                subject,
                aggregate,
            },
        );
    }

    pub(super) fn remove(&self, stream: &StreamId) {
        self.0.remove(stream);
    }

    /// Drops everything about a person. Looks at all that is kept.
    pub(super) fn forget(&self, subject: SubjectId) {
        self.0.retain(|_, kept| kept.subject != Some(subject));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event_log::new_stream;

    #[test]
    fn an_aggregate_that_takes_a_third_of_the_room_is_kept() {
        let (cache, stream) = (AggregateCache::new(), new_stream());
        let held = Held {
            version: Version(3),
            position: Position(9),
            weight: usize::try_from(WEIGHT_MAX / 3).expect("a size"),
            aggregate: Arc::new(7_u32),
        };
        cache.put(&stream, None, held);
        let kept = cache.take::<u32>(&stream).expect("it is kept");
        assert_eq!((kept.version, *kept.aggregate), (Version(3), 7));
    }
}
