//! Published companions, counted again from the log for auditors.
//!
//! A publication says how far it reaches, and the same likes give the same bytes. So it can be counted again, but not once
//! somebody whose likes are in it was forgotten: their likes cannot be opened any more, on purpose. Such publications are
//! told apart from wrong ones.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use classifier::Companions;
use classifier::companions::Likes;
use domain::{AccountId, CompanionsEvent, Digest, companions};
use eventing::{EventFilter, EventLog, Keys, Position};
use projectors::{Count, each_filtered};
use serde::Serialize;

use super::fold::{Fact, FoldError, PAGE, facts};
use crate::inputs::{COUNTED, said_openly};

/// What counting publications again came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckedPublications {
    /// Publications that came out with the same digest.
    pub counted: u64,
    /// Empty ones, which say that there are too few listeners.
    pub empty: u64,
    /// Ones with likes of people who were forgotten since, which nobody can count again.
    pub not_reproducible: u64,
    /// Earlier ones that were not looked at.
    pub left_out: u64,
    /// Publications that are not what the log gives.
    pub differences: u64,
    /// The first of them.
    pub first_difference: Option<PublicationDifference>,
}

/// A publication that the log does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicationDifference {
    /// Where it stands.
    pub position: Position,
    /// How far it says to reach.
    pub as_of: u64,
    /// Its digest.
    pub recorded: Option<Digest>,
    /// The digest of what the log gives.
    pub computed: Option<Digest>,
    /// What is wrong, in words.
    pub words: String,
}

/// Counts the last `publications_max` publications up to `until` again and compares their digests. Reads the log once, and
/// holds every like in memory, as the task that publishes does. `read` grows by every event that is read.
///
/// Dropping the future stops it and changes nothing.
///
/// # Errors
/// [`FoldError`]: the log or a key could not be read.
pub async fn check_publications(
    log: &EventLog,
    keys: &Keys,
    until: Position,
    publications_max: usize,
    read: &Count,
) -> Result<CheckedPublications, FoldError> {
    let mut check = Check::default();
    let mut publications = publications(log, until, &mut check.checked).await?;
    let left_out = publications.len().saturating_sub(publications_max);
    check.checked.left_out = left_out as u64;
    publications.drain(..left_out);
    publications.sort_by_key(|(_, published)| published.as_of);
    let mut after = Position::START;
    for (position, published) in publications {
        let as_of = Position(published.as_of);
        while after < as_of {
            let limit = PAGE.min(usize::try_from(as_of.0 - after.0).unwrap_or(PAGE));
            let events = log.read_after(after, limit).await?;
            let Some(last) = events.last() else { break };
            after = last.position;
            read.fetch_add(events.len() as u64, Ordering::Relaxed);
            let keys = keys.clone();
            let reading = tokio::task::spawn_blocking(move || facts(&keys, &events));
            let facts = reading.await.map_err(FoldError::Panicked)??;
            facts
                .iter()
                .for_each(|(_, listener, fact)| check.apply(*listener, fact));
        }
        check.compare(position, &published).await?;
    }
    Ok(check.checked)
}

#[derive(Default)]
struct Check {
    likes: Arc<Likes>,
    /// Listeners whose events cannot be opened, though they were not erased yet.
    forgotten: HashSet<AccountId>,
    checked: CheckedPublications,
}

impl Check {
    fn apply(&mut self, listener: AccountId, fact: &Fact) {
        let likes = Arc::make_mut(&mut self.likes);
        match fact {
            Fact::Did(event) => _ = likes.apply(listener, event),
            Fact::Sealed => {
                self.forgotten.insert(listener);
                likes.forget(listener);
            }
            Fact::Erased => {
                self.forgotten.remove(&listener);
                likes.forget(listener);
            }
        }
    }

    async fn compare(
        &mut self,
        position: Position,
        published: &companions::Published,
    ) -> Result<(), FoldError> {
        if published.listeners == 0 && published.digest == Companions::none().digest() {
            self.checked.empty += 1;
            return Ok(());
        }
        if !self.forgotten.is_empty() {
            self.checked.not_reproducible += 1;
            return Ok(());
        }
        let likes = Arc::clone(&self.likes);
        let counting = tokio::task::spawn_blocking(move || Companions::count(&likes));
        let computed = counting.await.map_err(FoldError::Panicked)?;
        if computed.digest() == published.digest {
            self.checked.counted += 1;
            return Ok(());
        }
        self.checked.differ(PublicationDifference {
            position,
            as_of: published.as_of,
            recorded: Some(published.digest),
            computed: Some(computed.digest()),
            words: format!(
                "{} likes of {} listeners are recorded, the log gives {} of {}",
                published.likes,
                published.listeners,
                computed.likes(),
                computed.listeners()
            ),
        });
        Ok(())
    }
}

impl CheckedPublications {
    fn differ(&mut self, difference: PublicationDifference) {
        self.differences += 1;
        let first = self.first_difference.as_ref();
        if first.is_none_or(|first| difference.position < first.position) {
            self.first_difference = Some(difference);
        }
    }
}

/// Every publication up to `until`, in the order of the log. One that cannot be read, or reaches further than itself, is a
/// difference.
async fn publications(
    log: &EventLog,
    until: Position,
    checked: &mut CheckedPublications,
) -> Result<Vec<(Position, companions::Published)>, FoldError> {
    let mut found = Vec::new();
    let filter = EventFilter {
        event_type: Some(COUNTED.to_owned()),
        ..EventFilter::after(Position::START, 0)
    };
    each_filtered::<FoldError>(log, filter, until, |event| {
        let said = said_openly(event).ok();
        match said.map(|CompanionsEvent::Published(published)| published) {
            Some(published) if published.as_of < event.position.0 => found.push((event.position, published)),
            other => checked.differ(unsound(event.position, other)),
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

fn unsound(position: Position, published: Option<companions::Published>) -> PublicationDifference {
    let words = match published {
        Some(_) => "it says to reach further than where it stands",
        None => "it cannot be read",
    };
    PublicationDifference {
        position,
        as_of: published.as_ref().map_or(0, |published| published.as_of),
        recorded: published.map(|published| published.digest),
        computed: None,
        words: words.to_owned(),
    }
}
