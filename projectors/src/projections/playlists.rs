//! Playlists, who owns them, and which of them wait to be made.
//!
//! The head is small, so that a page of a person's playlists reads quickly; the tracks lie in one entry.

use chrono::{DateTime, Utc};
use domain::{
    AccountId, Event, Generated, PlaylistEvent, PlaylistId, PlaylistRequest,
    playlist::{Failed, Requested},
};
use eventing::{Position, StreamId, SubjectId};
use serde::{Deserialize, Serialize};

use crate::{
    projection::{Fact, Projection},
    store::{Direction, Generation, LookupKey, Snapshot, ViewError},
    view::{View, ViewAt},
};

pub(crate) const GENERATED: &str = "generated";
pub(crate) const PENDING: &str = "pending";
pub(crate) const PLAYLISTS_OF: &str = "playlists_of";

/// A playlist without its tracks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaylistView {
    /// The playlist's id.
    pub playlist: PlaylistId,
    /// Whose it is.
    pub owner: AccountId,
    /// What the owner calls it.
    pub name: Option<String>,
    /// What was asked for.
    pub request: PlaylistRequest,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Where the request stands in the log: the playlist is made of what stands before it.
    pub requested_position: Position,
    /// What became of it.
    pub status: PlaylistStatus,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum PlaylistStatus {
    /// It waits to be made.
    Pending,
    /// It was made.
    Ready {
        /// When that was recorded.
        generated_at: DateTime<Utc>,
        /// How many tracks it has.
        returned: u32,
    },
    /// It could not be made.
    Failed(Failed),
}

/// Absent until the playlist is requested.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Head(pub(crate) Option<PlaylistView>);

pub(crate) struct Playlists;

/// Sorts by the place of the request, then by id, so that no two playlists share a key.
pub(crate) fn owned_key(owner: AccountId, requested: Position, playlist: PlaylistId) -> LookupKey {
    LookupKey::new(
        PLAYLISTS_OF,
        owner.to_string(),
        format!("{:020}/{playlist}", requested.0),
    )
}

fn pending_key(requested: Position, playlist: PlaylistId) -> LookupKey {
    LookupKey::new(PENDING, "", format!("{:020}/{playlist}", requested.0))
}

impl Projection for Playlists {
    const NAME: &'static str = "playlists";
    const REVISION: u32 = 2;
    type Head = Head;

    fn wants(category: &str) -> bool {
        category == PlaylistId::CATEGORY
    }

    fn apply(view: &mut ViewAt<'_, Head>, fact: &Fact<'_>) -> Result<(), ViewError> {
        let Event::Playlist(event) = fact.event else {
            return Ok(());
        };
        match event {
            PlaylistEvent::Requested(requested) => request(view, requested, fact.position),
            PlaylistEvent::Generated(generated) => generate(view, generated, fact.recorded_at)?,
            PlaylistEvent::Failed(failed) => answer(view, PlaylistStatus::Failed(failed.clone())),
        }
        Ok(())
    }

    fn forget(view: &mut View<Head>) {
        let Some(playlist) = view.head().and_then(|head| head.0.as_ref()) else {
            return;
        };
        let (owner, requested, id) = (playlist.owner, playlist.requested_position, playlist.playlist);
        view.remove_lookup(owned_key(owner, requested, id));
        view.remove_lookup(pending_key(requested, id));
    }

    fn streams_about(
        snapshot: &Snapshot,
        generation: Generation,
        subject: SubjectId,
    ) -> Result<Vec<StreamId>, ViewError> {
        let owner = AccountId::new(subject.as_uuid()).to_string();
        let rows = snapshot.lookups(
            generation,
            (PLAYLISTS_OF, &owner),
            None,
            usize::MAX,
            Direction::Ascending,
        )?;
        rows.into_iter()
            .map(|(_, playlist)| stream_of(&playlist))
            .collect()
    }
}

fn stream_of(playlist: &[u8]) -> Result<StreamId, ViewError> {
    Ok(StreamId::new(PlaylistId::CATEGORY, playlist_id(playlist)?.uuid()))
}

/// Reads the value of a lookup.
pub(crate) fn playlist_id(value: &[u8]) -> Result<PlaylistId, ViewError> {
    let text =
        std::str::from_utf8(value).map_err(|error| ViewError::corrupt_because("a playlist's id", error))?;
    text.parse()
        .map_err(|error| ViewError::corrupt_because("a playlist's id", error))
}

fn request(view: &mut View<Head>, requested: &Requested, position: Position) {
    let Requested {
        playlist,
        owner,
        name,
        request,
        requested_at,
    } = requested.clone();
    view.put_lookup(owned_key(owner, position, playlist), playlist.to_string());
    view.put_lookup(pending_key(position, playlist), playlist.to_string());
    view.head_mut().0 = Some(PlaylistView {
        playlist,
        owner,
        name,
        request,
        requested_at,
        requested_position: position,
        status: PlaylistStatus::Pending,
    });
}

fn generate(
    view: &mut View<Head>,
    generated: &Generated,
    generated_at: DateTime<Utc>,
) -> Result<(), ViewError> {
    answer(
        view,
        PlaylistStatus::Ready {
            generated_at,
            returned: generated.returned,
        },
    );
    view.put_entry(GENERATED.to_owned(), generated)
}

fn answer(view: &mut View<Head>, status: PlaylistStatus) {
    let Some(playlist) = &mut view.head_mut().0 else {
        return;
    };
    playlist.status = status;
    let key = pending_key(playlist.requested_position, playlist.playlist);
    view.remove_lookup(key);
}
