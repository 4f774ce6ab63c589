//! Names of things: typed, ordered, and written the same way everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $category:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The category of this thing's stream: the part of its name before the first dash.
            pub const CATEGORY: &'static str = $category;

            /// Wraps a UUID that the caller drew or read.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }

            /// The name of the stream that holds this thing's events: `category-uuid`.
            pub fn stream_name(&self) -> String {
                format!("{}-{}", Self::CATEGORY, self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
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

uuid_id!(
    /// One reader's access log: what an account read of the history, or what the command line did.
    AccessId,
    "access"
);
uuid_id!(
    /// A person's account. The same id names the person as a listener.
    AccountId,
    "account"
);
uuid_id!(
    /// One playlist, from its request on.
    PlaylistId,
    "playlist"
);
uuid_id!(
    /// A catalogue of tracks. A deployment has one, [`CatalogueId::MAIN`], in many versions.
    CatalogueId,
    "catalogue"
);
uuid_id!(
    /// A line of base models. A deployment has one, [`BaseModelId::MAIN`], in many versions.
    BaseModelId,
    "model"
);
uuid_id!(
    /// A line of companions. A deployment has one, [`CompanionsId::MAIN`], in many versions.
    CompanionsId,
    "companions"
);

impl AccountId {
    /// The category of the streams of listeners.
    pub const LISTENER_CATEGORY: &'static str = "listener";

    /// The name of the stream that holds what this person did as a listener.
    pub fn listener_stream_name(&self) -> String {
        format!("{}-{}", Self::LISTENER_CATEGORY, self.0)
    }
}

impl AccessId {
    /// The access log of the command line, which knows no accounts.
    pub const COMMAND_LINE: Self = Self(Uuid::from_u128(0x5e60_acce_5510_7000_8000_0000_0000_0001));

    /// The access log of an account, under the account's own id.
    pub const fn of(account: AccountId) -> Self {
        Self(account.uuid())
    }
}

impl CatalogueId {
    /// The one catalogue of a deployment.
    pub const MAIN: Self = Self(Uuid::from_u128(0x5e60_ca7a_1090_7000_8000_0000_0000_0001));
}

impl BaseModelId {
    /// The one line of base models of a deployment.
    pub const MAIN: Self = Self(Uuid::from_u128(0x5e60_ba5e_30de_7000_8000_0000_0000_0001));
}

impl CompanionsId {
    /// The one line of companions of a deployment.
    pub const MAIN: Self = Self(Uuid::from_u128(0x5e60_c033_9a10_7000_8000_0000_0000_0001));
}

/// A track's id, as its catalogue gave it: 1 to 128 bytes, no control characters, no white space at its ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TrackId(String);

/// Why a text is no [`TrackId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTrackId {
    /// There is no character in it.
    #[error("a track id is not empty")]
    Empty,
    /// It is longer than [`TrackId::BYTES_MAX`].
    #[error("a track id has at most {max} bytes", max = TrackId::BYTES_MAX)]
    TooLong,
    /// It holds a control character.
    #[error("a track id has no control characters")]
    Control,
    /// It starts or ends with white space.
    #[error("a track id has no white space at its ends")]
    Untrimmed,
}

impl TrackId {
    /// The most bytes a track id has: room for any known scheme, and small enough to be a key everywhere.
    pub const BYTES_MAX: usize = 128;

    /// Checks `text` and takes it as a track id.
    ///
    /// # Errors
    /// [`InvalidTrackId`] names the first rule that `text` breaks.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidTrackId> {
        let text = text.into();
        check_track_id(&text)?;
        Ok(Self(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_track_id(text: &str) -> Result<(), InvalidTrackId> {
    if text.is_empty() {
        Err(InvalidTrackId::Empty)
    } else if text.len() > TrackId::BYTES_MAX {
        Err(InvalidTrackId::TooLong)
    } else if text.chars().any(char::is_control) {
        Err(InvalidTrackId::Control)
    } else if text.trim() != text {
        Err(InvalidTrackId::Untrimmed)
    } else {
        Ok(())
    }
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for TrackId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for TrackId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrackId {
    type Err = InvalidTrackId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for TrackId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A text that is no SHA-256 digest in 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct InvalidDigest;

macro_rules! sha256_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The SHA-256 of `bytes`.
            pub fn of(bytes: impl AsRef<[u8]>) -> Self {
                Self(Sha256::digest(bytes.as_ref()).into())
            }

            /// Takes 32 bytes that are a SHA-256 already.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Reads 64 hexadecimal digits.
            ///
            /// # Errors
            /// [`InvalidDigest`] when `text` is anything else.
            pub fn parse(text: &str) -> Result<Self, InvalidDigest> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidDigest)?;
                Ok(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 64];
                hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidDigest;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

sha256_id!(
    /// The SHA-256 of a large immutable thing (a catalogue, a model, a schema), written as 64 hexadecimal digits.
    Digest
);
sha256_id!(
    /// The SHA-256 of a session's token. The token itself is never kept.
    SessionHash
);
