//! The last events: what kind, where, and when. What is in them is never asked for.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many are kept.
const KEPT_MAX: usize = 500;

/// One event, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLine {
    /// Its place in the log.
    pub position: u64,
    /// When it was recorded, as RFC 3339 in UTC.
    pub time: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its stream.
    pub stream: String,
}

/// What whoever follows the events has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The next event.
    Event(EventLine),
    /// How it stands with following them, in a few words.
    State(String),
}

/// The last events and how it stands with following them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events {
    last: VecDeque<EventLine>,
    state: String,
}

impl Events {
    pub(crate) fn take(&mut self, told: Told) {
        match told {
            Told::State(state) => self.state = state,
            // After an interruption some may be told again.
            Told::Event(event)
                if self
                    .last
                    .back()
                    .is_some_and(|last| last.position >= event.position) => {}
            Told::Event(event) => {
                if self.last.len() == KEPT_MAX {
                    self.last.pop_front();
                }
                self.last.push_back(event);
            }
        }
    }

    pub(crate) fn newest_first(&self) -> Vec<EventLine> {
        self.last.iter().rev().cloned().collect()
    }

    pub(crate) fn state(&self) -> &str {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(position: u64) -> Told {
        Told::Event(EventLine {
            position,
            time: "2026-11-26T10:00:00Z".to_owned(),
            event_type: "listener.track_rated".to_owned(),
            stream: "listener-1".to_owned(),
        })
    }

    #[test]
    fn the_newest_event_comes_first_no_event_twice_and_old_ones_are_let_go() {
        let mut events = Events::default();
        for position in [1, 2, 2, 1, 3] {
            events.take(event(position));
        }
        let positions = |events: &Events| {
            events
                .newest_first()
                .iter()
                .map(|event| event.position)
                .collect::<Vec<_>>()
        };
        assert_eq!(positions(&events), [3, 2, 1]);
        for position in 4..=(KEPT_MAX as u64 + 3) {
            events.take(event(position));
        }
        assert_eq!(positions(&events).len(), KEPT_MAX);
        assert_eq!(positions(&events).last(), Some(&4));
    }
}
