//! What stood in the log before a request: all that a playlist is made from.

use domain::{Event, PlaylistId, StoredEvent, base_model, catalogue, companions, playlist};
use eventing::{
    EventLog, KeyError, Keys, LogError, Payload, Position, RecordedEvent, StreamId, SubjectId, Version,
};
use projectors::{ListenerTaste, ViewError, ViewReader, listener_taste_as_of};

/// The type of the event that asks.
pub(crate) const REQUESTED: &str = "playlist.requested";
pub(crate) const IMPORTED: &str = "catalogue.imported";
pub(crate) const PUBLISHED: &str = "model.published";
pub(crate) const COUNTED: &str = "companions.published";

/// What is known of a playlist's stream.
#[derive(Debug)]
pub enum Asked {
    /// It waits for its answer.
    Open(Box<Request>),
    /// It has its answer: the event that gave it.
    Answered(Box<Request>, Box<RecordedEvent>),
    /// Nobody has asked, as far as the log says.
    Unknown,
    /// The person who asked was forgotten.
    Erased,
}

/// A request, with its place in the log.
#[derive(Debug)]
pub struct Request {
    /// Its record.
    pub recorded: RecordedEvent,
    /// What it says.
    pub requested: playlist::Requested,
}

/// Everything a playlist depends on beside the contents that digests name.
#[derive(Debug)]
pub struct Inputs {
    /// The last catalogue before the request.
    pub catalogue: Option<catalogue::Imported>,
    /// The last base model before the request.
    pub model: Option<base_model::Published>,
    /// The last companions before the request.
    pub companions: Option<companions::Published>,
    /// What the listener did before the request.
    pub taste: ListenerTaste,
    /// The version of the listener's stream that says so.
    pub listener_version: Version,
}

/// The log could not be read far enough. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
    /// A key could not be used.
    #[error("a payload could not be opened")]
    Keys(#[from] KeyError),
    /// The listener's events could not be folded.
    #[error("the listener's events could not be folded")]
    Taste(#[source] ViewError),
    /// An event is not what its type says.
    #[error("version {version} of {stream} cannot be read")]
    Undecodable {
        /// The stream.
        stream: StreamId,
        /// The event's version.
        version: Version,
    },
}

impl Asked {
    /// Reads a playlist's stream.
    ///
    /// # Errors
    /// See [`InputsError`].
    pub async fn read(log: &EventLog, keys: &Keys, playlist: PlaylistId) -> Result<Self, InputsError> {
        let stream = StreamId::new(PlaylistId::CATEGORY, playlist.uuid());
        let mut events = log.read_stream(&stream, Version::NONE, 2).await?.into_iter();
        let Some(recorded) = events.next() else {
            return Ok(Self::Unknown);
        };
        let Some(requested) = open(keys, &recorded).await? else {
            return Ok(Self::Erased);
        };
        let Event::Playlist(domain::PlaylistEvent::Requested(requested)) = requested else {
            return Err(undecodable(&recorded));
        };
        let request = Box::new(Request { recorded, requested });
        Ok(match events.next() {
            Some(answer) => Self::Answered(request, Box::new(answer)),
            None => Self::Open(request),
        })
    }
}

impl Request {
    /// The playlist that was asked for.
    #[must_use]
    pub fn playlist(&self) -> PlaylistId {
        self.requested.playlist
    }

    /// Where the request stands.
    #[must_use]
    pub fn position(&self) -> Position {
        self.recorded.position
    }

    /// Whom it is about.
    #[must_use]
    pub fn subject(&self) -> SubjectId {
        self.requested.owner.uuid().into()
    }

    /// The stream of the listener's ratings and plays.
    #[must_use]
    pub fn listener(&self) -> StreamId {
        StreamId::new(domain::AccountId::LISTENER_CATEGORY, self.requested.owner.uuid())
    }
}

impl Inputs {
    /// Reads what stood before `request`.
    ///
    /// A view may save reading the listener's stream: it is used only when it stands at the very version that counts.
    ///
    /// # Errors
    /// See [`InputsError`].
    pub async fn before(
        request: &Request,
        log: &EventLog,
        keys: &Keys,
        views: Option<&ViewReader>,
    ) -> Result<Self, InputsError> {
        let position = request.position();
        let listener_version = log.stream_version_before(&request.listener(), position).await?;
        let viewed = match views {
            Some(views) => viewed(views, request, listener_version).await,
            None => None,
        };
        let taste = match viewed {
            Some(taste) => taste,
            None => listener_taste_as_of(log, keys, request.requested.owner, listener_version)
                .await
                .map_err(InputsError::Taste)?,
        };
        let catalogue = last_before(log, IMPORTED, position).await?;
        let catalogue = catalogue.map(|domain::CatalogueEvent::Imported(imported)| imported);
        let model = last_before(log, PUBLISHED, position).await?;
        let model = model.map(|domain::BaseModelEvent::Published(published)| published);
        let companions = last_companions_before(log, position).await?;
        Ok(Self {
            catalogue,
            model,
            companions,
            taste,
            listener_version,
        })
    }
}

/// The view, if it stands exactly at `version`. One that cannot be read is none: the log has it all.
async fn viewed(views: &ViewReader, request: &Request, version: Version) -> Option<ListenerTaste> {
    if version == Version::NONE {
        return Some(ListenerTaste::default());
    }
    let viewed = views.listener_taste(request.requested.owner).await.ok()?;
    (viewed.version == version).then_some(viewed.view)
}

/// The last companions before `position`.
pub(crate) async fn last_companions_before(
    log: &EventLog,
    position: Position,
) -> Result<Option<companions::Published>, InputsError> {
    let counted = last_before(log, COUNTED, position).await?;
    Ok(counted.map(|domain::CompanionsEvent::Published(published)| published))
}

async fn last_before<E: StoredEvent>(
    log: &EventLog,
    event_type: &str,
    position: Position,
) -> Result<Option<E>, InputsError> {
    let Some(event) = log.last_of_type_before(event_type, position).await? else {
        return Ok(None);
    };
    said_openly(&event).map(Some)
}

/// What a record says that is about no person.
pub(crate) fn said_openly<E: StoredEvent>(event: &RecordedEvent) -> Result<E, InputsError> {
    let eventing::Body::Open(payload) = &event.body else {
        return Err(undecodable(event));
    };
    let decoded = E::decode(&event.event_type, event.schema_version.0, payload);
    let last = decoded.ok().and_then(|events| events.into_iter().last());
    last.ok_or_else(|| undecodable(event))
}

/// The event, opened; `None` when its person was forgotten.
async fn open(keys: &Keys, event: &RecordedEvent) -> Result<Option<Event>, InputsError> {
    let payload = match keys.open_event(event).await? {
        Payload::Open(payload) => payload,
        Payload::Erased => return Ok(None),
    };
    let decoded = domain::decode(&event.event_type, event.schema_version.0, &payload);
    decoded
        .ok()
        .and_then(|events| events.into_iter().next())
        .ok_or_else(|| undecodable(event))
        .map(Some)
}

pub(crate) fn undecodable(event: &RecordedEvent) -> InputsError {
    InputsError::Undecodable {
        stream: event.stream.clone(),
        version: event.version,
    }
}
