//! `POST /v1/me/plays`: what was heard.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Listener, ListenerCommand, TrackId};
use eventing::{Order, StreamId};
use http::StatusCode;
use serde::Deserialize;

use crate::{
    auth::Session,
    commands::metadata_of,
    idempotency::{Begun, Scope, StoredAnswer},
    problem::{Answer, FieldError, Problem, ProblemType},
    request::WriteRequest,
    routes::ratings::known_track,
    state::ApiState,
};

/// A player's clock may be ahead by so much.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Play {
    track: TrackId,
    duration_played_ms: u64,
    /// When playing began; now, when it is absent.
    played_at: Option<DateTime<Utc>>,
}

/// 204. Send an idempotency key: two plays without one are two plays.
pub(crate) async fn play(State(api): State<ApiState>, session: Session, request: WriteRequest) -> Answer {
    let once = match api.begin(&request, Scope::Account(session.account)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let Play {
        track,
        duration_played_ms,
        played_at,
    } = request.json()?;
    known_track(&api, &track)?;
    let at = played_at.unwrap_or(request.received_at);
    if at > request.received_at + CLOCK_SKEW_MAX {
        let error = FieldError::new("played_at", "lies in the future");
        return Err(Problem::new(ProblemType::InvalidRequest).errors([error]));
    }
    let command = ListenerCommand::Play {
        track,
        at,
        duration_played_ms,
    };
    let order = Order::<Listener>::new(
        listener_stream(session.account),
        command,
        metadata_of(&request.headers),
    );
    api.carry_out(
        order.about(session.subject()),
        once,
        StoredAnswer::empty(StatusCode::NO_CONTENT),
    )
    .await
}

/// The stream of what a person does as a listener.
pub(super) fn listener_stream(account: AccountId) -> StreamId {
    StreamId::new(AccountId::LISTENER_CATEGORY, account.uuid())
}
