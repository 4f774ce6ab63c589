//! Typed reads of the live views.
//!
//! In LMDB each reads one moment of the store, takes microseconds and never waits, so it is done where it is asked for. In
//! Redis it takes some round trips on a thread that may wait, and what it says of one view is of one version of it.

use chrono::{DateTime, Utc};
use domain::{AccountId, BaseModelId, CatalogueId, Generated, PlaylistId, Rating, SessionHash, TrackId};
use eventing::{EventLog, Keys, Position, StreamId, Version};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AccountView, CatalogueView, ListenerTaste, ModelView, PlaylistView, ProjectionKind, SessionView,
    TasteView, ViewError, ViewStore,
    as_of::opened_until,
    fold::fold_alone,
    folding::live_generation,
    projections::{TasteModels, accounts, library, playlists, taste_models},
    rebuild::blocking,
    store::{Direction, Generation, Snapshot, Wanted},
    view::{View, parse},
};

/// A view that changes as often as this while it is read does not come to rest.
const READS_MAX: usize = 20;

/// Reads views. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ViewReader {
    store: ViewStore,
}

/// A view, with how far it reflects the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewed<T> {
    /// The view.
    pub view: T,
    /// The version of its stream that it reflects.
    pub version: Version,
    /// The position of that version.
    pub position: Position,
    /// The view holds everything of its stream at or below this position: the greater of `position` and the
    /// projection's checkpoint.
    pub reflects: Position,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
    /// The list holds everything at or below this position.
    pub reflects: Position,
}

/// A track that a listener rated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RatedTrack {
    /// The track.
    pub track: TrackId,
    /// The rating that holds.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
}

/// Where a projection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectionStatus {
    /// The projection's name.
    pub projection: &'static str,
    /// The generation that is read.
    pub generation: Option<Generation>,
    /// The revision of the fold that made it.
    pub revision: Option<u32>,
    /// Whether that is this program's revision.
    pub is_current: bool,
    /// Everything wanted at or below this is stored.
    pub checkpoint: Position,
    /// How many views there are, removed ones included.
    pub views: u64,
    /// The generation that a rebuild is making, or has left unfinished.
    pub building: Option<Generation>,
}

#[derive(serde::Deserialize)]
struct RatedEntry {
    rating: Rating,
    rated_at: DateTime<Utc>,
}

impl ViewStore {
    /// Reads of this store's live views.
    #[must_use]
    pub fn reader(&self) -> ViewReader {
        ViewReader { store: self.clone() }
    }
}

/// The live generation of one projection, as it is read.
struct Live<'a> {
    store: &'a ViewStore,
    kind: ProjectionKind,
    snapshot: Snapshot,
    generation: Generation,
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

/// Reads again for as long as a view changes between two looks at it.
fn read_at_rest<T>(
    store: &ViewStore,
    kind: ProjectionKind,
    read: impl Fn(&Live<'_>) -> Result<T, ViewError>,
) -> Result<T, ViewError> {
    for _ in 0..READS_MAX {
        let live = Live::of(store, kind)?;
        let found = read(&live)?;
        if !live.snapshot.has_moved()? {
            return Ok(found);
        }
    }
    Err(ViewError::unavailable(
        "a view was changed time and again while it was read",
    ))
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

impl<'a> Live<'a> {
    fn of(store: &'a ViewStore, kind: ProjectionKind) -> Result<Self, ViewError> {
        let snapshot = store.snapshot()?;
        let generation = store.admit(kind.name(), &snapshot, live_generation(&snapshot, kind))?;
        Ok(Self {
            store,
            kind,
            snapshot,
            generation,
        })
    }

    fn checkpoint(&self) -> Result<Position, ViewError> {
        self.snapshot.checkpoint(self.generation)
    }

    fn head<T: DeserializeOwned>(&self, stream: &StreamId) -> Result<Option<Viewed<T>>, ViewError> {
        let Some(stored) = self.snapshot.view(self.generation, stream)? else {
            return Ok(None);
        };
        self.store.note(self.kind.name(), stored.position);
        let Some(head) = stored.head else { return Ok(None) };
        let reflects = self.checkpoint()?.max(stored.position);
        let view = parse(&head, "a view's head")?;
        Ok(Some(Viewed {
            view,
            version: stored.version,
            position: stored.position,
            reflects,
        }))
    }

    fn head_or_default<T: DeserializeOwned + Default>(
        &self,
        stream: &StreamId,
    ) -> Result<Viewed<T>, ViewError> {
        if let Some(viewed) = self.head(stream)? {
            return Ok(viewed);
        }
        let stored = self.snapshot.view(self.generation, stream)?;
        let (version, position) =
            stored.map_or_else(Default::default, |stored| (stored.version, stored.position));
        Ok(Viewed {
            view: T::default(),
            version,
            position,
            reflects: self.checkpoint()?.max(position),
        })
    }

    fn session(&self, session: &SessionHash) -> Result<Option<Viewed<SessionView>>, ViewError> {
        let Some(account) = self
            .snapshot
            .lookup(self.generation, &accounts::session_key(session))?
        else {
            return Ok(None);
        };
        let account = std::str::from_utf8(&account)
            .ok()
            .and_then(|account| account.parse::<AccountId>().ok());
        let account = account.ok_or_else(|| ViewError::corrupt_because("a session's account", "is no id"))?;
        let head = self.head::<accounts::Head>(&stream(AccountId::CATEGORY, account.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| session_of(head.0?, session))))
    }

    fn taste(&self, stream: &StreamId) -> Result<Viewed<TasteView>, ViewError> {
        self.snapshot.prefetch_whole(self.generation, stream)?;
        let head = self.head_or_default::<taste_models::Head>(stream)?;
        let artists = self.rows::<taste_models::ArtistEntry>(stream, taste_models::ARTISTS)?;
        Ok(head.map(|head| head.with_artists(artists)))
    }

    fn listener_taste(&self, stream: &StreamId) -> Result<Viewed<ListenerTaste>, ViewError> {
        let viewed = self.taste(stream)?;
        let ratings = self.entries::<taste_models::Rated>(stream, taste_models::RATINGS)?;
        let played = self.entries::<taste_models::Played>(stream, taste_models::PLAYS)?;
        Ok(viewed.map(|view| ListenerTaste {
            taste: view.taste,
            ratings: ratings.into_iter().collect(),
            played: played.into_iter().collect(),
        }))
    }

    fn ratings_page(
        &self,
        stream: &StreamId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<RatedTrack>, ViewError> {
        let reflects = self.head_or_default::<taste_models::Head>(stream)?.reflects;
        let ratings = taste_models::RATINGS;
        let rows = self
            .snapshot
            .entries(self.generation, stream, ratings, after, limit + 1)?;
        let items = rows.iter().take(limit).map(|(key, value)| {
            let RatedEntry { rating, rated_at } = parse(value, "a rating")?;
            Ok(RatedTrack {
                track: track_of(key, ratings)?,
                rating,
                rated_at,
            })
        });
        let items = items.collect::<Result<Vec<_>, ViewError>>()?;
        let next = items
            .last()
            .filter(|_| rows.len() > limit)
            .map(|last| last.track.to_string());
        Ok(Page {
            items,
            next,
            reflects,
        })
    }

    fn rating(&self, stream: &StreamId, track: &TrackId) -> Result<Option<RatedTrack>, ViewError> {
        let entry = self.entry(stream, &taste_models::rating_key(track), "a rating")?;
        Ok(entry.map(|RatedEntry { rating, rated_at }| RatedTrack {
            track: track.clone(),
            rating,
            rated_at,
        }))
    }

    fn playlist(&self, playlist: PlaylistId) -> Result<Option<Viewed<PlaylistView>>, ViewError> {
        let head = self.head::<playlists::Head>(&stream(PlaylistId::CATEGORY, playlist.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| head.0)))
    }

    fn playlists_of(
        &self,
        owner: AccountId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Viewed<PlaylistView>>, ViewError> {
        let owner = owner.to_string();
        let rows = self.snapshot.lookups(
            self.generation,
            (playlists::PLAYLISTS_OF, &owner),
            cursor,
            limit + 1,
            Direction::Descending,
        )?;
        let next = rows.get(limit.wrapping_sub(1)).filter(|_| rows.len() > limit);
        let next = next.map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        let ids = rows
            .iter()
            .take(limit)
            .map(|(_, value)| playlists::playlist_id(value));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        self.prefetch(&ids)?;
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            items.extend(self.playlist(id)?);
        }
        Ok(Page {
            items,
            next,
            reflects: self.checkpoint()?,
        })
    }

    fn prefetch(&self, playlists: &[PlaylistId]) -> Result<(), ViewError> {
        if !self.snapshot.is_remote() {
            return Ok(());
        }
        let wanted = playlists.iter().map(|playlist| Wanted {
            generation: self.generation,
            stream: stream(PlaylistId::CATEGORY, playlist.uuid()),
            subject: None,
            entries: Vec::new(),
        });
        self.snapshot.prefetch(&wanted.collect::<Vec<_>>())
    }

    fn entry<T: DeserializeOwned>(
        &self,
        stream: &StreamId,
        key: &str,
        what: &str,
    ) -> Result<Option<T>, ViewError> {
        let value = self.snapshot.entry(self.generation, stream, key)?;
        value.map(|value| parse(&value, what)).transpose()
    }

    fn entries<T: DeserializeOwned>(
        &self,
        stream: &StreamId,
        prefix: &str,
    ) -> Result<Vec<(TrackId, T)>, ViewError> {
        let rows = self
            .snapshot
            .entries(self.generation, stream, prefix, None, usize::MAX)?;
        rows.iter()
            .map(|(key, value)| Ok((track_of(key, prefix)?, parse(value, "an entry")?)))
            .collect()
    }

    /// The entries whose keys begin with `prefix`, in key order, without their keys.
    fn rows<T: DeserializeOwned>(&self, stream: &StreamId, prefix: &str) -> Result<Vec<T>, ViewError> {
        let rows = self
            .snapshot
            .entries(self.generation, stream, prefix, None, usize::MAX)?;
        rows.iter().map(|(_, value)| parse(value, "an entry")).collect()
    }
}

fn catalogue_stream() -> StreamId {
    stream(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid())
}

fn model_stream() -> StreamId {
    stream(BaseModelId::CATEGORY, BaseModelId::MAIN.uuid())
}

impl<T> Viewed<T> {
    /// The same moment, another view.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Viewed<U> {
        let Self {
            view,
            version,
            position,
            reflects,
        } = self;
        Viewed {
            view: change(view),
            version,
            position,
            reflects,
        }
    }

    fn flat_map<U>(self, change: impl FnOnce(T) -> Option<U>) -> Option<Viewed<U>> {
        let Self {
            view,
            version,
            position,
            reflects,
        } = self;
        change(view).map(|view| Viewed {
            view,
            version,
            position,
            reflects,
        })
    }
}

/// Folds a listener's stream up to and including `version`, from the log alone: what a playlist was made from.
/// Gives the same as the view did when it stood there, and nothing for a listener who was forgotten.
///
/// # Errors
/// - `Log`: the log or a key could not be read, or an event could not be decoded.
pub async fn listener_taste_as_of(
    log: &EventLog,
    keys: &Keys,
    listener: AccountId,
    version: Version,
) -> Result<ListenerTaste, ViewError> {
    let stream = listener_stream(listener);
    let opened = opened_until(log, keys, &stream, version).await?;
    blocking(move || taste_of(&fold_alone::<TasteModels>(stream, opened)?)).await
}

/// What a view that was folded in memory holds.
pub(crate) fn taste_of(view: &View<taste_models::Head>) -> Result<ListenerTaste, ViewError> {
    let Some(head) = view.head() else {
        return Ok(ListenerTaste::default());
    };
    let artists = view.entries::<taste_models::ArtistEntry>(taste_models::ARTISTS)?;
    let artists = artists.into_iter().map(|(_, entry)| entry);
    let ratings = view.entries::<taste_models::Rated>(taste_models::RATINGS)?;
    let played = view.entries::<taste_models::Played>(taste_models::PLAYS)?;
    Ok(ListenerTaste {
        taste: head.clone().with_artists(artists).taste,
        ratings: ratings
            .into_iter()
            .map(|(track, entry)| Ok((track_of(track.as_bytes(), "")?, entry)))
            .collect::<Result<_, ViewError>>()?,
        played: played
            .into_iter()
            .map(|(track, entry)| Ok((track_of(track.as_bytes(), "")?, entry)))
            .collect::<Result<_, ViewError>>()?,
    })
}

fn session_of(account: AccountView, session: &SessionHash) -> Option<SessionView> {
    let AccountView {
        account,
        role,
        sessions,
        ..
    } = account;
    let session = sessions.into_iter().find(|live| live.session == *session)?;
    Some(SessionView {
        account,
        role,
        session,
    })
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
