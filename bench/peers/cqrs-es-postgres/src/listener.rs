//! The aggregate: a listener and what they think of tracks.

use std::collections::HashMap;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

/// What a listener thinks of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rating {
    Like,
    Dislike,
}

/// A wish.
#[derive(Debug)]
pub enum ListenerCommand {
    Rate { track: String, rating: Rating },
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ListenerEvent {
    TrackRated { track: String, rating: Rating },
}

/// The wish is refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ListenerError {
    #[error("a track's id has 1 to 128 characters")]
    InvalidTrack,
}

/// A listener, folded from the events.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Listener {
    ratings: HashMap<String, Rating>,
}

impl DomainEvent for ListenerEvent {
    fn event_type(&self) -> String {
        "TrackRated".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

impl Aggregate for Listener {
    const TYPE: &'static str = "listener";
    type Command = ListenerCommand;
    type Event = ListenerEvent;
    type Error = ListenerError;
    type Services = ();

    async fn handle(
        &mut self,
        command: ListenerCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), ListenerError> {
        let ListenerCommand::Rate { track, rating } = command;
        if !(1..=128).contains(&track.len()) {
            return Err(ListenerError::InvalidTrack);
        }
        // A rating that is there already is no new fact.
        if self.ratings.get(&track) != Some(&rating) {
            sink.write(ListenerEvent::TrackRated { track, rating }, self)
                .await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ListenerEvent) {
        let ListenerEvent::TrackRated { track, rating } = event;
        self.ratings.insert(track, rating);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn rate(track: &str, rating: Rating) -> ListenerCommand {
        ListenerCommand::Rate {
            track: track.to_owned(),
            rating,
        }
    }

    fn rated(track: &str, rating: Rating) -> ListenerEvent {
        ListenerEvent::TrackRated {
            track: track.to_owned(),
            rating,
        }
    }

    #[test]
    fn a_rating_is_recorded_once_and_may_change() {
        let listener = || TestFramework::<Listener>::with(());
        let liked = rated("t1", Rating::Like);
        listener()
            .given_no_previous_events()
            .when(rate("t1", Rating::Like))
            .then_expect_events(vec![liked.clone()]);
        listener()
            .given(vec![liked.clone()])
            .when(rate("t1", Rating::Like))
            .then_expect_events(vec![]);
        listener()
            .given(vec![liked])
            .when(rate("t1", Rating::Dislike))
            .then_expect_events(vec![rated("t1", Rating::Dislike)]);
    }
}
