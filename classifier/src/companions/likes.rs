//! Who likes what, folded from the events of all listeners.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use domain::{AccountId, ListenerEvent, Rating, TrackId};

/// What every listener likes. A like counts in; a dislike, a retraction and an erasure count out exactly, so what is held
/// depends only on the last event about each listener and track.
#[derive(Debug, Clone, Default)]
pub struct Likes {
    listeners: BTreeMap<AccountId, Liked>,
    likes: u64,
    tracks: Numbered<str>,
    artists: Numbered<str>,
    /// The artists of a track, as it was described: many likes have the same.
    lists: Numbered<[u32]>,
}

/// By track: its artists. Numbers of [`Numbered`], in no order that means anything.
pub(super) type Liked = BTreeMap<u32, u32>;

impl Likes {
    /// Folds an event of `listener`. True when what they like is another than before.
    pub fn apply(&mut self, listener: AccountId, event: &ListenerEvent) -> bool {
        match event {
            ListenerEvent::TrackRated(rated) => match rated.rating {
                Rating::Like => self.like(listener, &rated.track, &rated.described.artists),
                Rating::Dislike => self.unlike(listener, &rated.track),
            },
            ListenerEvent::RatingRetracted(retracted) => self.unlike(listener, &retracted.track),
            ListenerEvent::TrackPlayed(_) => false,
        }
    }

    /// Counts all that `listener` likes out. True when there was something.
    pub fn forget(&mut self, listener: AccountId) -> bool {
        let forgotten = self.listeners.remove(&listener).unwrap_or_default();
        self.likes -= forgotten.len() as u64;
        !forgotten.is_empty()
    }

    /// How many listeners like at least `likes_min` tracks (and at least one).
    #[must_use]
    pub fn listeners_with(&self, likes_min: usize) -> usize {
        let has_enough = |liked: &&Liked| liked.len() >= likes_min;
        self.listeners.values().filter(has_enough).count()
    }

    /// How many likes there are.
    #[must_use]
    pub fn likes(&self) -> u64 {
        self.likes
    }

    fn like(&mut self, listener: AccountId, track: &TrackId, artists: &[String]) -> bool {
        let artists: Vec<u32> = artists
            .iter()
            .filter(|artist| !artist.is_empty())
            .map(|artist| self.artists.number_of(artist))
            .collect();
        let (track, artists) = (
            self.tracks.number_of(track.as_str()),
            self.lists.number_of(&artists),
        );
        let before = self.listeners.entry(listener).or_default().insert(track, artists);
        self.likes += u64::from(before.is_none());
        before != Some(artists)
    }

    fn unlike(&mut self, listener: AccountId, track: &TrackId) -> bool {
        let Some(track) = self.tracks.numbers.get(track.as_str()) else {
            return false;
        };
        let Some(liked) = self.listeners.get_mut(&listener) else {
            return false;
        };
        let is_counted_out = liked.remove(track).is_some();
        if liked.is_empty() {
            self.listeners.remove(&listener);
        }
        self.likes -= u64::from(is_counted_out);
        is_counted_out
    }

    /// What each listener likes.
    pub(super) fn liked(&self) -> impl ExactSizeIterator<Item = &Liked> {
        self.listeners.values()
    }

    pub(super) fn track_names(&self) -> &[Arc<str>] {
        &self.tracks.things
    }

    pub(super) fn artist_names(&self) -> &[Arc<str>] {
        &self.artists.things
    }

    /// The artists behind the value of a [`Liked`].
    pub(super) fn artists_of(&self, list: u32) -> &[u32] {
        &self.lists.things[list as usize]
    }
}

/// Things by the numbers that they were given when they first came.
#[derive(Debug)]
struct Numbered<T: ?Sized> {
    numbers: HashMap<Arc<T>, u32>,
    things: Vec<Arc<T>>,
}

impl<T: ?Sized> Clone for Numbered<T> {
    fn clone(&self) -> Self {
        Self {
            numbers: self.numbers.clone(),
            things: self.things.clone(),
        }
    }
}

impl<T: ?Sized> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            things: Vec::new(),
        }
    }
}

impl<T: ?Sized + Eq + Hash> Numbered<T>
where
    for<'a> Arc<T>: From<&'a T>,
{
    /// # Panics
    /// When there are more than 2^32 things, which do not fit into memory.
    fn number_of(&mut self, thing: &T) -> u32 {
        if let Some(number) = self.numbers.get(thing) {
            return *number;
        }
        let number = u32::try_from(self.things.len()).expect("fewer than 2^32 names");
        let thing: Arc<T> = thing.into();
        self.things.push(Arc::clone(&thing));
        self.numbers.insert(thing, number);
        number
    }
}
