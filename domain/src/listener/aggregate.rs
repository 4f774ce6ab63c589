//! The rules of a listener.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Serialize};

use super::{
    Described, ListenerCommand, ListenerEvent, ListenerRejection, NewRating, Rating, RatingRetracted,
    TrackPlayed, TrackRated,
};
use crate::TrackId;

/// The most ratings that one command records: what the REST interface takes at once, and a small transaction.
pub const RATINGS_MAX: usize = 1_000;

/// Nobody hears a track for longer than a day; more is a broken player.
const DURATION_PLAYED_MS_MAX: u64 = 86_400_000;

/// A listener, folded from the events.
///
/// The ratings are a persistent map: a clone costs nothing, however many tracks are rated, so that a command on a
/// clone stays cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    ratings: RedBlackTreeMapSync<TrackId, Held>,
    plays: u64,
}

/// The rating that holds for a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What the listener thinks of the track.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
    /// The track as it was described then.
    pub described: Described,
}

impl Held {
    fn says(&self, new: &NewRating) -> bool {
        self.rating == new.rating && self.described == new.described
    }
}

impl Listener {
    /// The rating that holds for `track`.
    pub fn rating(&self, track: &TrackId) -> Option<&Held> {
        self.ratings.get(track)
    }

    /// Every track that is rated, in the order of its id.
    pub fn ratings(&self) -> impl Iterator<Item = (&TrackId, &Held)> {
        self.ratings.iter()
    }

    /// How many tracks are rated.
    pub fn rated(&self) -> usize {
        self.ratings.size()
    }

    /// How many times a track was played.
    pub fn plays(&self) -> u64 {
        self.plays
    }

    fn changes(&self, new: &NewRating) -> bool {
        self.rating(&new.track).is_none_or(|held| !held.says(new))
    }
}

impl Aggregate for Listener {
    const TYPE: &'static str = "listener";
    type Command = ListenerCommand;
    type Event = ListenerEvent;
    type Error = ListenerRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: ListenerCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ListenerRejection> {
        match command {
            ListenerCommand::Rate { ratings, at } => {
                check_batch(&ratings)?;
                for new in ratings {
                    if self.changes(&new) {
                        sink.write(rated(new, at), self).await;
                    }
                }
            }
            ListenerCommand::Retract { track, at } => {
                if self.ratings.contains_key(&track) {
                    sink.write(
                        RatingRetracted {
                            track,
                            retracted_at: at,
                        }
                        .into(),
                        self,
                    )
                    .await;
                }
            }
            ListenerCommand::Play {
                track,
                at,
                duration_played_ms,
            } => {
                if duration_played_ms > DURATION_PLAYED_MS_MAX {
                    return Err(ListenerRejection::ImplausibleDuration);
                }
                sink.write(
                    TrackPlayed {
                        track,
                        played_at: at,
                        duration_played_ms,
                    }
                    .into(),
                    self,
                )
                .await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: ListenerEvent) {
        match event {
            ListenerEvent::TrackRated(TrackRated {
                track,
                rating,
                rated_at,
                described,
            }) => {
                self.ratings.insert_mut(
                    track,
                    Held {
                        rating,
                        rated_at,
                        described,
                    },
                );
            }
            ListenerEvent::RatingRetracted(event) => {
                self.ratings.remove_mut(&event.track);
            }
            ListenerEvent::TrackPlayed(_) => self.plays = self.plays.saturating_add(1),
        }
    }
}

fn rated(new: NewRating, at: DateTime<Utc>) -> ListenerEvent {
    let NewRating {
        track,
        rating,
        described,
    } = new;
    TrackRated {
        track,
        rating,
        rated_at: at,
        described,
    }
    .into()
}

fn check_batch(ratings: &[NewRating]) -> Result<(), ListenerRejection> {
    match ratings.len() {
        0 => Err(ListenerRejection::NoRatings),
        n if n > RATINGS_MAX => Err(ListenerRejection::TooManyRatings),
        _ => Ok(()),
    }
}
