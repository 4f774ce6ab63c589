//! Following the events of a process by HTTP, with an auditor's token. That they are followed is recorded there, once for each
//! time that the stream is opened.

mod frames;

use std::time::{Duration, Instant};

use reqwest::Response;
use tokio::sync::mpsc;
use tokio::time::sleep;

use self::frames::{Frame, Frames};
use crate::event::Told;
use crate::look::{Asking, reason};
use crate::names;
use crate::url::ProcessUrl;

/// How soon a stream that ended is opened again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the server may take to begin.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
/// How many events of the past the first frame shows.
pub const PAST: u64 = 20;

/// Tells of the events at `url` until nobody hears it any more, or the server does not let `token` in.
///
/// # Cancellation
/// May be dropped at any time.
pub async fn follow(url: ProcessUrl, token: String, told: mpsc::Sender<Told>) {
    let asking = Asking::since(Instant::now());
    let mut after = None;
    while !told.is_closed() {
        let ended = once(&asking, &url, &token, &mut after, &told).await;
        let state = match &ended {
            Ended::Refused(status) => format!("the token is refused: {status}"),
            Ended::Away(why) => format!("interrupted: {why}"),
        };
        if told.send(Told::State(state)).await.is_err() || matches!(ended, Ended::Refused(_)) {
            return;
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Why a stream ended.
enum Ended {
    /// Asking again would bring the same.
    Refused(u16),
    Away(String),
}

/// Opens the stream and tells what it brings; `after` is the last position that was heard of.
async fn once(
    asking: &Asking,
    url: &ProcessUrl,
    token: &str,
    after: &mut Option<u64>,
    told: &mpsc::Sender<Told>,
) -> Ended {
    let mut response = match open(asking, url, token, after).await {
        Ok(response) => response,
        Err(ended) => return ended,
    };
    let _ = told.send(Told::State(format!("from {url}"))).await;
    let mut frames = Frames::default();
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ended::Away("the stream ended".to_owned()),
            Err(error) => return Ended::Away(reason(&error)),
        };
        let Ok(complete) = frames.take(&chunk) else {
            return Ended::Away("the stream is none of events".to_owned());
        };
        for Frame { id, event } in complete {
            *after = id.or(*after);
            if let Some(event) = event
                && told.send(Told::Event(event)).await.is_err()
            {
                return Ended::Away("nobody listens".to_owned());
            }
        }
    }
}

async fn open(
    asking: &Asking,
    url: &ProcessUrl,
    token: &str,
    after: &mut Option<u64>,
) -> Result<Response, Ended> {
    let from = match *after {
        Some(after) => after,
        None => *after.insert(near_the_end(asking, url).await?),
    };
    let request = asking
        .client()
        .get(format!("{url}/v1/events/stream?after={from}"))
        .bearer_auth(token);
    let opened = tokio::time::timeout(OPEN_LIMIT, request.send()).await;
    let response = opened
        .map_err(|_| Ended::Away(format!("no answer within {} s", OPEN_LIMIT.as_secs())))?
        .map_err(|error| Ended::Away(reason(&error)))?;
    match response.status().as_u16() {
        200 => Ok(response),
        status @ (401 | 403 | 404) => Err(Ended::Refused(status)),
        status => Err(Ended::Away(format!("answers {status}"))),
    }
}

/// A little before the head of the log, so that the first frame is not empty.
async fn near_the_end(asking: &Asking, url: &ProcessUrl) -> Result<u64, Ended> {
    let metrics = asking.metrics(url).await.map_err(Ended::Away)?;
    let head = names::LOG_HEAD.iter().find_map(|name| metrics.largest(name));
    // Positions are whole numbers far below the 53 bits that a metric holds.
    Ok((head.unwrap_or(0.0).max(0.0) as u64).saturating_sub(PAST))
}
