//! Published companions, counted again from the log for auditors.
//!
//! A publication says how far it reaches, and the same likes give the same bytes. So it can be counted again, but not once
//! somebody whose likes are in it was forgotten: their likes cannot be opened any more, on purpose. Such publications are
//! told apart from wrong ones.

use std::collections::{HashSet, VecDeque};

use classifier::Companions;
use classifier::companions::Likes;
use domain::{AccountId, CompanionsEvent, Digest, companions};
use eventing::{EventFilter, EventLog, Position};
use projectors::{Opened, each_filtered};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::fold::{Fact, FoldError, facts};
use crate::inputs::{COUNTED, said_openly};

/// Pages of events that may wait for being counted.
const PAGES_BEHIND: usize = 4;

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

/// Counts publications again while the log is folded for something else, so that it is read and opened once.
pub struct PublicationCheck {
    /// Those that are still to come, in the order of how far they reach.
    publications: VecDeque<(Position, companions::Published)>,
    likes: Likes,
    /// Listeners whose events cannot be opened, though they were not erased yet.
    forgotten: HashSet<AccountId>,
    checked: CheckedPublications,
}

impl PublicationCheck {
    /// Of the last `publications_max` publications up to `until`.
    ///
    /// # Errors
    /// [`FoldError::Log`]: the log could not be read.
    pub async fn begin(log: &EventLog, until: Position, publications_max: usize) -> Result<Self, FoldError> {
        let mut checked = CheckedPublications::default();
        let mut publications = publications(log, until, &mut checked).await?;
        let left_out = publications.len().saturating_sub(publications_max);
        checked.left_out = left_out as u64;
        publications.drain(..left_out);
        publications.sort_by_key(|(_, published)| published.as_of);
        Ok(Self {
            publications: publications.into(),
            likes: Likes::default(),
            forgotten: HashSet::new(),
            checked,
        })
    }

    /// Begins to count on a thread of its own. Holds every like in memory, as the task that publishes does.
    #[must_use]
    pub fn follow(self) -> Following {
        let (sender, pages) = mpsc::channel(PAGES_BEHIND);
        Following {
            folded: Some(sender).filter(|_| !self.publications.is_empty()),
            counting: tokio::task::spawn_blocking(move || self.count(pages)),
        }
    }

    fn count(mut self, mut pages: mpsc::Receiver<Vec<Opened>>) -> Result<CheckedPublications, FoldError> {
        while let Some(page) = pages.blocking_recv() {
            for event in &page {
                self.compare_before(event.position);
                for fact in facts(event)? {
                    self.apply(AccountId::new(event.stream.uuid()), &fact);
                }
            }
            if self.publications.is_empty() {
                break;
            }
        }
        self.compare_before(Position(u64::MAX));
        Ok(self.checked)
    }

    fn apply(&mut self, listener: AccountId, fact: &Fact<'_>) {
        match fact {
            Fact::Did(event) => _ = self.likes.apply(listener, event),
            Fact::Sealed => {
                self.forgotten.insert(listener);
                self.likes.forget(listener);
            }
            Fact::Erased => {
                self.forgotten.remove(&listener);
                self.likes.forget(listener);
            }
        }
    }

    /// Compares what reaches no further than to the event before `position`.
    fn compare_before(&mut self, position: Position) {
        while let Some((at, published)) = self
            .publications
            .pop_front_if(|(_, published)| published.as_of < position.0)
        {
            self.compare(at, &published);
        }
    }

    fn compare(&mut self, position: Position, published: &companions::Published) {
        if published.listeners == 0 && published.digest == Companions::none().digest() {
            self.checked.empty += 1;
            return;
        }
        if !self.forgotten.is_empty() {
            self.checked.not_reproducible += 1;
            return;
        }
        let computed = Companions::count(&self.likes);
        if computed.digest() == published.digest {
            self.checked.counted += 1;
            return;
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
    }
}

/// A check that goes along with a fold.
pub struct Following {
    /// Where the fold sends what it folds, from the log's beginning on; nothing when there is nothing to count.
    pub folded: Option<mpsc::Sender<Vec<Opened>>>,
    counting: JoinHandle<Result<CheckedPublications, FoldError>>,
}

impl Following {
    /// What it came to, once whoever folds has let go of its sender.
    ///
    /// # Errors
    /// [`FoldError::Keys`]: a person's key could not be read.
    pub async fn finish(self) -> Result<CheckedPublications, FoldError> {
        drop(self.folded);
        self.counting.await.map_err(FoldError::Panicked)?
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
