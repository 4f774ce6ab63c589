//! `GET /v1/me/export`: everything that is held about a person, in one document.
//!
//! What happened is read from the log, not from views: everything ever recorded about the account, every rating and every play
//! is in it. Only the password hash and the hashes of tokens are left out, which tell the person nothing and would help a
//! thief.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{
    AccountEvent, ListenerEvent, Rating, Role, StoredEvent, TrackId,
    account::{LiveSession, PasswordChangeReason},
};
use eventing::{Payload, StreamId, Version};
use http::{HeaderValue, header};
use projectors::{ProjectionKind, TasteTold};
use serde::Serialize;

use super::{
    json_answer,
    me::{Me, me},
    playlists::{PlaylistBody, full_body},
    plays::listener_stream,
    taste::taste_of,
};
use crate::{
    auth::Session,
    freshness::{Freshness, log_problem, view_problem},
    problem::{Answer, Problem},
    sessions::account_stream,
    state::ApiState,
};

const PAGE: usize = 1_000;

#[derive(Serialize)]
struct Export {
    account: Me,
    /// What happened to the account, in order.
    account_history: Vec<Happened>,
    sessions: Vec<ExportedSession>,
    /// Every rating that was given or taken back, in order.
    ratings: Vec<ExportedRating>,
    plays: Vec<ExportedPlay>,
    /// What was asked for, what was made of it, and why nothing was where it failed.
    playlists: Vec<PlaylistBody>,
    /// What the model believes, computed from ratings and plays.
    taste: TasteTold,
    held_besides: HeldBesides,
}

/// What is held and tells nothing that is not above.
#[derive(Serialize)]
struct HeldBesides {
    /// Answers to requests with an `Idempotency-Key`, kept so that the same request has one effect. They end with the account.
    stored_answers: u64,
    /// What listeners like together.
    companions: &'static str,
    /// What is in the memory of the running service.
    memory: &'static str,
}

const COMPANIONS: &str = "The likes above are counted, without the account, in what listeners like together, as long as the account exists. Earlier counts stay; they name nobody.";
const MEMORY: &str = "Failed sign-ins by keyed hash of the name and the network addresses that signed in, until they age out or the service restarts.";

/// Something that happened to the account.
#[derive(Serialize)]
struct Happened {
    at: DateTime<Utc>,
    what: &'static str,
    /// The role from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// When the session ends, if nothing ends it before.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct ExportedSession {
    signed_in_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct ExportedRating {
    track: TrackId,
    /// Absent when the rating was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<Rating>,
    at: DateTime<Utc>,
}

#[derive(Serialize)]
struct ExportedPlay {
    track: TrackId,
    played_at: DateTime<Utc>,
    duration_played_ms: u64,
}

/// 200 with the document.
pub(crate) async fn export(State(api): State<ApiState>, session: Session, fresh: Freshness) -> Answer {
    fresh
        .of_view(&api, ProjectionKind::Accounts, &account_stream(session.account))
        .await?;
    let (account, reflects) = me(&api, &session).await?;
    let sessions = api
        .account(session.account)
        .await?
        .aggregate
        .sessions()
        .iter()
        .map(exported)
        .collect();
    let account_history = account_history(&api, &account_stream(session.account)).await?;
    let (ratings, plays) = listener_history(&api, &listener_stream(session.account)).await?;
    let playlists = all_playlists(&api, &session).await?;
    let (taste, _) = taste_of(&api, &session).await?;
    let stored_answers = api.log().receipts_about(session.subject()).await;
    let held_besides = HeldBesides {
        stored_answers: stored_answers.map_err(|error| log_problem(&error))?,
        companions: COMPANIONS,
        memory: MEMORY,
    };
    let mut answer = json_answer(&Export {
        account,
        account_history,
        sessions,
        ratings,
        plays,
        playlists,
        taste,
        held_besides,
    });
    let disposition = HeaderValue::from_static("attachment; filename=\"segue-export.json\"");
    answer
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, disposition);
    Ok(fresh.tell(answer, reflects))
}

fn exported(session: &LiveSession) -> ExportedSession {
    ExportedSession {
        signed_in_at: session.signed_in_at,
        expires_at: session.expires_at,
    }
}

async fn account_history(api: &ApiState, stream: &StreamId) -> Result<Vec<Happened>, Problem> {
    let mut history = Vec::new();
    each_event::<AccountEvent>(api, stream, |event, at| history.push(happened(event, at))).await?;
    Ok(history)
}

fn happened(event: AccountEvent, recorded_at: DateTime<Utc>) -> Happened {
    use AccountEvent as E;
    let (what, role, expires_at) = match &event {
        E::Registered(registered) => ("registered", Some(registered.role), None),
        E::SignedIn(session) => ("signed_in", None, Some(session.expires_at)),
        E::SignedOut(_) => ("signed_out", None, None),
        E::AllSignedOut(_) => ("all_signed_out", None, None),
        E::PasswordChanged(changed) => match changed.reason {
            PasswordChangeReason::Changed => ("password_changed", None, None),
            PasswordChangeReason::Rehashed => ("password_hashed_again", None, None),
        },
        E::RoleGranted(granted) => ("role_granted", Some(granted.role), None),
        E::Erased(_) => ("erased", None, None),
    };
    Happened {
        at: recorded_at,
        what,
        role,
        expires_at,
    }
}

async fn listener_history(
    api: &ApiState,
    stream: &StreamId,
) -> Result<(Vec<ExportedRating>, Vec<ExportedPlay>), Problem> {
    let (mut ratings, mut plays) = (Vec::new(), Vec::new());
    each_event(api, stream, |event, _| sort_in(event, &mut ratings, &mut plays)).await?;
    Ok((ratings, plays))
}

/// Hands every event of a stream that can be opened to `each`, with the time at which it was recorded.
async fn each_event<E: StoredEvent>(
    api: &ApiState,
    stream: &StreamId,
    mut each: impl FnMut(E, DateTime<Utc>),
) -> Result<(), Problem> {
    let mut after = Version::NONE;
    loop {
        let events = api
            .log()
            .read_stream(stream, after, PAGE)
            .await
            .map_err(|error| log_problem(&error))?;
        for event in &events {
            after = event.version;
            let payload = api
                .keys()
                .open_event(event)
                .await
                .map_err(|error| Problem::unavailable(&error))?;
            let Payload::Open(payload) = payload else { continue };
            let decoded = E::decode(&event.event_type, event.schema_version.0, &payload);
            for decoded in decoded.map_err(|error| Problem::internal(&error))? {
                each(decoded, event.recorded_at);
            }
        }
        if events.len() < PAGE {
            return Ok(());
        }
    }
}

fn sort_in(event: ListenerEvent, ratings: &mut Vec<ExportedRating>, plays: &mut Vec<ExportedPlay>) {
    match event {
        ListenerEvent::TrackRated(rated) => {
            ratings.push(ExportedRating {
                track: rated.track,
                rating: Some(rated.rating),
                at: rated.rated_at,
            });
        }
        ListenerEvent::RatingRetracted(retracted) => {
            ratings.push(ExportedRating {
                track: retracted.track,
                rating: None,
                at: retracted.retracted_at,
            });
        }
        ListenerEvent::TrackPlayed(played) => plays.push(ExportedPlay {
            track: played.track,
            played_at: played.played_at,
            duration_played_ms: played.duration_played_ms,
        }),
    }
}

async fn all_playlists(api: &ApiState, session: &Session) -> Result<Vec<PlaylistBody>, Problem> {
    let (mut playlists, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = api
            .views()
            .playlists_of(session.account, cursor.as_deref(), PAGE)
            .await;
        let page = page.map_err(|error| view_problem(&error))?;
        for viewed in page.items {
            let full = api
                .views()
                .playlist_with_tracks(viewed.view.playlist)
                .await
                .map_err(|error| view_problem(&error))?;
            if let Some(full) = full {
                let (view, generated) = full.view;
                playlists.push(full_body(api, view, generated).await?);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(playlists),
        }
    }
}
