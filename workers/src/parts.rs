//! What every role works with, and how a role ends when it must not go on.

use eventing::{EventLog, Keys, bus::Bus, consumer::ConsumerError};
use projectors::{DomainExecutor, ViewError, ViewStore};

/// The shared parts of a process. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    /// The event log.
    pub log: EventLog,
    /// The subject keys.
    pub keys: Keys,
    /// Carries out commands; one for the whole process, so that its memory of aggregates is shared.
    pub executor: DomainExecutor,
    /// The view store.
    pub views: ViewStore,
    /// The bus, with [`topology`] declared.
    pub bus: Bus,
}

/// The tag, and queue, of accounts.
pub const USERMANAGEMENT: &str = "usermanagement";
/// The tag, and queue, of everything that playlists are made of.
pub const CLASSIFICATION: &str = "classification";

/// The queues that the roles read.
#[must_use]
pub fn topology() -> eventing::bus::Topology {
    eventing::bus::Topology::by_tag(
        |stream| tag_of(stream.category()),
        &[USERMANAGEMENT, CLASSIFICATION],
    )
}

/// The tag of a category of streams; `None` for one that no role waits for. Companions are read from the log when a playlist
/// needs them, and the access log is read by auditors alone, so nobody has to be told of either.
fn tag_of(category: &str) -> Option<&'static str> {
    match category {
        domain::AccountId::CATEGORY => Some(USERMANAGEMENT),
        domain::AccountId::LISTENER_CATEGORY
        | domain::PlaylistId::CATEGORY
        | domain::CatalogueId::CATEGORY
        | domain::BaseModelId::CATEGORY => Some(CLASSIFICATION),
        _ => None,
    }
}

/// A role stopped though nobody asked it to. Everything it stored is whole; a new start goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The consumer must not go on.
    #[error("the consumer stopped")]
    Consumer(#[from] ConsumerError),
    /// The views cannot be kept.
    #[error("the view store cannot be used")]
    Views(#[from] ViewError),
    /// A part of the role panicked.
    #[error("the {0} panicked")]
    Panicked(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_of_the_domain_has_a_tag_and_its_views_a_reader() {
        use projectors::ProjectionKind as Kind;
        let kinds = |tag| match tag {
            USERMANAGEMENT => crate::usermanagement::PROJECTIONS.as_slice(),
            _ => crate::classifier::PROJECTIONS.as_slice(),
        };
        for category in ["account", "listener", "playlist", "catalogue", "model"] {
            let tag = tag_of(category).unwrap_or_else(|| panic!("{category} has no tag"));
            let wanting: Vec<Kind> = Kind::ALL
                .into_iter()
                .filter(|kind| kind.wants(category))
                .collect();
            assert!(!wanting.is_empty(), "nobody wants {category}");
            for kind in wanting {
                assert!(
                    kinds(tag).contains(&kind),
                    "{kind} wants {category}, but does not read the queue {tag}"
                );
            }
        }
        assert_eq!(tag_of(domain::CompanionsId::CATEGORY), None);
        assert_eq!(tag_of(domain::AccessId::CATEGORY), None);
        assert!(
            !Kind::ALL
                .into_iter()
                .any(|kind| kind.wants(domain::AccessId::CATEGORY))
        );
        assert_eq!(tag_of("other"), None);
    }
}
