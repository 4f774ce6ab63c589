//! Who a stream of events is for, and what they are told of each.

use domain::{AccountEvent, Event, ListenerEvent, PlaylistEvent, Role};
use eventing::{Payload, RecordedEvent};
use serde_json::{Value, json, value::RawValue};

use crate::{cloud_event::CloudEvent, problem::Problem, state::ApiState};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// An auditor, who sees the history as `GET /v1/events` shows it.
    Auditor,
    /// A person, who sees what is about themselves and no secret in it: no password hash, no hash of a token.
    Owner,
}

impl Audience {
    /// Whether somebody with this role belongs to it.
    pub(crate) fn admits(self, role: Role) -> bool {
        match self {
            Self::Auditor => role >= Role::Auditor,
            Self::Owner => true,
        }
    }

    /// The event as it is sent; none if there is nothing to tell of it any more.
    pub(crate) async fn frame(
        self,
        api: &ApiState,
        event: &RecordedEvent,
    ) -> Result<Option<String>, Problem> {
        let told = match self {
            Self::Auditor => {
                let shown = CloudEvent::for_auditors(api.keys(), event).await;
                Some(shown.map_err(|error| error.problem())?)
            }
            Self::Owner => own(api, event).await?,
        };
        let Some(told) = told else { return Ok(None) };
        let data = serde_json::to_string(&told).map_err(|error| Problem::internal(&error))?;
        let (position, kind) = (event.position, &event.event_type);
        Ok(Some(format!("id: {position}\nevent: {kind}\ndata: {data}\n\n")))
    }
}

/// An event as the person that it is about is told of it.
async fn own(api: &ApiState, event: &RecordedEvent) -> Result<Option<CloudEvent>, Problem> {
    let opened = api.keys().open_event(event).await;
    let Payload::Open(payload) = opened.map_err(|error| Problem::unavailable(&error))? else {
        return Ok(None);
    };
    let decoded = domain::decode(&event.event_type, event.schema_version.0, &payload);
    let decoded = decoded.map_err(|error| Problem::internal(&error))?;
    // An old shape may have become several; the person is told of the one fact that was recorded.
    let Some(data) = decoded.into_iter().find_map(|decoded| told(event, decoded)) else {
        return Ok(None);
    };
    let data = RawValue::from_string(data.to_string()).map_err(|error| Problem::internal(&error))?;
    Ok(Some(CloudEvent::with_data(event, data)))
}

/// What is told of a fact: fields are listed one by one, so that one that is added later is not told by accident.
fn told(recorded: &RecordedEvent, event: Event) -> Option<Value> {
    match event {
        Event::Account(event) => Some(of_account(&event)),
        Event::Listener(event) => Some(of_listener(&event)),
        Event::Playlist(event) => Some(of_playlist(recorded, &event)),
        Event::Access(_) | Event::BaseModel(_) | Event::Catalogue(_) | Event::Companions(_) => None,
    }
}

fn of_account(event: &AccountEvent) -> Value {
    match event {
        AccountEvent::AllSignedOut(_) | AccountEvent::SignedOut(_) => json!({}),
        AccountEvent::Erased(event) => json!({"erased_at": event.erased_at}),
        AccountEvent::PasswordChanged(event) => {
            json!({"changed_at": event.changed_at, "reason": event.reason})
        }
        AccountEvent::Registered(event) => json!({
            "account": event.account,
            "username": event.username,
            "role": event.role,
            "registered_at": event.registered_at,
        }),
        AccountEvent::RoleGranted(event) => json!({"role": event.role}),
        AccountEvent::SignedIn(event) => {
            json!({"signed_in_at": event.signed_in_at, "expires_at": event.expires_at})
        }
    }
}

fn of_listener(event: &ListenerEvent) -> Value {
    match event {
        ListenerEvent::RatingRetracted(event) => {
            json!({"track": event.track, "retracted_at": event.retracted_at})
        }
        ListenerEvent::TrackPlayed(event) => json!({
            "track": event.track,
            "played_at": event.played_at,
            "duration_played_ms": event.duration_played_ms,
        }),
        ListenerEvent::TrackRated(event) => {
            json!({"track": event.track, "rating": event.rating, "rated_at": event.rated_at})
        }
    }
}

/// A playlist that is ready is read at its own place; here it is said that it is.
fn of_playlist(recorded: &RecordedEvent, event: &PlaylistEvent) -> Value {
    let id = recorded.stream.uuid();
    match event {
        PlaylistEvent::Failed(event) => json!({
            "playlist": id,
            "status": "failed",
            "reason": event.reason,
            "detail": event.detail,
            "failed_at": event.failed_at,
        }),
        PlaylistEvent::Generated(event) => json!({
            "playlist": id,
            "status": "ready",
            "requested": event.requested,
            "returned": event.returned,
            "notes": event.notes,
            "generated_at": recorded.recorded_at,
        }),
        PlaylistEvent::Requested(event) => json!({
            "playlist": id,
            "status": "pending",
            "name": event.name,
            "requested_at": event.requested_at,
        }),
    }
}
