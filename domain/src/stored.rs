//! One declaration per aggregate ties each event to its stored name and the version of its shape.

use crate::recorded::{DecodeError, Encoded};

/// An event as the log keeps it: a stable type name, a version of the shape, and JSON.
pub trait StoredEvent: Sized {
    /// Each type name with the version of the shape that is written today, sorted by name.
    const TYPES: &'static [(&'static str, u16)];

    /// The stored name of this event's type.
    fn type_name(&self) -> &'static str;

    /// The version of the shape in which [`encode`](Self::encode) writes this event.
    fn schema_version(&self) -> u16;

    /// The stored form: the payload holds the event's own fields and nothing else.
    fn encode(&self) -> Encoded;

    /// Reads a stored form of any version.
    ///
    /// # Errors
    /// [`DecodeError`] when the type is not one of this aggregate's, or the payload has not the shape that it claims.
    fn decode(event_type: &str, schema_version: u16, payload: &[u8]) -> Result<Vec<Self>, DecodeError>;

    /// Reads today's shape straight into the struct. `None`: not one of these types in today's version.
    fn decode_current(
        event_type: &str,
        schema_version: u16,
        payload: &[u8],
    ) -> Option<Result<Self, DecodeError>>;
}

/// Declares an aggregate's events: `"stored.name" version Variant(Payload)`, sorted by stored name.
macro_rules! stored_events {
    ($(#[$doc:meta])* $name:ident in $group:ident {
        $($(#[$vdoc:meta])* $type:literal $version:literal $variant:ident($payload:ty),)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $type)] $variant($payload),)+
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                $crate::StoredEvent::type_name(self).to_owned()
            }
            fn event_version(&self) -> String {
                $crate::StoredEvent::schema_version(self).to_string()
            }
        }

        impl $crate::StoredEvent for $name {
            const TYPES: &'static [(&'static str, u16)] = &[$(($type, $version)),+];

            fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $type,)+
                }
            }

            fn schema_version(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $version,)+
                }
            }

            fn encode(&self) -> $crate::recorded::Encoded {
                let payload = match self {
                    $(Self::$variant(payload) => $crate::recorded::to_json(payload),)+
                };
                $crate::recorded::Encoded {
                    event_type: self.type_name(),
                    schema_version: self.schema_version(),
                    payload,
                }
            }

            fn decode(
                event_type: &str,
                schema_version: u16,
                payload: &[u8],
            ) -> Result<Vec<Self>, $crate::recorded::DecodeError> {
                $crate::recorded::decode_as(event_type, schema_version, payload)
            }

            fn decode_current(
                event_type: &str,
                schema_version: u16,
                payload: &[u8],
            ) -> Option<Result<Self, $crate::recorded::DecodeError>> {
                match (event_type, schema_version) {
                    $(($type, $version) => Some($crate::recorded::from_json(event_type, payload).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        impl From<$name> for $crate::recorded::Event {
            fn from(event: $name) -> Self {
                Self::$group(event)
            }
        }

        $(impl From<$payload> for $name {
            fn from(payload: $payload) -> Self {
                Self::$variant(payload)
            }
        })+
    };
}
