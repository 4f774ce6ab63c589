//! The live generation of one projection, and what is looked up in it.

use chrono::{DateTime, Utc};
use domain::{AccountId, PlaylistId, Rating, SessionHash, TrackId};
use eventing::{Position, StreamId};
use serde::de::DeserializeOwned;

use super::{Page, RatedTrack, Viewed, stream, track_of};
use crate::{
    AccountView, ListenerTaste, PlaylistView, ProjectionKind, SessionView, TasteView, ViewError, ViewStore,
    folding::live_generation,
    projections::{accounts, playlists, taste_models},
    store::{Direction, Generation, Snapshot, Wanted},
    view::parse,
};

/// A view that changes as often as this while it is read does not come to rest.
const READS_MAX: usize = 20;

/// The live generation of one projection, as it is read.
pub(super) struct Live<'a> {
    store: &'a ViewStore,
    kind: ProjectionKind,
    pub(super) snapshot: Snapshot,
    pub(super) generation: Generation,
}

#[derive(serde::Deserialize)]
struct RatedEntry {
    rating: Rating,
    rated_at: DateTime<Utc>,
}

/// Reads again for as long as a view changes between two looks at it.
pub(super) fn read_at_rest<T>(
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

impl<'a> Live<'a> {
    pub(super) fn of(store: &'a ViewStore, kind: ProjectionKind) -> Result<Self, ViewError> {
        let snapshot = store.snapshot()?;
        let generation = store.admit(kind.name(), &snapshot, live_generation(&snapshot, kind))?;
        Ok(Self {
            store,
            kind,
            snapshot,
            generation,
        })
    }

    pub(super) fn checkpoint(&self) -> Result<Position, ViewError> {
        self.snapshot.checkpoint(self.generation)
    }

    pub(super) fn head<T: DeserializeOwned>(
        &self,
        stream: &StreamId,
    ) -> Result<Option<Viewed<T>>, ViewError> {
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

    pub(super) fn head_or_default<T: DeserializeOwned + Default>(
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

    pub(super) fn session(&self, session: &SessionHash) -> Result<Option<Viewed<SessionView>>, ViewError> {
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

    pub(super) fn taste(&self, stream: &StreamId) -> Result<Viewed<TasteView>, ViewError> {
        self.snapshot.prefetch_whole(self.generation, stream)?;
        let head = self.head_or_default::<taste_models::Head>(stream)?;
        let artists = self.rows::<taste_models::ArtistEntry>(stream, taste_models::ARTISTS)?;
        Ok(head.map(|head| head.with_artists(artists)))
    }

    pub(super) fn listener_taste(&self, stream: &StreamId) -> Result<Viewed<ListenerTaste>, ViewError> {
        let viewed = self.taste(stream)?;
        let ratings = self.entries::<taste_models::Rated>(stream, taste_models::RATINGS)?;
        let played = self.entries::<taste_models::Played>(stream, taste_models::PLAYS)?;
        Ok(viewed.map(|view| ListenerTaste {
            taste: view.taste,
            ratings: ratings.into_iter().collect(),
            played: played.into_iter().collect(),
        }))
    }

    pub(super) fn ratings_page(
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

    pub(super) fn rating(&self, stream: &StreamId, track: &TrackId) -> Result<Option<RatedTrack>, ViewError> {
        let entry = self.entry(stream, &taste_models::rating_key(track), "a rating")?;
        Ok(entry.map(|RatedEntry { rating, rated_at }| RatedTrack {
            track: track.clone(),
            rating,
            rated_at,
        }))
    }

    pub(super) fn playlist(&self, playlist: PlaylistId) -> Result<Option<Viewed<PlaylistView>>, ViewError> {
        let head = self.head::<playlists::Head>(&stream(PlaylistId::CATEGORY, playlist.uuid()))?;
        Ok(head.and_then(|viewed| viewed.flat_map(|head| head.0)))
    }

    pub(super) fn playlists_of(
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

    pub(super) fn entry<T: DeserializeOwned>(
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
    pub(super) fn rows<T: DeserializeOwned>(
        &self,
        stream: &StreamId,
        prefix: &str,
    ) -> Result<Vec<T>, ViewError> {
        let rows = self
            .snapshot
            .entries(self.generation, stream, prefix, None, usize::MAX)?;
        rows.iter().map(|(_, value)| parse(value, "an entry")).collect()
    }
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
