//! Folding opened events into views in memory, and turning those into writes.
//!
//! A [`Projector`] keeps every view it has touched until it is drained: a projector's batch drains at once, a rebuild
//! only when enough has gathered, so that a view which many events touch is read and written once.

use std::collections::{HashMap, hash_map};

use eventing::{Position, StreamId, SubjectId, Version};

use crate::{
    opened::{Content, Opened},
    projection::{Fact, Projection},
    store::{Generation, Snapshot, ViewError, ViewWrite, Wanted},
    view::{View, ViewAt},
};

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folded {
    /// It is in the view now.
    Applied,
    /// It was in the view already.
    AlreadySeen,
    /// An event between the view and this one is missing.
    Gap,
    /// It could not be opened or decoded; the view is as before.
    Unreadable,
    /// Applied, and its person must be forgotten everywhere.
    Forgets(SubjectId),
}

/// A projection at work on one generation.
pub(crate) trait Fold: Send {
    /// Folds one event. On an error the view is as before the event, but for entries read from the store.
    fn apply(&mut self, snapshot: &Snapshot, event: &Opened) -> Result<Folded, ViewError>;

    /// What folding an event will read from the store, as far as it is not at hand.
    fn wants(&self, event: &Opened) -> Option<Wanted>;

    /// Takes an event as applied without effect, when the view stands right before it.
    fn pass_over(
        &mut self,
        snapshot: &Snapshot,
        stream: &StreamId,
        version: Version,
        position: Position,
    ) -> Result<Folded, ViewError>;

    /// Removes every view about a person.
    fn forget(&mut self, snapshot: &Snapshot, subject: SubjectId) -> Result<(), ViewError>;

    /// Removes one view, if it is there.
    fn remove(&mut self, snapshot: &Snapshot, stream: &StreamId) -> Result<(), ViewError>;

    /// Forgets what is in memory of a stream, without storing it.
    fn discard(&mut self, stream: &StreamId);

    /// About how many bytes wait to be drained.
    fn weight(&self) -> usize;

    /// Everything that must be stored. Nothing is kept in memory afterwards.
    fn drain(&mut self) -> Result<Vec<ViewWrite>, ViewError>;
}

pub(crate) struct Projector<P: Projection> {
    generation: Generation,
    views: HashMap<StreamId, View<P::Head>>,
    weight: usize,
}

impl<P: Projection> Projector<P> {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation,
            views: HashMap::new(),
            weight: 0,
        }
    }

    fn view(&mut self, snapshot: &Snapshot, stream: &StreamId) -> Result<&mut View<P::Head>, ViewError> {
        match self.views.entry(stream.clone()) {
            hash_map::Entry::Occupied(held) => Ok(held.into_mut()),
            hash_map::Entry::Vacant(empty) => {
                let view = View::load(snapshot, self.generation, stream)?;
                self.weight += VIEW_BYTES + view.weight();
                Ok(empty.insert(view))
            }
        }
    }
}

/// What a view takes in memory besides its bytes, roughly.
const VIEW_BYTES: usize = 512;

impl<P: Projection> Fold for Projector<P> {
    fn apply(&mut self, snapshot: &Snapshot, event: &Opened) -> Result<Folded, ViewError> {
        let generation = self.generation;
        let view = self.view(snapshot, &event.stream)?;
        if let Some(folded) = out_of_turn(view.version(), event.version) {
            return Ok(folded);
        }
        let before = view.weight();
        let folded = fold::<P>(view, snapshot, generation, event)?;
        if folded == Folded::Unreadable {
            return Ok(folded);
        }
        view.advance(event.version, event.position, event.subject);
        let grown = view.weight().saturating_sub(before);
        self.weight += grown;
        Ok(folded)
    }

    fn wants(&self, event: &Opened) -> Option<Wanted> {
        let entries = match &event.content {
            Ok(Content::Events(events)) => events.iter().flat_map(P::reads).collect(),
            _ => Vec::new(),
        };
        let entries = match self.views.get(&event.stream) {
            Some(view) => Some(view.missing(entries)).filter(|missing| !missing.is_empty())?,
            None => entries,
        };
        Some(Wanted {
            generation: self.generation,
            stream: event.stream.clone(),
            subject: event.subject,
            entries,
        })
    }

    fn pass_over(
        &mut self,
        snapshot: &Snapshot,
        stream: &StreamId,
        version: Version,
        position: Position,
    ) -> Result<Folded, ViewError> {
        let view = self.view(snapshot, stream)?;
        if let Some(folded) = out_of_turn(view.version(), version) {
            return Ok(folded);
        }
        view.advance(version, position, None);
        Ok(Folded::Applied)
    }

    fn forget(&mut self, snapshot: &Snapshot, subject: SubjectId) -> Result<(), ViewError> {
        let mut streams = P::streams_about(snapshot, self.generation, subject)?;
        streams.extend(
            self.views
                .values()
                .filter(|view| view.subject() == Some(subject))
                .map(|view| view.stream().clone()),
        );
        streams
            .iter()
            .try_for_each(|stream| self.remove(snapshot, stream))
    }

    fn remove(&mut self, snapshot: &Snapshot, stream: &StreamId) -> Result<(), ViewError> {
        let view = self.view(snapshot, stream)?;
        if view.version() > Version::NONE {
            remove::<P>(view);
        }
        Ok(())
    }

    fn discard(&mut self, stream: &StreamId) {
        self.views.remove(stream);
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn drain(&mut self) -> Result<Vec<ViewWrite>, ViewError> {
        self.weight = 0;
        let mut views: Vec<_> = std::mem::take(&mut self.views).into_values().collect();
        // In key order, which is the order in which the store writes fastest.
        views.sort_unstable_by(|a, b| a.stream().cmp(b.stream()));
        let writes = views
            .into_iter()
            .map(|view| view.into_write(P::NAME, self.generation));
        writes.filter_map(Result::transpose).collect()
    }
}

fn out_of_turn(stands: Version, event: Version) -> Option<Folded> {
    if event <= stands {
        Some(Folded::AlreadySeen)
    } else if event > stands.next() {
        Some(Folded::Gap)
    } else {
        None
    }
}

fn fold<P: Projection>(
    view: &mut View<P::Head>,
    snapshot: &Snapshot,
    generation: Generation,
    event: &Opened,
) -> Result<Folded, ViewError> {
    let events = match &event.content {
        Ok(Content::Events(events)) => events,
        Ok(Content::Erased) => return Ok(erase::<P>(view, event)),
        Err(_) => return Ok(Folded::Unreadable),
    };
    if let Some(subject) = event.subject
        && snapshot.is_forgotten(&subject)?
    {
        return Ok(erase::<P>(view, event));
    }
    for one in events {
        if P::forgets(one) {
            return Ok(erase::<P>(view, event));
        }
        if view.is_removed() {
            continue;
        }
        P::apply(
            &mut ViewAt::new(view, Some((snapshot, generation))),
            &Fact {
                event: one,
                position: event.position,
                recorded_at: event.recorded_at,
            },
        )?;
    }
    Ok(Folded::Applied)
}

/// Folds an event whose person is, or must be, forgotten.
fn erase<P: Projection>(view: &mut View<P::Head>, event: &Opened) -> Folded {
    remove::<P>(view);
    event.subject.map_or(Folded::Applied, Folded::Forgets)
}

fn remove<P: Projection>(view: &mut View<P::Head>) {
    if !view.is_removed() {
        P::forget(view);
        view.remove();
    }
}

/// Folds events of one stream in memory alone, as of their end.
pub(crate) fn fold_alone<P: Projection>(
    stream: StreamId,
    events: impl IntoIterator<Item = Opened>,
) -> Result<View<P::Head>, ViewError> {
    let mut view = View::blank(stream);
    for event in events {
        match &event.content {
            Ok(Content::Erased) => remove::<P>(&mut view),
            Ok(Content::Events(events)) if !view.is_removed() => {
                for one in events {
                    P::apply(
                        &mut ViewAt::new(&mut view, None),
                        &Fact {
                            event: one,
                            position: event.position,
                            recorded_at: event.recorded_at,
                        },
                    )?;
                }
            }
            Ok(Content::Events(_)) => {}
            Err(fault) => return Err(ViewError::log("an event", fault.to_string())),
        }
        view.advance(event.version, event.position, event.subject);
    }
    Ok(view)
}
