//! What a listener's ratings and plays add up to.
//!
//! The head holds the integer sums whose size does not grow with the number of ratings. Entries hold the rest, so that
//! folding a rating costs the same for every listener: `r/<track>` the rating that holds, with the description it was
//! made of; `a/<digest of the name>` how often an artist was liked and disliked; `p/<track>` when the track was played last,
//! and how long it was heard the last few times.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use classifier::{
    TasteInput, TasteState,
    taste::{ArtistCounts, FeatureSums},
};
use domain::{
    AccountId, Described, Digest, Event, ListenerEvent, Rating, TrackId,
    listener::{TrackPlayed, TrackRated},
};
use eventing::{StreamId, SubjectId};
use serde::{Deserialize, Serialize};

use crate::{
    projection::{Fact, Projection},
    store::{Generation, Snapshot, ViewError},
    view::ViewAt,
};

pub(crate) const RATINGS: &str = "r/";
pub(crate) const PLAYS: &str = "p/";
pub(crate) const ARTISTS: &str = "a/";

/// What the model knows of a listener.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TasteView {
    /// The integer sums that taste is computed from.
    pub taste: TasteState,
    /// How many tracks are liked.
    pub likes: u64,
    /// How many tracks are disliked.
    pub dislikes: u64,
    /// How many times a track was played.
    pub plays: u64,
}

/// A [`TasteView`] without the artists, which are entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    features: FeatureSums,
    likes: u64,
    dislikes: u64,
    plays: u64,
}

/// How often an artist was rated.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ArtistEntry {
    artist: String,
    likes: i64,
    dislikes: i64,
}

/// The rating that holds for a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatingView {
    /// What the listener thinks of the track.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
    /// The track as it was described then.
    pub described: Described,
}

/// A [`RatingView`] as it is written, without a copy of the description.
#[derive(Serialize)]
struct RatingWrite<'a> {
    rating: Rating,
    rated_at: DateTime<Utc>,
    described: &'a Described,
}

/// Everything that a playlist is made from, as of one version of the listener's stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListenerTaste {
    /// The sums.
    pub taste: TasteState,
    /// The rating that holds for each rated track.
    pub ratings: BTreeMap<TrackId, Rated>,
    /// What is known of each played track.
    pub played: BTreeMap<TrackId, Played>,
}

impl ListenerTaste {
    /// The same as a generator reads it, for a request of this time.
    #[must_use]
    pub fn into_input(self, requested_at: DateTime<Utc>) -> TasteInput {
        let rated = |rated: Rated| classifier::Rated {
            rating: rated.rating,
            at_ms: rated.rated_at.timestamp_millis(),
        };
        let played = |played: Played| classifier::Played {
            at_ms: played.played_at.timestamp_millis(),
            heard_ms: played.heard_ms,
        };
        let Self {
            taste,
            ratings,
            played: plays,
        } = self;
        TasteInput {
            taste,
            ratings: ratings
                .into_iter()
                .map(|(track, entry)| (track, rated(entry)))
                .collect(),
            played: plays
                .into_iter()
                .map(|(track, entry)| (track, played(entry)))
                .collect(),
            requested_at_ms: requested_at.timestamp_millis(),
        }
    }
}

/// A rating entry without the description it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Rated {
    /// What the listener thinks of the track.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
}

/// How a track was played.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// The latest time at which playing began.
    pub played_at: DateTime<Utc>,
    /// How long it was heard in each of the last [`PLAYS_KEPT`] plays, in milliseconds, in the order of the stream.
    pub heard_ms: Vec<u64>,
}

/// How many plays of one track are remembered one by one: more would say little more of whether it is liked.
pub const PLAYS_KEPT: usize = 8;

pub(crate) struct TasteModels;

impl Projection for TasteModels {
    const NAME: &'static str = "taste-models";
    const REVISION: u32 = 4;
    type Head = Head;

    fn wants(category: &str) -> bool {
        category == AccountId::LISTENER_CATEGORY
    }

    fn apply(view: &mut ViewAt<'_, Head>, fact: &Fact<'_>) -> Result<(), ViewError> {
        let Event::Listener(event) = fact.event else {
            return Ok(());
        };
        match event {
            ListenerEvent::TrackRated(rated) => rate(view, rated),
            ListenerEvent::RatingRetracted(retracted) => {
                let key = rating_key(&retracted.track);
                take_back(view, &key)?;
                view.remove_entry(key);
                Ok(())
            }
            ListenerEvent::TrackPlayed(played) => play(view, played),
        }
    }

    fn reads(event: &Event) -> Vec<String> {
        let Event::Listener(event) = event else {
            return Vec::new();
        };
        match event {
            ListenerEvent::TrackRated(rated) => {
                let artists = rated.described.artists.iter().map(|artist| artist_key(artist));
                artists.chain([rating_key(&rated.track)]).collect()
            }
            // Which artists the rating counted for, only the rating tells.
            ListenerEvent::RatingRetracted(retracted) => vec![rating_key(&retracted.track)],
            ListenerEvent::TrackPlayed(played) => vec![play_key(&played.track)],
        }
    }

    fn streams_about(_: &Snapshot, _: Generation, subject: SubjectId) -> Result<Vec<StreamId>, ViewError> {
        Ok(vec![StreamId::new(
            AccountId::LISTENER_CATEGORY,
            subject.as_uuid(),
        )])
    }
}

pub(crate) fn rating_key(track: &TrackId) -> String {
    format!("{RATINGS}{track}")
}

fn play_key(track: &TrackId) -> String {
    format!("{PLAYS}{track}")
}

fn artist_key(artist: &str) -> String {
    // A name can be longer than a key may be.
    format!("{ARTISTS}{}", Digest::of(artist))
}

fn rate(view: &mut ViewAt<'_, Head>, rated: &TrackRated) -> Result<(), ViewError> {
    let key = rating_key(&rated.track);
    take_back(view, &key)?;
    count(view, &rated.described, rated.rating, 1)?;
    *total(view.head_mut(), rated.rating) += 1;
    view.put_entry(
        key,
        &RatingWrite {
            rating: rated.rating,
            rated_at: rated.rated_at,
            described: &rated.described,
        },
    )
}

fn take_back(view: &mut ViewAt<'_, Head>, key: &str) -> Result<(), ViewError> {
    if let Some(held) = view.entry::<RatingView>(key)? {
        count(view, &held.described, held.rating, -1)?;
        *total(view.head_mut(), held.rating) -= 1;
    }
    Ok(())
}

fn count(
    view: &mut ViewAt<'_, Head>,
    described: &Described,
    rating: Rating,
    sign: i64,
) -> Result<(), ViewError> {
    view.head_mut().features.count(described, rating, sign);
    for artist in &described.artists {
        count_artist(view, artist, rating, sign)?;
    }
    Ok(())
}

fn count_artist(
    view: &mut ViewAt<'_, Head>,
    artist: &str,
    rating: Rating,
    sign: i64,
) -> Result<(), ViewError> {
    let key = artist_key(artist);
    let before = view.entry::<ArtistEntry>(&key)?.unwrap_or_default();
    let mut counts = before.counts();
    counts.count(rating, sign);
    if counts.is_zero() {
        view.remove_entry(key);
        return Ok(());
    }
    view.put_entry(
        key,
        &ArtistEntry {
            artist: artist.to_owned(),
            likes: counts.likes,
            dislikes: counts.dislikes,
        },
    )
}

fn total(head: &mut Head, rating: Rating) -> &mut u64 {
    match rating {
        Rating::Like => &mut head.likes,
        Rating::Dislike => &mut head.dislikes,
    }
}

fn play(view: &mut ViewAt<'_, Head>, played: &TrackPlayed) -> Result<(), ViewError> {
    let key = play_key(&played.track);
    let mut entry = view.entry::<Played>(&key)?.unwrap_or_default();
    view.head_mut().plays += 1;
    entry.played_at = entry.played_at.max(played.played_at);
    entry.heard_ms.push(played.duration_played_ms);
    let forgotten = entry.heard_ms.len().saturating_sub(PLAYS_KEPT);
    entry.heard_ms.drain(..forgotten);
    view.put_entry(key, &entry)
}

impl ArtistEntry {
    fn counts(&self) -> ArtistCounts {
        ArtistCounts {
            likes: self.likes,
            dislikes: self.dislikes,
        }
    }
}

impl Head {
    /// The view, of this head and its artists.
    pub(crate) fn with_artists(self, artists: impl IntoIterator<Item = ArtistEntry>) -> TasteView {
        let Self {
            features,
            likes,
            dislikes,
            plays,
        } = self;
        let artists = artists.into_iter().map(|entry| {
            let counts = entry.counts();
            (entry.artist, counts)
        });
        TasteView {
            taste: TasteState::from_parts(features, artists),
            likes,
            dislikes,
            plays,
        }
    }
}
