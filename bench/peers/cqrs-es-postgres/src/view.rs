//! The view: a listener's ratings, as they are read.

use std::collections::BTreeMap;

use cqrs_es::{EventEnvelope, View};
use serde::{Deserialize, Serialize};

use crate::listener::{Listener, ListenerEvent, Rating};

/// What `GET /listeners/{id}` answers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ListenerView {
    ratings: BTreeMap<String, Rating>,
}

impl View<Listener> for ListenerView {
    fn update(&mut self, event: &EventEnvelope<Listener>) {
        let ListenerEvent::TrackRated { track, rating } = &event.payload;
        self.ratings.insert(track.clone(), *rating);
    }
}
