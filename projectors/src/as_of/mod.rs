//! Streams as they were: their state at a position or a time, folded from the log alone.
//!
//! Nothing here reads a view, so what it says does not depend on how far any projector is. People who were forgotten since
//! stay forgotten: of their streams it is told that they were erased, and nothing else.

mod at;
mod states;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use classifier::BaseModel;
use domain::{AccountId, BaseModelId, CatalogueId, CompanionsId, PlaylistId};
use eventing::{EventLog, Keys, LogError, Position, RecordedEvent, StreamId, SubjectId, Version};
use serde::Serialize;

pub use at::{At, AtError, InvalidAt, Moment};
pub use states::{
    AccountState, CompanionsState, Contribution, Failure, PlaylistItem, PlaylistState, RecordsState, State,
    items,
};

use crate::{
    CatalogueError, CatalogueView, Catalogues, ModelView, ViewError,
    fold::fold_alone,
    opened::{Opened, open_all},
    projection::Projection,
    projections::{Accounts, Library, Playlists, TasteModels},
    reader::taste_of,
    rebuild::blocking,
    taste_told::TasteTold,
    view::View,
};

/// The type of the event after which nothing is told of a person.
pub(crate) const ERASED: &str = "account.erased";
/// Records read from the log at a time.
const PAGE: usize = 1_000;

/// Reads the history. Cheap to clone.
#[derive(Clone, Debug)]
pub struct History {
    log: EventLog,
    keys: Keys,
    catalogues: Catalogues,
}

/// A stream as it was.
#[derive(Clone, Debug, Serialize)]
pub struct StateAt {
    /// The stream.
    pub stream: StreamId,
    /// The state is that after the record of this position.
    pub at: Position,
    /// When that was.
    pub at_time: DateTime<Utc>,
    /// The position of the stream's last record then.
    pub position: Position,
    /// The stream's version then.
    pub version: Version,
    /// What kind of thing it is: the stream's category.
    pub kind: String,
    /// Its state.
    pub state: State,
}

/// The state could not be told. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    /// The log has no such stream.
    #[error("there is no stream {0}")]
    UnknownStream(StreamId),
    /// The stream's first record came later.
    #[error("the stream {stream} did not exist yet at position {at}")]
    NotYet {
        /// The stream.
        stream: StreamId,
        /// Where it was looked for.
        at: Position,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
    /// The stream could not be folded.
    #[error("the stream's events could not be folded")]
    Fold(#[from] ViewError),
    /// The catalogue of that time could not be had.
    #[error("the catalogue could not be read")]
    Catalogue(#[from] CatalogueError),
    /// The base model of that time could not be had.
    #[error("the base model {0} could not be read")]
    Model(domain::Digest),
}

impl History {
    /// The history of `log`. Decoded catalogues are those of `catalogues`.
    #[must_use]
    pub fn new(log: EventLog, keys: Keys, catalogues: Catalogues) -> Self {
        Self {
            log,
            keys,
            catalogues,
        }
    }

    /// The state of `stream` after the record of `moment`.
    ///
    /// Takes time in proportion to the stream's records until then, and for listeners as long as a playlist.
    ///
    /// # Errors
    /// See [`AsOfError`].
    pub async fn state(&self, stream: &StreamId, moment: Moment) -> Result<StateAt, AsOfError> {
        let at = moment.position;
        let version = self.log.stream_version_before(stream, at.next()).await?;
        if version == Version::NONE {
            return Err(self.absent(stream, at).await?);
        }
        let last = self.record(stream, version).await?;
        let state = match last.subject {
            Some(subject) if self.is_erased(subject).await? => State::erased(),
            _ => self.folded(stream, version, moment).await?,
        };
        Ok(StateAt {
            stream: stream.clone(),
            at,
            at_time: moment.time,
            position: last.position,
            version,
            kind: stream.category().to_owned(),
            state,
        })
    }

    /// Whether the log says that a person was erased, at whatever time.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn is_erased(&self, subject: SubjectId) -> Result<bool, LogError> {
        let account = StreamId::new(AccountId::CATEGORY, subject.as_uuid());
        let Some(head) = self.log.stream_head(&account).await? else {
            return Ok(false);
        };
        // Nothing follows an erasure.
        let last = self
            .log
            .read_stream(&account, Version(head.version.0 - 1), 1)
            .await?;
        Ok(last.iter().any(|last| last.event_type == ERASED))
    }

    async fn absent(&self, stream: &StreamId, at: Position) -> Result<AsOfError, AsOfError> {
        let stream = stream.clone();
        Ok(match self.log.stream_head(&stream).await? {
            Some(_) => AsOfError::NotYet { stream, at },
            None => AsOfError::UnknownStream(stream),
        })
    }

    async fn record(&self, stream: &StreamId, version: Version) -> Result<RecordedEvent, AsOfError> {
        let found = self
            .log
            .read_stream(stream, Version(version.0 - 1), 1)
            .await?
            .pop();
        let gone = || ViewError::log("a stream", format!("{stream} has a gap"));
        Ok(found.ok_or_else(gone)?)
    }

    async fn folded(&self, stream: &StreamId, version: Version, moment: Moment) -> Result<State, AsOfError> {
        match stream.category() {
            AccountId::CATEGORY => {
                let view = self.fold::<Accounts>(stream, version).await?;
                Ok(states::account(&view))
            }
            AccountId::LISTENER_CATEGORY => self.listener(stream, version, moment).await,
            PlaylistId::CATEGORY => {
                let view = self.fold::<Playlists>(stream, version).await?;
                let Some((playlist, generated)) = states::playlist(&view)? else {
                    return Ok(State::erased());
                };
                let catalogue = match &generated {
                    Some(generated) => self.catalogue_of(generated.catalogue, moment.position).await?,
                    None => None,
                };
                Ok(PlaylistState::of(playlist, generated, catalogue.as_deref()).into())
            }
            CatalogueId::CATEGORY | BaseModelId::CATEGORY => {
                let view = self.fold::<Library>(stream, version).await?;
                Ok(states::library(&view, version))
            }
            CompanionsId::CATEGORY => {
                let last = self.record(stream, version).await?;
                Ok(states::companions(&last).unwrap_or_else(|| State::records(version)))
            }
            _ => Ok(State::records(version)),
        }
    }

    /// What is told of a listener, with the catalogue and the base model of that time.
    async fn listener(
        &self,
        stream: &StreamId,
        version: Version,
        moment: Moment,
    ) -> Result<State, AsOfError> {
        let view = self.fold::<TasteModels>(stream, version).await?;
        let Some(head) = view.head() else {
            return Ok(State::erased());
        };
        let artists = view.entries(crate::projections::taste_models::ARTISTS)?;
        let view_told = head
            .clone()
            .with_artists(artists.into_iter().map(|(_, entry)| entry));
        let taste = taste_of(&view)?;
        let Some(imported) = self.catalogue_at(moment.position).await? else {
            return Ok(TasteTold::without_catalogue(&view_told).into());
        };
        let imported = imported.imported;
        let catalogue = self.catalogues.get(imported.version, imported.blob).await?;
        let base = self.base_at(&catalogue, moment.position).await?;
        let input = taste.into_input(moment.time);
        let told = blocking(move || Ok(TasteTold::under(&view_told, &catalogue, &base, &input))).await?;
        Ok(told.into())
    }

    /// The catalogue that was current after `at`.
    async fn catalogue_at(&self, at: Position) -> Result<Option<CatalogueView>, AsOfError> {
        let stream = StreamId::new(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid());
        let version = self.log.stream_version_before(&stream, at.next()).await?;
        let view = self.fold::<Library>(&stream, version).await?;
        Ok(view.head().and_then(|head| head.catalogue.clone()))
    }

    /// The catalogue `version`, if it was imported up to `at` and its content is there.
    async fn catalogue_of(
        &self,
        version: domain::Digest,
        at: Position,
    ) -> Result<Option<Arc<classifier::Catalogue>>, AsOfError> {
        let stream = StreamId::new(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid());
        let imports = self.log.stream_version_before(&stream, at.next()).await?;
        let view = self.fold::<Library>(&stream, imports).await?;
        let history = view.entries::<CatalogueView>(crate::projections::library::HISTORY)?;
        let mut imports = history.into_iter().map(|(_, import)| import.imported);
        let Some(imported) = imports.find(|imported| imported.version == version) else {
            return Ok(None);
        };
        match self.catalogues.get(imported.version, imported.blob).await {
            Ok(catalogue) => Ok(Some(catalogue)),
            Err(CatalogueError::Missing(_) | CatalogueError::Unusable { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The base model that was current after `at` if it belongs to the catalogue's features, else the neutral one.
    async fn base_at(&self, catalogue: &classifier::Catalogue, at: Position) -> Result<BaseModel, AsOfError> {
        let stream = StreamId::new(BaseModelId::CATEGORY, BaseModelId::MAIN.uuid());
        let version = self.log.stream_version_before(&stream, at.next()).await?;
        let view = self.fold::<Library>(&stream, version).await?;
        let published = view.head().and_then(|head| head.model.clone());
        let fits = |model: &ModelView| model.published.schema == catalogue.schema().digest();
        let Some(published) = published.filter(fits).map(|model| model.published) else {
            return Ok(BaseModel::neutral(catalogue.schema()));
        };
        let bytes = self.log.blob(published.blob.as_bytes()).await?;
        let model = bytes.and_then(|bytes| BaseModel::from_bytes(&bytes).ok());
        model.ok_or(AsOfError::Model(published.model))
    }

    /// Folds a stream up to and including `version`.
    async fn fold<P: Projection>(
        &self,
        stream: &StreamId,
        version: Version,
    ) -> Result<View<P::Head>, AsOfError> {
        let opened = opened_until(&self.log, &self.keys, stream, version).await?;
        Ok(fold_alone::<P>(stream.clone(), opened)?)
    }
}

/// The records of a stream up to and including `version`, opened.
pub(crate) async fn opened_until(
    log: &EventLog,
    keys: &Keys,
    stream: &StreamId,
    version: Version,
) -> Result<Vec<Opened>, ViewError> {
    let mut events = Vec::new();
    let mut after = Version::NONE;
    while after < version {
        let limit = PAGE.min(usize::try_from(version.0 - after.0).unwrap_or(PAGE));
        let page = log
            .read_stream(stream, after, limit)
            .await
            .map_err(|error| ViewError::log("a stream", error))?;
        let Some(last) = page.last() else { break };
        after = last.version;
        events.extend(page.into_iter().map(Arc::new));
    }
    let keys = keys.clone();
    blocking(move || Ok(open_all(&keys, &events))).await
}
