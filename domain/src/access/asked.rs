//! What a read of the history asks for.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::recorded::EVENT_TYPES;
use crate::{AccessId, AccountId, BaseModelId, CatalogueId, CompanionsId, PlaylistId};

/// What a read asks for: only what was said is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// One stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamName>,
    /// One person: what is recorded about this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<AccountId>,
    /// One type of event, or all whose names start so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventTypes>,
    /// One chain of causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Uuid>,
    /// One place in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// One moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
    /// Only what stands after this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only what stands up to this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Only what was recorded at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Only what was recorded before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<DateTime<Utc>>,
}

impl Asked {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// One place in the log.
    pub fn position(position: u64) -> Self {
        Self {
            position: Some(position),
            ..Self::default()
        }
    }

    /// What stands after one position and up to another.
    pub fn between(after: u64, until: u64) -> Self {
        Self {
            after: Some(after),
            until: Some(until),
            ..Self::default()
        }
    }

    /// One stream.
    pub fn stream(stream: StreamName) -> Self {
        Self {
            stream: Some(stream),
            ..Self::default()
        }
    }

    /// One chain of causes.
    pub fn correlation(correlation: Uuid) -> Self {
        Self {
            correlation: Some(correlation),
            ..Self::default()
        }
    }
}

/// The name of a stream of this program: one of its categories, a dash, and a UUID in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamName(String);

/// The text names no stream that this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of a stream, which is a category, a dash and a UUID")]
pub struct UnknownStreamName;

impl StreamName {
    /// Every category of streams, sorted.
    pub const CATEGORIES: &'static [&'static str] = &[
        AccessId::CATEGORY,
        AccountId::CATEGORY,
        CatalogueId::CATEGORY,
        CompanionsId::CATEGORY,
        AccountId::LISTENER_CATEGORY,
        BaseModelId::CATEGORY,
        PlaylistId::CATEGORY,
    ];

    /// Takes `text` as the name of a stream, whether or not there is one.
    ///
    /// # Errors
    /// [`UnknownStreamName`]: the category is none of [`CATEGORIES`](Self::CATEGORIES), or what follows is no UUID.
    pub fn parse(text: &str) -> Result<Self, UnknownStreamName> {
        let (category, id) = text.split_once('-').ok_or(UnknownStreamName)?;
        let id: Uuid = id.parse().map_err(|_| UnknownStreamName)?;
        let name = format!("{category}-{id}");
        (Self::CATEGORIES.contains(&category) && name == text)
            .then_some(Self(name))
            .ok_or(UnknownStreamName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One type of event by its stored name, or, with a dot at the end, all types whose names start so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTypes(String);

/// The text is no type of event and not the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no event type; with a dot at its end it is the beginning of one, as in `account.`")]
pub struct UnknownEventTypes;

impl EventTypes {
    /// Takes `text` as the name of a type, or as the beginning of several.
    ///
    /// # Errors
    /// [`UnknownEventTypes`]: this program writes no such event.
    pub fn parse(text: &str) -> Result<Self, UnknownEventTypes> {
        let fits = |(name, _): &(&str, u16)| match text.ends_with('.') {
            true => name.starts_with(text),
            false => *name == text,
        };
        EVENT_TYPES
            .iter()
            .any(fits)
            .then(|| Self(text.to_owned()))
            .ok_or(UnknownEventTypes)
    }

    /// The name or beginning as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether these are all of the access log.
    pub fn are_of_the_access_log(&self) -> bool {
        self.0.split('.').next() == Some(AccessId::CATEGORY)
    }
}

impl fmt::Display for EventTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
