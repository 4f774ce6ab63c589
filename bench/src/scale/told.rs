//! What was acknowledged, and what the log tells of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Request, Session};

/// A write, by what tells it from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// A rating of a track.
    Rating {
        /// The track.
        track: String,
        /// `like` or `dislike`.
        rating: &'static str,
    },
    /// A play that lasted so long, as no other did.
    Play {
        /// Milliseconds.
        played_ms: u64,
    },
    /// A wish for a playlist.
    Wish,
}

/// A write that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// Where it stands in the log, as the answer said.
    pub(super) position: u64,
    /// Whose it is.
    pub(super) listener: usize,
    /// What it was.
    pub(super) write: Write,
    /// The path of the playlist that was asked for.
    pub(super) playlist: Option<String>,
}

/// Every event of a kind that the load makes.
const KINDS: [&str; 4] = [
    "listener.track_rated",
    "listener.track_played",
    "playlist.requested",
    "playlist.generated",
];
const PAGE: usize = 1_000;

/// A record as auditors see it.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    position: u64,
    #[serde(rename = "type")]
    kind: String,
    stream: String,
    data: Value,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Event>,
    next_cursor: Option<String>,
}

/// What the log holds of ratings, plays and playlists.
///
/// # Errors
/// When the auditor is refused.
pub(super) async fn events(auditor: &Session) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for kind in KINDS {
        let mut cursor = Some("0".to_owned());
        while let Some(after) = cursor {
            let path = format!("/v1/events?type={kind}&cursor={after}&limit={PAGE}");
            let page = auditor.send(&Request::get(path)).await?.expect(200)?;
            let page: Page = serde_json::from_slice(&page.body)?;
            events.extend(page.items);
            cursor = page.next_cursor;
        }
    }
    Ok(events)
}

/// Checks that every write that was acknowledged stands in the log once, where its answer said, and nothing else does; and
/// that every playlist that was asked for was made once.
///
/// # Errors
/// When that is not so; the message says what is missing or too much.
pub(super) fn compare(acknowledged: &[Acknowledged], events: &[Event]) -> Result<()> {
    let by_position: BTreeMap<u64, &Event> = events.iter().map(|event| (event.position, event)).collect();
    let mut positions = BTreeSet::new();
    let mut own_streams = BTreeMap::new();
    for write in acknowledged {
        let event = by_position.get(&write.position);
        let event = event.with_context(|| format!("{write:?} was acknowledged and is not in the log"))?;
        ensure!(
            write.is(event),
            "{write:?} was acknowledged, and there stands {event:?}"
        );
        ensure!(
            positions.insert(write.position),
            "two writes were acknowledged as {}",
            write.position
        );
        if write.playlist.is_none() {
            let stream = own_streams.entry(write.listener).or_insert(&event.stream);
            ensure!(
                **stream == event.stream,
                "{event:?} is in the stream of another listener"
            );
        }
    }
    let (asked, generated) = (streams(events, KINDS[2]), streams(events, KINDS[3]));
    ensure!(
        events.len() - generated.len() == acknowledged.len(),
        "{} writes were acknowledged, and the log holds {}",
        acknowledged.len(),
        events.len() - generated.len()
    );
    let each: BTreeSet<_> = generated.iter().copied().collect();
    ensure!(
        generated.len() == asked.len() && asked.iter().all(|stream| each.contains(stream)),
        "{} playlists were asked for, {} were made, of {} different ones",
        asked.len(),
        generated.len(),
        each.len()
    );
    Ok(())
}

/// The streams of all events of a kind.
fn streams<'a>(events: &'a [Event], kind: &str) -> Vec<&'a String> {
    let of_kind = events.iter().filter(|event| event.kind == kind);
    of_kind.map(|event| &event.stream).collect()
}

impl Acknowledged {
    fn is(&self, event: &Event) -> bool {
        let (kind, data) = (event.kind.as_str(), &event.data);
        match &self.write {
            Write::Rating { track, rating } => {
                kind == KINDS[0] && data["track"] == **track && data["rating"] == **rating
            }
            Write::Play { played_ms } => kind == KINDS[1] && data["duration_played_ms"] == *played_ms,
            Write::Wish => {
                let id = self.playlist.as_deref().and_then(|path| path.rsplit('/').next());
                kind == KINDS[2] && id.is_some_and(|id| event.stream == format!("playlist-{id}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(position: u64, kind: &str, stream: &str, data: Value) -> Event {
        Event {
            position,
            kind: kind.to_owned(),
            stream: stream.to_owned(),
            data,
        }
    }

    fn log() -> Vec<Event> {
        vec![
            event(
                4,
                KINDS[0],
                "listener-a",
                json!({"track": "t1", "rating": "like"}),
            ),
            event(5, KINDS[1], "listener-b", json!({"duration_played_ms": 7})),
            event(6, KINDS[2], "playlist-p", json!({})),
            event(8, KINDS[3], "playlist-p", json!({})),
        ]
    }

    fn acknowledged() -> Vec<Acknowledged> {
        let write = |position, listener, write, playlist: Option<&str>| Acknowledged {
            position,
            listener,
            write,
            playlist: playlist.map(str::to_owned),
        };
        let rating = Write::Rating {
            track: "t1".to_owned(),
            rating: "like",
        };
        vec![
            write(4, 0, rating, None),
            write(5, 1, Write::Play { played_ms: 7 }, None),
            write(6, 0, Write::Wish, Some("/v1/playlists/p")),
        ]
    }

    #[test]
    fn a_log_that_holds_every_write_once_is_what_was_acknowledged() -> Result<()> {
        compare(&acknowledged(), &log())
    }

    #[test]
    fn a_write_that_is_lost_moved_doubled_or_changed_is_found() {
        for index in 0..4 {
            let mut lost = log();
            lost.remove(index);
            assert!(compare(&acknowledged(), &lost).is_err(), "{index} is lost");
        }
        let mut moved = log();
        moved[0].position = 3;
        assert!(compare(&acknowledged(), &moved).is_err());
        let mut changed = log();
        changed[0].data["rating"] = json!("dislike");
        assert!(compare(&acknowledged(), &changed).is_err());
        for (position, kind) in [(9, KINDS[0]), (9, KINDS[1]), (9, KINDS[3])] {
            let mut doubled = log();
            doubled.push(event(
                position,
                kind,
                "playlist-p",
                json!({"duration_played_ms": 7}),
            ));
            assert!(compare(&acknowledged(), &doubled).is_err(), "{kind}");
        }
    }

    #[test]
    fn a_write_in_the_stream_of_another_listener_is_found() {
        let (mut acknowledged, mut log) = (acknowledged(), log());
        let mut second = acknowledged[0].clone();
        second.position = 9;
        acknowledged.push(second);
        log.push(event(
            9,
            KINDS[0],
            "listener-b",
            json!({"track": "t1", "rating": "like"}),
        ));
        assert!(compare(&acknowledged, &log).is_err());
    }
}
