//! Typed reads of the live views.
//!
//! In LMDB each reads one moment of the store, takes microseconds and never waits, so it is done where it is asked for. In
//! Redis it takes some round trips on a thread that may wait, and what it says of one view is of one version of it.

mod live;
mod past;
mod viewed;

use domain::{AccountId, BaseModelId, CatalogueId, Generated, PlaylistId, SessionHash, TrackId};
use eventing::{Position, StreamId, Version};

use crate::{
    AccountView, CatalogueView, ListenerTaste, ModelView, PlaylistView, ProjectionKind, SessionView,
    TasteView, ViewError, ViewStore,
    projections::{accounts, library, playlists, taste_models},
    rebuild::blocking,
    store::Direction,
};
use live::{Live, read_at_rest};

pub use past::listener_taste_as_of;
pub(crate) use past::taste_of;
pub use viewed::{Page, ProjectionStatus, RatedTrack, Viewed};

/// Reads views. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ViewReader {
    store: ViewStore,
}

impl ViewStore {
    /// Reads of this store's live views.
    #[must_use]
    pub fn reader(&self) -> ViewReader {
        ViewReader { store: self.clone() }
    }
}

/// Every read may answer:
/// - `NotBuilt`: no projector has begun these views.
/// - `BeingRebuilt`: their store lost some, and has not caught up with what was read before.
/// - `Unavailable`: the store did not answer. None of these is an absence.
impl ViewReader {
    /// The account; `None` when it is not registered, or was erased.
    ///
    /// # Errors
    /// See [`ViewError`]; the caller must not take it for absence.
    pub async fn account(&self, account: AccountId) -> Result<Option<Viewed<AccountView>>, ViewError> {
        self.read(ProjectionKind::Accounts, move |live| {
            let head = live.head::<accounts::Head>(&stream(AccountId::CATEGORY, account.uuid()))?;
            Ok(head.and_then(|viewed| viewed.flat_map(|head| head.0)))
        })
        .await
    }

    /// The session with this token hash, and its account; `None` when no such session is live. Whether its time is
    /// over is for the caller to say.
    ///
    /// # Errors
    /// See [`ViewError`]; the caller must let nobody in.
    pub async fn session(&self, session: &SessionHash) -> Result<Option<Viewed<SessionView>>, ViewError> {
        let session = *session;
        self.read(ProjectionKind::Accounts, move |live| live.session(&session))
            .await
    }

    /// What the model knows of a listener; the default for one who did nothing yet, or was forgotten.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn taste(&self, listener: AccountId) -> Result<Viewed<TasteView>, ViewError> {
        self.read(ProjectionKind::TasteModels, move |live| {
            live.taste(&listener_stream(listener))
        })
        .await
    }

    /// Everything that a playlist is made from, as of the version the view stands at.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn listener_taste(&self, listener: AccountId) -> Result<Viewed<ListenerTaste>, ViewError> {
        self.read(ProjectionKind::TasteModels, move |live| {
            live.listener_taste(&listener_stream(listener))
        })
        .await
    }

    /// Up to `limit` rated tracks in the order of their ids, from behind `after` on.
    ///
    /// In Redis a page costs reading the names of all of the listener's entries.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn ratings_page(
        &self,
        listener: AccountId,
        after: Option<&TrackId>,
        limit: usize,
    ) -> Result<Page<RatedTrack>, ViewError> {
        let after = after.map(taste_models::rating_key);
        self.read(ProjectionKind::TasteModels, move |live| {
            live.ratings_page(&listener_stream(listener), after.as_deref(), limit)
        })
        .await
    }

    /// The rating that `listener` gave to `track`.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn rating(
        &self,
        listener: AccountId,
        track: &TrackId,
    ) -> Result<Option<RatedTrack>, ViewError> {
        let track = track.clone();
        self.read(ProjectionKind::TasteModels, move |live| {
            live.rating(&listener_stream(listener), &track)
        })
        .await
    }

    /// The playlist without its tracks; `None` when it was not requested, or its owner was forgotten.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn playlist(&self, playlist: PlaylistId) -> Result<Option<Viewed<PlaylistView>>, ViewError> {
        self.read(ProjectionKind::Playlists, move |live| live.playlist(playlist))
            .await
    }

    /// The playlist with what was generated, which is there when its status is ready.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn playlist_with_tracks(
        &self,
        playlist: PlaylistId,
    ) -> Result<Option<Viewed<(PlaylistView, Option<Generated>)>>, ViewError> {
        self.read(ProjectionKind::Playlists, move |live| {
            let Some(viewed) = live.playlist(playlist)? else {
                return Ok(None);
            };
            let stream = stream(PlaylistId::CATEGORY, playlist.uuid());
            let generated = live.entry(&stream, playlists::GENERATED, "a playlist's tracks")?;
            Ok(Some(viewed.map(|view| (view, generated))))
        })
        .await
    }

    /// Up to `limit` playlists of `owner`, the newest first, from behind `cursor` on: a former page's `next`.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn playlists_of(
        &self,
        owner: AccountId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Viewed<PlaylistView>>, ViewError> {
        let cursor = cursor.map(str::to_owned);
        self.read(ProjectionKind::Playlists, move |live| {
            live.playlists_of(owner, cursor.as_deref(), limit)
        })
        .await
    }

    /// Up to `limit` playlists that wait to be made, the oldest request first.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn pending_playlists(&self, limit: usize) -> Result<Vec<PlaylistId>, ViewError> {
        self.read(ProjectionKind::Playlists, move |live| {
            let partition = (playlists::PENDING, "");
            let rows =
                live.snapshot
                    .lookups(live.generation, partition, None, limit, Direction::Ascending)?;
            rows.iter()
                .map(|(_, value)| playlists::playlist_id(value))
                .collect()
        })
        .await
    }

    /// The current catalogue; `None` before the first import.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn catalogue(&self) -> Result<Option<Viewed<CatalogueView>>, ViewError> {
        self.read(ProjectionKind::Library, |live| {
            let head = live.head::<library::Head>(&catalogue_stream())?;
            Ok(head.and_then(|viewed| viewed.flat_map(|head| head.catalogue)))
        })
        .await
    }

    /// Every version of the catalogue, in the order of import.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn catalogues(&self) -> Result<Vec<CatalogueView>, ViewError> {
        self.read(ProjectionKind::Library, |live| {
            live.rows(&catalogue_stream(), library::HISTORY)
        })
        .await
    }

    /// The current base model; `None` before the first publication.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn model(&self) -> Result<Option<Viewed<ModelView>>, ViewError> {
        self.read(ProjectionKind::Library, |live| {
            let head = live.head::<library::Head>(&model_stream())?;
            Ok(head.and_then(|viewed| viewed.flat_map(|head| head.model)))
        })
        .await
    }

    /// Every published base model, in the order of publication.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn models(&self) -> Result<Vec<ModelView>, ViewError> {
        self.read(ProjectionKind::Library, |live| {
            live.rows(&model_stream(), library::HISTORY)
        })
        .await
    }

    /// Everything that `kind` wants at or below this position is in its views.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn checkpoint(&self, kind: ProjectionKind) -> Result<Position, ViewError> {
        self.read(kind, |live| live.checkpoint()).await
    }

    /// Where a projection stands. Counts its views, so it reads them all.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub async fn status(&self, kind: ProjectionKind) -> Result<ProjectionStatus, ViewError> {
        let store = self.store.clone();
        self.run(move || status_of(&store, kind)).await
    }

    pub(crate) async fn has_reached(
        &self,
        kind: ProjectionKind,
        stream: &StreamId,
        until: crate::Until,
    ) -> Result<bool, ViewError> {
        let stream = stream.clone();
        self.read(kind, move |live| {
            let view = live.snapshot.view(live.generation, &stream)?;
            Ok(match until {
                crate::Until::Version(version) => view.map_or(Version::NONE, |view| view.version) >= version,
                crate::Until::Position(position) => {
                    view.is_some_and(|view| view.position >= position) || live.checkpoint()? >= position
                }
            })
        })
        .await
    }

    pub(crate) fn store(&self) -> &ViewStore {
        &self.store
    }

    /// Reads the live generation of `kind`. What `read` answers is of one version of each view it looked at.
    async fn read<T: Send + 'static>(
        &self,
        kind: ProjectionKind,
        read: impl Fn(&Live<'_>) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        if !self.store.is_remote() {
            return read(&Live::of(&self.store, kind)?);
        }
        let store = self.store.clone();
        blocking(move || read_at_rest(&store, kind, read)).await
    }

    /// Does `work` here, or on a thread that may wait for a network.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        if self.store.is_remote() {
            blocking(work).await
        } else {
            work()
        }
    }
}

fn status_of(store: &ViewStore, kind: ProjectionKind) -> Result<ProjectionStatus, ViewError> {
    let snapshot = store.snapshot()?;
    let live = snapshot.live(kind.name())?;
    let (checkpoint, views) = match live {
        Some(live) => (
            snapshot.checkpoint(live.generation)?,
            snapshot.count(live.generation)?,
        ),
        None => (Position::START, 0),
    };
    Ok(ProjectionStatus {
        projection: kind.name(),
        generation: live.map(|live| live.generation),
        revision: live.map(|live| live.revision),
        is_current: live.is_some_and(|live| live.revision == kind.revision()),
        checkpoint,
        views,
        building: snapshot.building(kind.name())?.map(|built| built.generation),
    })
}

fn catalogue_stream() -> StreamId {
    stream(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid())
}

fn model_stream() -> StreamId {
    stream(BaseModelId::CATEGORY, BaseModelId::MAIN.uuid())
}

fn stream(category: &str, uuid: uuid::Uuid) -> StreamId {
    StreamId::new(category, uuid)
}

fn listener_stream(listener: AccountId) -> StreamId {
    stream(AccountId::LISTENER_CATEGORY, listener.uuid())
}

fn track_of(key: &[u8], prefix: &str) -> Result<TrackId, ViewError> {
    let track = std::str::from_utf8(key)
        .ok()
        .and_then(|key| key.strip_prefix(prefix));
    let track = track.and_then(|track| TrackId::parse(track).ok());
    track.ok_or_else(|| ViewError::corrupt_because("an entry's key", "is no track"))
}
