//! Typed reads of the live views. Each reads one moment of the store, takes microseconds and never waits.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::{AccountId, BaseModelId, CatalogueId, Generated, PlaylistId, Rating, SessionHash, TrackId};
use eventing::{EventLog, Keys, Position, StreamId, Version};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AccountView, CatalogueView, ListenerTaste, ModelView, PlaylistView, ProjectionKind, SessionView,
    TasteView, ViewError, ViewStore,
    fold::fold_alone,
    folding::live_generation,
    opened::{Opened, open_all},
    projections::{TasteModels, accounts, library, playlists, taste_models},
    rebuild::blocking,
    store::{Direction, Generation, Snapshot},
    view::parse,
};

/// Records read from the log at a time.
const PAGE: usize = 1_000;

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

/// The live generation of one projection, as of one moment.
struct Live {
    snapshot: Snapshot,
    generation: Generation,
}

impl ViewReader {
    /// The account; `None` when it is not registered, or was erased.
    ///
    /// # Errors
    /// See [`ViewError`]; the caller must not take it for absence.
    pub fn account(&self, account: AccountId) -> Result<Option<Viewed<AccountView>>, ViewError> {
        let live = self.live(ProjectionKind::Accounts)?;
        let head = live.head::<accounts::Head>(&stream(AccountId::CATEGORY, account.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| head.0)))
    }

    /// The session with this token hash, and its account; `None` when no such session is live. Whether its time is
    /// over is for the caller to say.
    ///
    /// # Errors
    /// See [`ViewError`]; the caller must let nobody in.
    pub fn session(&self, session: &SessionHash) -> Result<Option<Viewed<SessionView>>, ViewError> {
        let live = self.live(ProjectionKind::Accounts)?;
        let Some(account) = live
            .snapshot
            .lookup(live.generation, &accounts::session_key(session))?
        else {
            return Ok(None);
        };
        let account = std::str::from_utf8(account)
            .ok()
            .and_then(|account| account.parse::<AccountId>().ok());
        let account = account.ok_or_else(|| ViewError::corrupt_because("a session's account", "is no id"))?;
        let head = live.head::<accounts::Head>(&stream(AccountId::CATEGORY, account.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| session_of(head.0?, session))))
    }

    /// What the model knows of a listener; the default for one who did nothing yet, or was forgotten.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn taste(&self, listener: AccountId) -> Result<Viewed<TasteView>, ViewError> {
        self.live(ProjectionKind::TasteModels)?
            .taste(&listener_stream(listener))
    }

    /// Everything that a playlist is made from, as of the version the view stands at.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn listener_taste(&self, listener: AccountId) -> Result<Viewed<ListenerTaste>, ViewError> {
        let live = self.live(ProjectionKind::TasteModels)?;
        let stream = listener_stream(listener);
        let viewed = live.taste(&stream)?;
        let ratings = live.entries::<taste_models::RatingOnly>(&stream, taste_models::RATINGS)?;
        let played = live.entries::<taste_models::LastPlayed>(&stream, taste_models::PLAYS)?;
        Ok(viewed.map(|view| ListenerTaste {
            taste: view.taste,
            ratings: ratings
                .into_iter()
                .map(|(track, entry)| (track, entry.rating))
                .collect(),
            played: played
                .into_iter()
                .map(|(track, entry)| (track, entry.played_at))
                .collect(),
        }))
    }

    /// Up to `limit` rated tracks in the order of their ids, from behind `after` on.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn ratings_page(
        &self,
        listener: AccountId,
        after: Option<&TrackId>,
        limit: usize,
    ) -> Result<Page<RatedTrack>, ViewError> {
        let live = self.live(ProjectionKind::TasteModels)?;
        let stream = listener_stream(listener);
        let reflects = live.head_or_default::<taste_models::Head>(&stream)?.reflects;
        let after = after.map(taste_models::rating_key);
        let rows = live.snapshot.entries(
            live.generation,
            &stream,
            taste_models::RATINGS,
            after.as_deref(),
            limit + 1,
        )?;
        let items = rows.iter().take(limit).map(|(key, value)| {
            let RatedEntry { rating, rated_at } = parse(value, "a rating")?;
            Ok(RatedTrack {
                track: track_of(key, taste_models::RATINGS)?,
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

    /// The rating that `listener` gave to `track`.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn rating(&self, listener: AccountId, track: &TrackId) -> Result<Option<RatedTrack>, ViewError> {
        let live = self.live(ProjectionKind::TasteModels)?;
        let key = taste_models::rating_key(track);
        let Some(value) = live
            .snapshot
            .entry(live.generation, &listener_stream(listener), &key)?
        else {
            return Ok(None);
        };
        let RatedEntry { rating, rated_at } = parse(value, "a rating")?;
        Ok(Some(RatedTrack {
            track: track.clone(),
            rating,
            rated_at,
        }))
    }

    /// The playlist without its tracks; `None` when it was not requested, or its owner was forgotten.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn playlist(&self, playlist: PlaylistId) -> Result<Option<Viewed<PlaylistView>>, ViewError> {
        let live = self.live(ProjectionKind::Playlists)?;
        live.playlist(playlist)
    }

    /// The playlist with what was generated, which is there when its status is ready.
    ///
    /// # Errors
    /// See [`ViewError`].
    #[expect(clippy::type_complexity, reason = "a name for the pair would say less")]
    pub fn playlist_with_tracks(
        &self,
        playlist: PlaylistId,
    ) -> Result<Option<Viewed<(PlaylistView, Option<Generated>)>>, ViewError> {
        let live = self.live(ProjectionKind::Playlists)?;
        let Some(viewed) = live.playlist(playlist)? else {
            return Ok(None);
        };
        let stream = stream(PlaylistId::CATEGORY, playlist.uuid());
        let generated = live
            .snapshot
            .entry(live.generation, &stream, playlists::GENERATED)?;
        let generated = generated
            .map(|generated| parse(generated, "a playlist's tracks"))
            .transpose()?;
        Ok(Some(viewed.map(|view| (view, generated))))
    }

    /// Up to `limit` playlists of `owner`, the newest first, from behind `cursor` on: a former page's `next`.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn playlists_of(
        &self,
        owner: AccountId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Viewed<PlaylistView>>, ViewError> {
        let live = self.live(ProjectionKind::Playlists)?;
        let partition = (playlists::PLAYLISTS_OF, owner.to_string());
        let partition = (partition.0, partition.1.as_str());
        let rows = live.snapshot.lookups(
            live.generation,
            partition,
            cursor,
            limit + 1,
            Direction::Descending,
        )?;
        let next = rows.get(limit.wrapping_sub(1)).filter(|_| rows.len() > limit);
        let next = next.map(|(key, _)| String::from_utf8_lossy(key).into_owned());
        let mut items = Vec::with_capacity(rows.len().min(limit));
        for (_, value) in rows.iter().take(limit) {
            items.extend(live.playlist(playlists::playlist_id(value)?)?);
        }
        Ok(Page {
            items,
            next,
            reflects: live.checkpoint()?,
        })
    }

    /// Up to `limit` playlists that wait to be made, the oldest request first.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn pending_playlists(&self, limit: usize) -> Result<Vec<PlaylistId>, ViewError> {
        let live = self.live(ProjectionKind::Playlists)?;
        let partition = (playlists::PENDING, "");
        let rows = live
            .snapshot
            .lookups(live.generation, partition, None, limit, Direction::Ascending)?;
        rows.into_iter()
            .map(|(_, value)| playlists::playlist_id(value))
            .collect()
    }

    /// The current catalogue; `None` before the first import.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn catalogue(&self) -> Result<Option<Viewed<CatalogueView>>, ViewError> {
        let live = self.live(ProjectionKind::Library)?;
        let head = live.head::<library::Head>(&stream(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| head.catalogue)))
    }

    /// Every version of the catalogue, in the order of import.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn catalogues(&self) -> Result<Vec<CatalogueView>, ViewError> {
        let live = self.live(ProjectionKind::Library)?;
        live.rows(
            &stream(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid()),
            library::HISTORY,
        )
    }

    /// The current base model; `None` before the first publication.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn model(&self) -> Result<Option<Viewed<ModelView>>, ViewError> {
        let live = self.live(ProjectionKind::Library)?;
        let head = live.head::<library::Head>(&stream(BaseModelId::CATEGORY, BaseModelId::MAIN.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| head.model)))
    }

    /// Every published base model, in the order of publication.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn models(&self) -> Result<Vec<ModelView>, ViewError> {
        let live = self.live(ProjectionKind::Library)?;
        live.rows(
            &stream(BaseModelId::CATEGORY, BaseModelId::MAIN.uuid()),
            library::HISTORY,
        )
    }

    /// Everything that `kind` wants at or below this position is in its views.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn checkpoint(&self, kind: ProjectionKind) -> Result<Position, ViewError> {
        self.live(kind)?.checkpoint()
    }

    /// Where a projection stands. Counts its views, so it reads them all.
    ///
    /// # Errors
    /// See [`ViewError`].
    pub fn status(&self, kind: ProjectionKind) -> Result<ProjectionStatus, ViewError> {
        let snapshot = self.store.snapshot()?;
        let live = snapshot.live(kind.name())?;
        let (checkpoint, views) = match live {
            Some(live) => (
                snapshot.checkpoint(live.generation)?,
                snapshot.views(live.generation)?.count() as u64,
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

    pub(crate) fn has_reached(
        &self,
        kind: ProjectionKind,
        stream: &StreamId,
        until: crate::Until,
    ) -> Result<bool, ViewError> {
        let live = self.live(kind)?;
        let view = live.snapshot.view(live.generation, stream)?;
        Ok(match until {
            crate::Until::Version(version) => view.map_or(Version::NONE, |view| view.version) >= version,
            crate::Until::Position(position) => {
                view.is_some_and(|view| view.position >= position) || live.checkpoint()? >= position
            }
        })
    }

    pub(crate) fn store(&self) -> &ViewStore {
        &self.store
    }

    fn live(&self, kind: ProjectionKind) -> Result<Live, ViewError> {
        let snapshot = self.store.snapshot()?;
        let generation = live_generation(&snapshot, kind)?;
        Ok(Live { snapshot, generation })
    }
}

impl Live {
    fn checkpoint(&self) -> Result<Position, ViewError> {
        self.snapshot.checkpoint(self.generation)
    }

    fn head<T: DeserializeOwned>(&self, stream: &StreamId) -> Result<Option<Viewed<T>>, ViewError> {
        let Some(stored) = self.snapshot.view(self.generation, stream)? else {
            return Ok(None);
        };
        let Some(head) = stored.head else { return Ok(None) };
        let reflects = self.checkpoint()?.max(stored.position);
        let view = parse(head, "a view's head")?;
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

    fn taste(&self, stream: &StreamId) -> Result<Viewed<TasteView>, ViewError> {
        let head = self.head_or_default::<taste_models::Head>(stream)?;
        let artists = self.rows::<taste_models::ArtistEntry>(stream, taste_models::ARTISTS)?;
        Ok(head.map(|head| head.with_artists(artists)))
    }

    fn playlist(&self, playlist: PlaylistId) -> Result<Option<Viewed<PlaylistView>>, ViewError> {
        let head = self.head::<playlists::Head>(&stream(PlaylistId::CATEGORY, playlist.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| head.0)))
    }

    fn entries<T: DeserializeOwned>(
        &self,
        stream: &StreamId,
        prefix: &str,
    ) -> Result<Vec<(TrackId, T)>, ViewError> {
        let rows = self
            .snapshot
            .entries(self.generation, stream, prefix, None, usize::MAX)?;
        rows.into_iter()
            .map(|(key, value)| Ok((track_of(key, prefix)?, parse(value, "an entry")?)))
            .collect()
    }

    /// The entries whose keys begin with `prefix`, in key order, without their keys.
    fn rows<T: DeserializeOwned>(&self, stream: &StreamId, prefix: &str) -> Result<Vec<T>, ViewError> {
        let rows = self
            .snapshot
            .entries(self.generation, stream, prefix, None, usize::MAX)?;
        rows.into_iter()
            .map(|(_, value)| parse(value, "an entry"))
            .collect()
    }
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
    let mut events = Vec::new();
    let mut after = Version::NONE;
    while after < version {
        let limit = PAGE.min(usize::try_from(version.0 - after.0).unwrap_or(PAGE));
        let page = log
            .read_stream(&stream, after, limit)
            .await
            .map_err(|error| ViewError::log("a stream", error))?;
        let Some(last) = page.last() else { break };
        after = last.version;
        events.extend(page.into_iter().map(Arc::new));
    }
    let keys = keys.clone();
    blocking(move || taste_of(stream, open_all(&keys, &events))).await
}

fn taste_of(stream: StreamId, events: Vec<Opened>) -> Result<ListenerTaste, ViewError> {
    let view = fold_alone::<TasteModels>(stream, events)?;
    let Some(head) = view.head() else {
        return Ok(ListenerTaste::default());
    };
    let artists = view.entries::<taste_models::ArtistEntry>(taste_models::ARTISTS)?;
    let artists = artists.into_iter().map(|(_, entry)| entry);
    let ratings = view.entries::<taste_models::RatingOnly>(taste_models::RATINGS)?;
    let played = view.entries::<taste_models::LastPlayed>(taste_models::PLAYS)?;
    Ok(ListenerTaste {
        taste: head.clone().with_artists(artists).taste,
        ratings: ratings
            .into_iter()
            .map(|(track, entry)| Ok((track_of(track.as_bytes(), "")?, entry.rating)))
            .collect::<Result<_, ViewError>>()?,
        played: played
            .into_iter()
            .map(|(track, entry)| Ok((track_of(track.as_bytes(), "")?, entry.played_at)))
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
