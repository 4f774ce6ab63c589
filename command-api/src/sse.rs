//! Streams of events that go on (`text/event-stream`): the records of the log as they come, to one reader.
//!
//! # What holds here
//! - Each event's `id` is its position, so a reader that comes back with `Last-Event-ID` misses nothing and gets nothing twice.
//!   A sign of life carries the position up to which there was nothing to tell.
//! - Memory is bounded: a stream holds at most [`READ_AT_A_TIME`] records and [`FRAMES_MAX`] frames, and there are at most
//!   [`streams_max`](crate::ApiConfig::streams_max) of them, and
//!   [`streams_of_account_max`](crate::ApiConfig::streams_of_account_max) of one account. Nothing is read ahead of the reader.
//! - A reader that takes nothing for [`stream_patience`](crate::ApiConfig::stream_patience) is cut off.
//! - The session is looked at again before anything is sent, as of the last record that is, and at least every
//!   [`SESSION_EVERY`]; when it is over, or its role is not enough any more, so is the stream: nothing is told of what came
//!   after. An open stream counts as use of the session.
//! - When the server is asked to stop, streams end first, between two events.

use std::{convert::Infallible, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use domain::SessionHash;
use eventing::{EventFilter, EventLog, Position, RecordedEvent};
use futures::stream;
use http::{HeaderMap, HeaderValue, header};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    audience::Audience, freshness::log_problem, prefer::invalid_header, problem::Problem, state::ApiState,
    streams::Room,
};

/// Records held by a stream.
const READ_AT_A_TIME: usize = 64;
/// Frames that wait for the reader.
const FRAMES_MAX: usize = 16;
/// How long a session that has ended may go on hearing nothing before its stream ends, at most.
const SESSION_EVERY: Duration = Duration::from_secs(1);
/// How soon a reader comes back, in milliseconds.
const OPENING: &str = "retry: 1000\n\n";

/// A stream that is to be opened.
pub(crate) struct Feed {
    pub(crate) api: ApiState,
    pub(crate) session: SessionHash,
    pub(crate) audience: Audience,
    /// What is told; `after` is where it begins.
    pub(crate) filter: EventFilter,
}

/// Where a stream begins: after what the reader has seen last, or was asked for, or else now.
///
/// # Errors
/// `invalid-header` when `Last-Event-ID` is there and is no position.
pub(crate) async fn beginning(
    log: &EventLog,
    headers: &HeaderMap,
    after: Option<u64>,
) -> Result<Position, Problem> {
    if let Some(seen) = headers.get("last-event-id") {
        let digits = seen.to_str().ok();
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let position = digits.and_then(|text| text.parse().ok());
        return position
            .map(Position)
            .ok_or_else(|| invalid_header("Last-Event-ID", "must be the position of an event"));
    }
    match after {
        Some(after) => Ok(Position(after)),
        None => log.head().await.map_err(|error| log_problem(&error)),
    }
}

impl Feed {
    /// Answers with the stream. It is fed by a task that ends when the reader leaves.
    pub(crate) fn open(self, room: Room) -> Response {
        let (frames, taken) = mpsc::channel(FRAMES_MAX);
        let tasks = self.api.tasks().clone();
        tasks.spawn(async move {
            self.run(frames).await;
            drop(room);
        });
        let body = stream::unfold(taken, |mut taken| async move {
            let frame: Bytes = taken.recv().await?;
            Some((Ok::<_, Infallible>(frame), taken))
        });
        let mut answer = Response::new(Body::from_stream(body));
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "private, no-store"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // A proxy that gathers an answer before it hands it on would gather for ever.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        answer
    }

    async fn run(mut self, frames: mpsc::Sender<Bytes>) {
        let mut head = self.api.log().subscribe_head();
        let keep_alive = self.api.config().stream_keep_alive;
        let mut alive_at = Instant::now() + keep_alive;
        if !self.send(&frames, OPENING.to_owned()).await {
            return;
        }
        while self.may_hear_of(self.filter.after).await {
            let seen = *head.borrow_and_update();
            let Ok(Told { any, all }) = self.tell_next(seen, &frames).await else {
                return;
            };
            let is_late = Instant::now() >= alive_at;
            if is_late && !any && !self.send(&frames, self.sign_of_life()).await {
                return;
            }
            if is_late || any {
                alive_at = Instant::now() + keep_alive;
            }
            if !all {
                continue;
            }
            let look_again_at = alive_at.min(Instant::now() + SESSION_EVERY);
            tokio::select! {
                () = self.api.draining() => return,
                () = frames.closed() => return,
                moved = head.changed() => if moved.is_err() { return },
                () = sleep_until(look_again_at) => {}
            }
        }
    }

    /// Moves the reader on, and is no event.
    fn sign_of_life(&self) -> String {
        format!(":\nid: {}\n\n", self.filter.after)
    }

    /// Whether the reader may hear of what stands up to `position`, given all that has happened to their session up to there.
    /// When that cannot be told, they may not: they come back and ask.
    async fn may_hear_of(&self, position: Position) -> bool {
        // A position that the log has not reached is one to wait behind, not one to wait for.
        let position = position.min(*self.api.log().subscribe_head().borrow());
        match self.api.gate().admit_as_of(&self.session, position).await {
            Ok(admitted) => !self.api.is_draining() && self.audience.admits(admitted.role),
            Err(_) => false,
        }
    }

    /// Tells the next records, unless everything up to `head` is told.
    async fn tell_next(&mut self, head: Position, frames: &mpsc::Sender<Bytes>) -> Result<Told, Over> {
        if self.filter.after >= head {
            return Ok(Told {
                any: false,
                all: true,
            });
        }
        let (events, looked_to) = self.read_next().await?;
        if !self.may_hear_of(looked_to).await {
            return Err(Over);
        }
        let mut any = false;
        for event in &events {
            let Some(frame) = self.audience.frame(&self.api, event).await? else {
                continue;
            };
            if !self.send(frames, frame).await {
                return Err(Over);
            }
            any = true;
        }
        self.filter.after = looked_to;
        Ok(Told { any, all: false })
    }

    /// The next records that are to be told, and how far the log was looked at. What this process appended a moment ago is
    /// shared by all streams; only those that are further behind read the log.
    async fn read_next(&self) -> Result<(Vec<RecordedEvent>, Position), Problem> {
        let recent = self.api.log().recent_after(self.filter.after, READ_AT_A_TIME);
        if let Some(last) = recent.last() {
            let looked_to = last.position;
            let fit = recent.into_iter().filter(|event| self.filter.fits(event));
            return Ok((fit.collect(), looked_to));
        }
        let filter = EventFilter {
            limit: READ_AT_A_TIME,
            ..self.filter.clone()
        };
        let found = self.api.log().search(filter).await;
        let found = found.map_err(|error| log_problem(&error))?;
        Ok((found.events, found.searched_to))
    }

    /// Hands a frame to the reader, unless they are gone, take too long, or the server stops.
    async fn send(&self, frames: &mpsc::Sender<Bytes>, frame: String) -> bool {
        let sent = timeout(self.api.config().stream_patience, frames.send(frame.into()));
        tokio::select! {
            () = self.api.draining() => false,
            sent = sent => matches!(sent, Ok(Ok(()))),
        }
    }
}

/// What came of telling.
struct Told {
    /// Whether the reader was sent anything.
    any: bool,
    /// Whether there is nothing more to tell now.
    all: bool,
}

/// The stream is over.
struct Over;

impl From<Problem> for Over {
    /// The reader comes back and is told there; the cause was logged where the problem was made.
    fn from(problem: Problem) -> Self {
        tracing::warn!(
            problem = problem.kind().slug(),
            "a stream of events ends before its reader left"
        );
        Self
    }
}
