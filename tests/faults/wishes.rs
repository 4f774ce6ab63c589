//! What a client wishes for, and what the log must hold once the wish was acknowledged.

use std::collections::BTreeMap;

use bench::client::{Answer, Request};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::json;

/// How many tracks a bulk rating holds: more than one, so that a half-written command would show.
const BULK: usize = 3;

/// A fact as the log should hold it, cut down to what tells it from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// `listener.track_rated`
    Rated { track: String, rating: String },
    /// `listener.rating_retracted`
    Retracted { track: String },
    /// `listener.track_played`; the duration is different in every wish.
    Played { track: String, duration_ms: u64 },
    /// `playlist.requested`; the name is different in every wish.
    Requested { name: String },
}

/// A wish that always changes something, so that its facts can be counted.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) key: String,
    pub(crate) request: Request,
    pub(crate) status: u16,
    pub(crate) facts: Vec<Fact>,
}

/// A wish and the first answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) wish: Wish,
    pub(crate) answer: Answer,
}

/// The ratings of one writer's tracks as they stand once all its wishes were granted.
pub(crate) type Ratings = BTreeMap<String, Option<String>>;

/// Draws the next wish of a writer.
pub(crate) fn draw(random: &mut ChaCha8Rng, writer: usize, number: u64, ratings: &Ratings) -> Wish {
    let key = format!("writer-{writer}-wish-{number}");
    match random.random_range(0..100) {
        0..45 => rate_one(random, key, ratings),
        45..65 => rate_many(random, key, ratings),
        65..75 => retract(random, key, ratings),
        75..90 => play(random, key, number, ratings),
        _ => playlist(key),
    }
}

/// What the ratings are once `facts` have happened.
pub(crate) fn apply(ratings: &mut Ratings, facts: &[Fact]) {
    for fact in facts {
        match fact {
            Fact::Rated { track, rating } => ratings.insert(track.clone(), Some(rating.clone())),
            Fact::Retracted { track } => ratings.insert(track.clone(), None),
            Fact::Played { .. } | Fact::Requested { .. } => None,
        };
    }
}

fn rate_one(random: &mut ChaCha8Rng, key: String, ratings: &Ratings) -> Wish {
    let track = any_track(random, ratings);
    let rating = another_rating(random, ratings, &track);
    Wish {
        request: Request::put(format!("/v1/me/ratings/{track}"), &json!({ "rating": rating })).with_key(&key),
        key,
        status: 204,
        facts: vec![Fact::Rated { track, rating }],
    }
}

fn rate_many(random: &mut ChaCha8Rng, key: String, ratings: &Ratings) -> Wish {
    let start = random.random_range(0..=ratings.len() - BULK);
    let tracks = ratings.keys().skip(start).take(BULK);
    let rated: Vec<(String, String)> = tracks
        .map(|track| (track.clone(), another_rating(random, ratings, track)))
        .collect();
    let items: Vec<_> = rated
        .iter()
        .map(|(track, rating)| json!({ "track": track, "rating": rating }))
        .collect();
    Wish {
        request: Request::post("/v1/me/ratings", &json!({ "ratings": items })).with_key(&key),
        key,
        status: 200,
        facts: rated
            .into_iter()
            .map(|(track, rating)| Fact::Rated { track, rating })
            .collect(),
    }
}

fn retract(random: &mut ChaCha8Rng, key: String, ratings: &Ratings) -> Wish {
    let rated: Vec<&String> = ratings
        .iter()
        .filter(|(_, rating)| rating.is_some())
        .map(|(track, _)| track)
        .collect();
    if rated.is_empty() {
        return rate_one(random, key, ratings);
    }
    let track = rated[random.random_range(0..rated.len())].clone();
    Wish {
        request: Request::new(Method::DELETE, format!("/v1/me/ratings/{track}")).with_key(&key),
        key,
        status: 204,
        facts: vec![Fact::Retracted { track }],
    }
}

fn play(random: &mut ChaCha8Rng, key: String, number: u64, ratings: &Ratings) -> Wish {
    let track = any_track(random, ratings);
    let duration_ms = 1_000 + number;
    let body =
        json!({ "track": track, "played_at": "2026-01-01T00:00:00Z", "duration_played_ms": duration_ms });
    Wish {
        request: Request::post("/v1/me/plays", &body).with_key(&key),
        key,
        status: PLAYED,
        facts: vec![Fact::Played { track, duration_ms }],
    }
}

/// The status of an accepted `POST /v1/me/plays`.
const PLAYED: u16 = 204;

fn playlist(key: String) -> Wish {
    Wish {
        request: Request::post("/v1/playlists", &json!({ "limit": 5, "name": key })).with_key(&key),
        status: 202,
        facts: vec![Fact::Requested { name: key.clone() }],
        key,
    }
}

fn any_track(random: &mut ChaCha8Rng, ratings: &Ratings) -> String {
    let index = random.random_range(0..ratings.len());
    ratings.keys().nth(index).cloned().unwrap_or_default()
}

/// A rating that differs from the one that stands: the same again would rightly record nothing.
fn another_rating(random: &mut ChaCha8Rng, ratings: &Ratings, track: &str) -> String {
    let rating = match ratings.get(track).and_then(Option::as_deref) {
        Some("like") => "dislike",
        Some(_) => "like",
        None if random.random_bool(0.5) => "like",
        None => "dislike",
    };
    rating.to_owned()
}
