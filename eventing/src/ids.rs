//! Names and numbers of the log, each a type of its own, so that a version is never taken for a position.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The bare number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number! {
    /// A place in the whole log: 1 for the first record, gapless, in commit order. 0 stands before the first.
    Position(u64)
}
number! {
    /// The number of a record within its stream: 1 for the first. 0 means that the stream does not exist.
    Version(u64)
}
number! {
    /// The shape of an event type's payload; 1 for the first shape that was ever recorded.
    SchemaVersion(u16)
}

impl Position {
    /// Before the first record.
    pub const START: Self = Self(0);
}

impl Version {
    /// The version of a stream that has no records.
    pub const NONE: Self = Self(0);
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id as a UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(value: Uuid) -> Self {
                Self(value)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id! {
    /// Our name for one fact; a UUID of version 7, so ids made later sort later (to the millisecond).
    EventId
}
uuid_id! {
    /// The person a record is about: the name of their key, never their name.
    SubjectId
}
uuid_id! {
    /// The same along a whole chain of causes: one wish of a caller and everything that followed.
    CorrelationId
}
uuid_id! {
    /// The direct cause: the event (or wish) that led to this one.
    CausationId
}

impl EventId {
    /// Makes a new id from the clock and 74 random bits.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default id would be a different one every time"
    )]
    pub fn new() -> Self {
        Self(new_uuid_v7())
    }
}

impl CorrelationId {
    /// Makes a new id, for the start of a chain.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default id would be a different one every time"
    )]
    pub fn new() -> Self {
        Self(new_uuid_v7())
    }
}

impl From<EventId> for CausationId {
    fn from(value: EventId) -> Self {
        Self(value.0)
    }
}

/// A UUID of version 7. The system's random source is asked each time: an id must never repeat, and a
/// failing source leaves nothing sensible to go on with.
pub(crate) fn new_uuid_v7() -> Uuid {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).expect("the system's random source answers");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The name of a stream: `category-uuid`, for example `playlist-0192...`.
///
/// A category is 1 to 32 lower-case letters, digits or underscores and starts with a letter. The uuid is
/// written in its usual lower-case form with hyphens. So a stream's name never needs escaping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(String);

/// The longest category, in bytes; long enough for any noun.
const CATEGORY_LEN_MAX: usize = 32;
/// The length of a UUID written with hyphens.
const UUID_LEN: usize = 36;

impl StreamId {
    /// Names the stream of `category` and `id`.
    ///
    /// # Panics
    /// If the category is not one (see the type): categories are constants of the program.
    #[must_use]
    #[track_caller]
    pub fn new(category: &str, id: Uuid) -> Self {
        assert!(is_category(category), "{category:?} is not a stream category");
        Self(format!("{category}-{id}"))
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidStreamId`] if the text is not `category-uuid`.
    pub fn parse(text: &str) -> Result<Self, InvalidStreamId> {
        if is_stream_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidStreamId)
        }
    }

    /// What kind of stream it is: the part before the first hyphen.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.0[..self.0.len() - UUID_LEN - 1]
    }

    /// The id after the category.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        Uuid::parse_str(&self.0[self.0.len() - UUID_LEN..]).unwrap_or_default()
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_category(text: &str) -> bool {
    (1..=CATEGORY_LEN_MAX).contains(&text.len())
        && text.as_bytes()[0].is_ascii_lowercase()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_stream_name(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(category, id)| is_category(category) && is_lower_uuid(id))
}

fn is_lower_uuid(text: &str) -> bool {
    text.len() == UUID_LEN
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The text is not the name of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream is named category-uuid, in lower case")]
pub struct InvalidStreamId;

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_stream_name(&text) {
            Ok(Self(text))
        } else {
            Err(InvalidStreamId)
        }
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.0
    }
}

impl AsRef<str> for StreamId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Where an appender believes a stream to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Anywhere: append without a check.
    Any,
    /// The stream has no records yet.
    NoStream,
    /// The stream's last record has this version.
    Exactly(Version),
}

impl ExpectedVersion {
    /// Expects a stream at `version`, where [`Version::NONE`] means that there is none.
    #[must_use]
    pub fn at(version: Version) -> Self {
        if version == Version::NONE {
            Self::NoStream
        } else {
            Self::Exactly(version)
        }
    }

    /// Whether a stream at `version` is where it was expected.
    #[must_use]
    pub fn holds_at(self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => version == Version::NONE,
            Self::Exactly(expected) => version == expected,
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::Exactly(version) => write!(f, "version {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_reads_back_as_it_was_written() {
        let id = EventId::new().0;
        let stream = StreamId::new("playlist", id);
        assert_eq!(StreamId::parse(stream.as_str()), Ok(stream.clone()));
        assert_eq!((stream.category(), stream.uuid()), ("playlist", id));
    }

    #[test]
    fn a_name_that_would_need_escaping_is_refused() {
        let id = EventId::new().0;
        for text in [
            "",
            "account",
            "account-1",
            &format!("Account-{id}"),
            &format!("a\"b-{id}"),
            &format!("-{id}"),
        ] {
            assert_eq!(StreamId::parse(text), Err(InvalidStreamId), "{text}");
        }
        assert_eq!(
            StreamId::parse(&format!("account-{id}").to_uppercase()),
            Err(InvalidStreamId)
        );
    }

    #[test]
    fn an_event_id_is_a_uuid_of_version_seven() {
        assert_eq!(EventId::new().0.get_version_num(), 7);
        assert_ne!(EventId::new(), EventId::new());
    }
}
