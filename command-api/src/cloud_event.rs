//! Records as CloudEvents 1.0, as auditors may see them.
//!
//! What listeners did is opened. What identifies a person (everything of an account: name, password hash, sessions) stays
//! sealed for auditors too, and what was about a forgotten person cannot be opened by anybody.

use chrono::SecondsFormat;
use domain::AccountId;
use eventing::{Body, KeyError, Keys, Payload, RecordedEvent};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::problem::Problem;

/// The media type of a JSON array of CloudEvents.
pub const CLOUD_EVENTS_BATCH: &str = "application/cloudevents-batch+json";

/// A record as a CloudEvent. Extension attributes are those after `time`.
#[derive(Debug, Serialize)]
pub struct CloudEvent {
    specversion: &'static str,
    id: String,
    source: &'static str,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    time: String,
    position: u64,
    stream: String,
    version: u64,
    schemaversion: u16,
    correlationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    datastate: DataState,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    #[serde(skip)]
    is_personal: bool,
}

/// Why there is data, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataState {
    /// The payload is there.
    Open,
    /// The payload identifies a person and stays sealed.
    Sealed,
    /// The person was forgotten.
    Erased,
}

impl DataState {
    /// The state's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Erased => "erased",
        }
    }
}

/// A record cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum CloudEventError {
    /// The keys do not answer, or a key is damaged.
    #[error("the key of a record cannot be used")]
    Key(#[from] KeyError),
    /// The payload is not what was recorded as one.
    #[error("the payload of a record is no JSON")]
    NotJson(#[source] serde_json::Error),
}

impl CloudEventError {
    /// The problem to answer with.
    #[track_caller]
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Key(error) => Problem::unavailable(error),
            Self::NotJson(_) => Problem::internal(self),
        }
    }
}

impl CloudEvent {
    /// The record as an auditor may see it.
    ///
    /// # Errors
    /// [`CloudEventError`]
    pub async fn for_auditors(keys: &Keys, event: &RecordedEvent) -> Result<Self, CloudEventError> {
        let is_sealed = matches!(event.body, Body::Sealed(_));
        if is_sealed && event.stream.category() == AccountId::CATEGORY {
            return Ok(Self::new(event, DataState::Sealed, None));
        }
        match keys.open_event(event).await? {
            Payload::Open(payload) => {
                let data = serde_json::from_slice(&payload).map_err(CloudEventError::NotJson)?;
                Ok(Self {
                    is_personal: is_sealed,
                    ..Self::new(event, DataState::Open, Some(data))
                })
            }
            Payload::Erased => Ok(Self::new(event, DataState::Erased, None)),
        }
    }

    /// The record with `data` in the place of its payload.
    pub(crate) fn with_data(event: &RecordedEvent, data: Box<RawValue>) -> Self {
        Self {
            is_personal: true,
            ..Self::new(event, DataState::Open, Some(data))
        }
    }

    fn new(event: &RecordedEvent, datastate: DataState, data: Option<Box<RawValue>>) -> Self {
        Self {
            specversion: "1.0",
            id: event.id.to_string(),
            source: "/segue",
            event_type: event.event_type.clone(),
            subject: event.stream.to_string(),
            time: event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            position: event.position.0,
            stream: event.stream.to_string(),
            version: event.version.0,
            schemaversion: event.schema_version.0,
            correlationid: event.correlation_id.to_string(),
            causationid: event.causation_id.map(|id| id.to_string()),
            traceparent: event.traceparent.clone(),
            datastate,
            datacontenttype: data.as_ref().map(|_| "application/json"),
            data,
            is_personal: false,
        }
    }

    /// Whether the data was sealed and is opened here: it must be gone from everywhere when the person is forgotten.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.is_personal
    }

    /// Why there is data, or none.
    #[must_use]
    pub fn data_state(&self) -> DataState {
        self.datastate
    }
}
