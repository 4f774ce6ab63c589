//! What a listener's ratings and plays add up to.
//!
//! The head holds the taste as integer sums. Entries hold what a later event may take back: `r/<track>` the rating that
//! holds, with the description it was made of, and `p/<track>` when the track was played last.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use classifier::TasteState;
use domain::{AccountId, Described, Event, ListenerEvent, Rating, TrackId, listener::TrackRated};
use eventing::{StreamId, SubjectId};
use serde::{Deserialize, Serialize};

use crate::{
    projection::{Fact, Projection},
    store::{Generation, Snapshot, ViewError},
    view::View,
};

pub(crate) const RATINGS: &str = "r/";
pub(crate) const PLAYS: &str = "p/";

/// What the model knows of a listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    pub ratings: BTreeMap<TrackId, Rating>,
    /// When each played track was played last.
    pub played: BTreeMap<TrackId, DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LastPlayed {
    pub(crate) played_at: DateTime<Utc>,
}

/// A rating entry of which only the rating is read.
#[derive(Debug, Deserialize)]
pub(crate) struct RatingOnly {
    pub(crate) rating: Rating,
}

pub(crate) struct TasteModels;

impl Projection for TasteModels {
    const NAME: &'static str = "taste-models";
    const REVISION: u32 = 1;
    type Head = TasteView;

    fn wants(category: &str) -> bool {
        category == AccountId::LISTENER_CATEGORY
    }

    fn touches(event: &Event) -> Option<String> {
        let Event::Listener(event) = event else {
            return None;
        };
        Some(match event {
            ListenerEvent::TrackRated(rated) => rating_key(&rated.track),
            ListenerEvent::RatingRetracted(retracted) => rating_key(&retracted.track),
            ListenerEvent::TrackPlayed(played) => play_key(&played.track),
        })
    }

    fn apply(view: &mut View<TasteView>, fact: &Fact<'_>) -> Result<(), ViewError> {
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
            ListenerEvent::TrackPlayed(played) => play(view, &played.track, played.played_at),
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

fn rate(view: &mut View<TasteView>, rated: &TrackRated) -> Result<(), ViewError> {
    let key = rating_key(&rated.track);
    take_back(view, &key)?;
    let head = view.head_mut();
    head.taste.add(&rated.described, rated.rating);
    *count(head, rated.rating) += 1;
    view.put_entry(
        key,
        &RatingWrite {
            rating: rated.rating,
            rated_at: rated.rated_at,
            described: &rated.described,
        },
    )
}

fn take_back(view: &mut View<TasteView>, key: &str) -> Result<(), ViewError> {
    if let Some(held) = view.entry::<RatingView>(key)? {
        let head = view.head_mut();
        head.taste.remove(&held.described, held.rating);
        *count(head, held.rating) -= 1;
    }
    Ok(())
}

fn count(head: &mut TasteView, rating: Rating) -> &mut u64 {
    match rating {
        Rating::Like => &mut head.likes,
        Rating::Dislike => &mut head.dislikes,
    }
}

fn play(view: &mut View<TasteView>, track: &TrackId, played_at: DateTime<Utc>) -> Result<(), ViewError> {
    let key = play_key(track);
    let before = view.entry::<LastPlayed>(&key)?.map(|last| last.played_at);
    view.head_mut().plays += 1;
    view.put_entry(
        key,
        &LastPlayed {
            played_at: before.map_or(played_at, |before| before.max(played_at)),
        },
    )
}
