//! `GET /v1/me/export`: everything that is held about a person, in one document.
//!
//! It is made from the log, not from views: every rating and play ever recorded is in it. Only the password hash and the
//! hashes of tokens are left out, which tell the person nothing and would help a thief.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{ListenerEvent, Rating, StoredEvent, TrackId, account::LiveSession};
use eventing::{Payload, StreamId, Version};
use http::{HeaderValue, header};
use projectors::ProjectionKind;
use serde::Serialize;

use super::{
    json_answer,
    me::{Me, me},
    playlists::{PlaylistBody, full_body},
    plays::listener_stream,
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
    sessions: Vec<ExportedSession>,
    /// Every rating that was given or taken back, in order.
    ratings: Vec<ExportedRating>,
    plays: Vec<ExportedPlay>,
    playlists: Vec<PlaylistBody>,
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
    let (ratings, plays) = listener_history(&api, &listener_stream(session.account)).await?;
    let playlists = all_playlists(&api, &session).await?;
    let mut answer = json_answer(&Export {
        account,
        sessions,
        ratings,
        plays,
        playlists,
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

async fn listener_history(
    api: &ApiState,
    stream: &StreamId,
) -> Result<(Vec<ExportedRating>, Vec<ExportedPlay>), Problem> {
    let (mut ratings, mut plays) = (Vec::new(), Vec::new());
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
            let decoded = ListenerEvent::decode(&event.event_type, event.schema_version.0, &payload);
            for event in decoded.map_err(|error| Problem::internal(&error))? {
                sort_in(event, &mut ratings, &mut plays);
            }
        }
        if events.len() < PAGE {
            return Ok((ratings, plays));
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
