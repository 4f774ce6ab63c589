//! How events are stored, and how a stored event becomes one of today's.
//!
//! A stored event is a type name, the version of its shape and a JSON object that holds the event's own fields.
//! Today's shape is parsed from its bytes straight into the struct; an older one goes through [`upcast`] first.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    AccessEvent, AccountEvent, BaseModelEvent, CatalogueEvent, CompanionsEvent, ListenerEvent, PlaylistEvent,
    StoredEvent, UpcastError, upcast::Upcasters,
};

/// Any event of any aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Of the access log.
    Access(AccessEvent),
    /// Of an account.
    Account(AccountEvent),
    /// Of a base model.
    BaseModel(BaseModelEvent),
    /// Of the catalogue.
    Catalogue(CatalogueEvent),
    /// Of companions.
    Companions(CompanionsEvent),
    /// Of a listener.
    Listener(ListenerEvent),
    /// Of a playlist.
    Playlist(PlaylistEvent),
}

/// An event in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The stored name of the type.
    pub event_type: &'static str,
    /// The version of the payload's shape.
    pub schema_version: u16,
    /// A JSON object with the event's own fields.
    pub payload: Vec<u8>,
}

/// Why stored bytes are no event. All of them mean that the log and this program do not fit together; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// This program does not know the type: it is older than the log.
    #[error("event type {event_type} is not known")]
    UnknownType {
        /// The stored name.
        event_type: String,
    },
    /// This program knows the type, but not in this version, and no upcaster leads on from it.
    #[error("{event_type} is not known in version {schema_version}")]
    UnknownVersion {
        /// The stored name.
        event_type: String,
        /// The stored version of the shape.
        schema_version: u16,
    },
    /// The payload has not the shape that type and version promise.
    #[error("the payload of {event_type} has not the shape of its version")]
    Malformed {
        /// The stored name.
        event_type: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// An upcaster refused the payload.
    #[error(transparent)]
    Upcast(UpcastError),
    /// The event belongs to another aggregate than the one that was asked for.
    #[error("{event_type} is not an event of this aggregate")]
    Foreign {
        /// The stored name.
        event_type: String,
    },
}

/// Every event type with the version in which it is written today, sorted by name.
pub const EVENT_TYPES: &[(&str, u16)] = &[
    ("access.history_read", 1),
    ("account.all_signed_out", 1),
    ("account.erased", 1),
    ("account.password_changed", 1),
    ("account.registered", 1),
    ("account.role_granted", 1),
    ("account.signed_in", 1),
    ("account.signed_out", 1),
    ("catalogue.imported", 1),
    ("companions.published", 1),
    ("listener.rating_retracted", 1),
    ("listener.track_played", 1),
    ("listener.track_rated", 1),
    ("model.published", 1),
    ("playlist.failed", 1),
    ("playlist.generated", 1),
    ("playlist.requested", 1),
];

/// True when events of this type tell something about a person, so that their payload is sealed.
///
/// `account.erased` tells only when, and must be read by those who finish an erasure after the key is gone. What is recorded of those
/// who read the history stays open too: nobody makes it unknown by being forgotten.
pub fn is_personal(event_type: &str) -> bool {
    event_type != "account.erased"
        && ["account.", "listener.", "playlist."]
            .iter()
            .any(|prefix| event_type.starts_with(prefix))
}

/// The stored form of `event`; the same as [`StoredEvent::encode`].
pub fn encode<E: StoredEvent>(event: &E) -> Encoded {
    event.encode()
}

/// Reads a stored event of any version.
///
/// The answer has one event for today's versions; an older one may become none or several.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode(event_type: &str, schema_version: u16, payload: &[u8]) -> Result<Vec<Event>, DecodeError> {
    if let Some(event) = decode_current(event_type, schema_version, payload) {
        return Ok(vec![event?]);
    }
    Upcasters::default()
        .upcast(event_type, schema_version, from_json(event_type, payload)?)
        .map_err(named)?
        .into_iter()
        .map(|(event_type, version, payload)| decode_upcast(&event_type, version, &payload))
        .collect()
}

/// Brings a stored payload to the shapes of today with the upcasters of this program.
///
/// # Errors
/// See [`UpcastError`].
pub fn upcast(
    event_type: &str,
    schema_version: u16,
    payload: Value,
) -> Result<Vec<(String, u16, Value)>, DecodeError> {
    Upcasters::default()
        .upcast(event_type, schema_version, payload)
        .map_err(named)
}

fn named(error: UpcastError) -> DecodeError {
    match error {
        UpcastError::NoStep {
            event_type,
            schema_version,
        } => unknown(&event_type, schema_version),
        other => DecodeError::Upcast(other),
    }
}

fn decode_current(event_type: &str, version: u16, payload: &[u8]) -> Option<Result<Event, DecodeError>> {
    fn read<E: StoredEvent + Into<Event>>(t: &str, v: u16, p: &[u8]) -> Option<Result<Event, DecodeError>> {
        Some(E::decode_current(t, v, p)?.map(Into::into))
    }
    match event_type.split_once('.')?.0 {
        "access" => read::<AccessEvent>(event_type, version, payload),
        "account" => read::<AccountEvent>(event_type, version, payload),
        "catalogue" => read::<CatalogueEvent>(event_type, version, payload),
        "companions" => read::<CompanionsEvent>(event_type, version, payload),
        "listener" => read::<ListenerEvent>(event_type, version, payload),
        "model" => read::<BaseModelEvent>(event_type, version, payload),
        "playlist" => read::<PlaylistEvent>(event_type, version, payload),
        _ => None,
    }
}

fn decode_upcast(event_type: &str, version: u16, payload: &Value) -> Result<Event, DecodeError> {
    decode_current(event_type, version, &to_json(payload)).ok_or_else(|| unknown(event_type, version))?
}

fn unknown(event_type: &str, schema_version: u16) -> DecodeError {
    let event_type = event_type.to_owned();
    match EVENT_TYPES.binary_search_by_key(&event_type.as_str(), |(name, _)| name) {
        Ok(_) => DecodeError::UnknownVersion {
            event_type,
            schema_version,
        },
        Err(_) => DecodeError::UnknownType { event_type },
    }
}

/// Reads a stored event as one of the aggregate `E`.
pub(crate) fn decode_as<E>(
    event_type: &str,
    schema_version: u16,
    payload: &[u8],
) -> Result<Vec<E>, DecodeError>
where
    E: StoredEvent + TryFrom<Event>,
{
    if let Some(event) = E::decode_current(event_type, schema_version, payload) {
        return Ok(vec![event?]);
    }
    decode(event_type, schema_version, payload)?
        .into_iter()
        .map(|event| {
            E::try_from(event).map_err(|_| DecodeError::Foreign {
                event_type: event_type.to_owned(),
            })
        })
        .collect()
}

pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    // Every payload is a struct or map with text keys and finite numbers, which JSON can always write.
    serde_json::to_vec(value).unwrap_or_default()
}

pub(crate) fn from_json<T: DeserializeOwned>(event_type: &str, payload: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(payload).map_err(|source| DecodeError::Malformed {
        event_type: event_type.to_owned(),
        source,
    })
}

macro_rules! event_of {
    ($($group:ident($event:ty)),+) => {
        $(impl TryFrom<Event> for $event {
            type Error = Event;
            fn try_from(event: Event) -> Result<Self, Event> {
                match event {
                    Event::$group(event) => Ok(event),
                    other => Err(other),
                }
            }
        })+

        impl Event {
            /// The stored name of this event's type.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$group(event) => event.type_name(),)+
                }
            }

            /// The stored form of this event.
            pub fn encode(&self) -> Encoded {
                match self {
                    $(Self::$group(event) => event.encode(),)+
                }
            }
        }
    };
}

event_of!(
    Access(AccessEvent),
    Account(AccountEvent),
    BaseModel(BaseModelEvent),
    Catalogue(CatalogueEvent),
    Companions(CompanionsEvent),
    Listener(ListenerEvent),
    Playlist(PlaylistEvent)
);
