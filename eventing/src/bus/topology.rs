//! Which queues there are, and which events each takes.

use crate::{RecordedEvent, StreamId};

/// Gives the tag of a stream's events, or nothing for events that are meant for no queue.
pub type TagOf = fn(&StreamId) -> Option<&'static str>;

/// What a full queue does with one message more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The publisher is told [`Confirmation::Refused`](super::Confirmation::Refused), as RabbitMQ's `reject-publish`.
    Refuse,
    /// The queue forgets what waits in it and tells its consumers to read the log instead, so that one slow queue
    /// does not hold up the others. Only the in-process bus can do this; a broker adapter refuses instead.
    ReadTheLog,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Its name. Stored state on a broker.
    pub name: String,
    /// The topic pattern of routing keys it takes: words between dots, `*` for any one, `#` for any number of them.
    pub pattern: String,
    /// A message that was delivered this many times and not acknowledged is a dead letter.
    pub delivery_limit: u32,
    /// Messages, waiting and unacknowledged together, above which the queue is full.
    pub length_max: usize,
    /// What happens then.
    pub overflow: Overflow,
}

impl QueueSettings {
    /// RabbitMQ 4's own default, stated so that older brokers have it too.
    pub const DELIVERY_LIMIT: u32 = 20;
    /// About 20 MiB of small events; a consumer further behind reads the log, which is faster in bulk.
    pub const LENGTH_MAX: usize = 10_000;

    /// A queue that takes every event of the tag it is named after.
    #[must_use]
    pub fn of_tag(tag: &str) -> Self {
        Self {
            name: tag.to_owned(),
            pattern: format!("{tag}.#"),
            delivery_limit: Self::DELIVERY_LIMIT,
            length_max: Self::LENGTH_MAX,
            overflow: Overflow::ReadTheLog,
        }
    }
}

/// The queues of a deployment, and the tags that route to them.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Gives an event's tag.
    pub tag_of: TagOf,
    /// The queues besides [`DEAD_QUEUE`](super::DEAD_QUEUE), which is always there.
    pub queues: Vec<QueueSettings>,
}

impl Topology {
    /// One queue for each of `tags`, named after it.
    #[must_use]
    pub fn by_tag(tag_of: TagOf, tags: &[&str]) -> Self {
        Self {
            tag_of,
            queues: tags.iter().map(|tag| QueueSettings::of_tag(tag)).collect(),
        }
    }

    /// The key that `event` is published under: `<tag>.<event type>`.
    #[must_use]
    pub fn routing_key(&self, event: &RecordedEvent) -> Option<String> {
        (self.tag_of)(&event.stream).map(|tag| format!("{tag}.{}", event.event_type))
    }
}

/// Whether `key` matches the topic `pattern`.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let key: Vec<&str> = key.split('.').collect();
    words_match(&pattern, &key)
}

fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), _) => (0..=key.len()).any(|taken| words_match(rest, &key[taken..])),
        (Some((word, pattern)), Some((given, key))) => {
            (*word == "*" || word == given) && words_match(pattern, key)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_is_one_word_and_a_hash_is_any_number() {
        assert!(matches("classification.#", "classification.playlist.requested"));
        assert!(matches("classification.#", "classification"));
        assert!(matches("*.playlist.*", "classification.playlist.requested"));
        assert!(matches("#.requested", "classification.playlist.requested"));
        assert!(!matches("classification.*", "classification.playlist.requested"));
        assert!(!matches("classification.#", "usermanagement.account.registered"));
        assert!(!matches("classification", "classification.playlist"));
    }
}
