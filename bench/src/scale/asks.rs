//! What listeners ask for: writes and reads, in a mix that is the same in every run.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use super::told::Write;
use crate::client::Session;
use crate::load::Shot;

/// The mix repeats after so many requests.
const ROUND: usize = 50;
/// Walks through a round so that requests of one kind do not follow each other: it has no factor in common with [`ROUND`].
const STRIDE: usize = 21;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A rating.
    Rating,
    /// A play.
    Play,
    /// A wish for a playlist.
    Wish,
    /// Whether a playlist is ready.
    Poll,
    /// Ratings, with one's own last write among what they reflect.
    OwnRatings,
    /// A track.
    Track,
    /// Who one is.
    Myself,
    /// One's playlists.
    Playlists,
}

impl Kind {
    /// How a round is divided: of fifty requests, half write.
    fn of(number: usize) -> Self {
        match number * STRIDE % ROUND {
            0 => Self::Wish,
            1..=15 => Self::Rating,
            16..=24 => Self::Play,
            25..=29 => Self::OwnRatings,
            30..=39 => Self::Track,
            40..=46 => Self::Myself,
            _ => Self::Playlists,
        }
    }
}

/// One request that is due.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Its kind.
    pub(super) kind: Kind,
    /// Whose it is: an index into the listeners.
    pub(super) listener: usize,
    /// The request.
    pub(super) shot: Shot,
    /// What the log is to hold when it is answered; of a wish, all but its stream.
    pub(super) write: Option<Write>,
}

/// Those who ask.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Vec<Listener>,
    tracks: usize,
}

#[derive(Debug)]
struct Listener {
    token: String,
    rated: AtomicUsize,
    last_write: AtomicU64,
}

impl Listeners {
    /// These listeners, with a generated catalogue of so many tracks.
    pub(super) fn new(sessions: &[Session], tracks: usize) -> Self {
        let listener = |session: &Session| Listener {
            token: session.token().to_owned(),
            rated: AtomicUsize::new(0),
            last_write: AtomicU64::new(0),
        };
        Self {
            all: sessions.iter().map(listener).collect(),
            tracks,
        }
    }

    /// The request with this number.
    pub(super) fn ask(&self, number: usize) -> Ask {
        let kind = Kind::of(number);
        // One further each round: else each listener would always ask for the same.
        let index = (number + number / ROUND) % self.all.len();
        let listener = &self.all[index];
        let (shot, write) = match kind {
            Kind::Rating => self.rating(listener),
            Kind::Play => self.play(listener, number),
            Kind::Wish => (wish(listener), Some(Write::Wish)),
            Kind::OwnRatings => (own_ratings(listener), None),
            Kind::Track => (read(listener, format!("/v1/tracks/{}", self.track(number))), None),
            Kind::Myself => (read(listener, "/v1/me".to_owned()), None),
            Kind::Playlists | Kind::Poll => (read(listener, "/v1/playlists?limit=10".to_owned()), None),
        };
        Ask {
            kind,
            listener: index,
            shot,
            write,
        }
    }

    /// Asks how a playlist of `listener` is.
    pub(super) fn poll(&self, listener: usize, path: &str) -> Ask {
        Ask {
            kind: Kind::Poll,
            listener,
            shot: read(&self.all[listener], path.to_owned()),
            write: None,
        }
    }

    /// Keeps the position of the last write of `listener`.
    pub(super) fn wrote(&self, listener: usize, position: u64) {
        self.all[listener]
            .last_write
            .fetch_max(position, Ordering::Relaxed);
    }

    /// Each track once, then each once again with the other rating: no rating is the one before it.
    fn rating(&self, listener: &Listener) -> (Shot, Option<Write>) {
        let n = listener.rated.fetch_add(1, Ordering::Relaxed);
        let track = self.track(n);
        let rating = if (n / self.tracks).is_multiple_of(2) {
            "like"
        } else {
            "dislike"
        };
        let shot = Shot {
            method: Method::PUT,
            path: format!("/v1/me/ratings/{track}"),
            ..write(listener, &json!({ "rating": rating }), 204)
        };
        (shot, Some(Write::Rating { track, rating }))
    }

    /// The request's number is how long was listened, so that each play is unlike all others.
    fn play(&self, listener: &Listener, number: usize) -> (Shot, Option<Write>) {
        let played_ms = number as u64;
        let body = json!({ "track": self.track(number), "duration_played_ms": played_ms });
        let shot = Shot {
            path: "/v1/me/plays".to_owned(),
            headers: vec![("idempotency-key", format!("play-{number}"))],
            ..write(listener, &body, 204)
        };
        (shot, Some(Write::Play { played_ms }))
    }

    fn track(&self, number: usize) -> String {
        format!("demo-{:07}", number % self.tracks + 1)
    }
}

fn wish(listener: &Listener) -> Shot {
    Shot {
        path: "/v1/playlists".to_owned(),
        ..write(listener, &json!({ "limit": 20 }), 202)
    }
}

fn own_ratings(listener: &Listener) -> Shot {
    let position = listener.last_write.load(Ordering::Relaxed);
    Shot {
        headers: vec![
            ("segue-min-position", position.to_string()),
            ("prefer", "wait=30".to_owned()),
        ],
        ..read(listener, "/v1/me/ratings?limit=20".to_owned())
    }
}

fn read(listener: &Listener, path: String) -> Shot {
    Shot {
        method: Method::GET,
        path,
        token: Some(listener.token.clone()),
        headers: Vec::new(),
        body: None,
        expected: 200,
    }
}

fn write(listener: &Listener, body: &Value, expected: u16) -> Shot {
    Shot {
        method: Method::POST,
        body: Some(Bytes::from(body.to_string())),
        expected,
        ..read(listener, String::new())
    }
}
