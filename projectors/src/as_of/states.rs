//! What is told of each kind of stream.

use chrono::{DateTime, Utc};
use classifier::Catalogue;
use domain::{
    AccountId, CompanionsEvent, FailureReason, Generated, PlaylistId, PlaylistRequest, Role, StoredEvent,
    TrackId, companions,
};
use eventing::{Body, Position, RecordedEvent, Version};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    CatalogueView, ModelView, PlaylistStatus, PlaylistView, ViewError,
    projections::{accounts, library, playlists},
    taste_told::TasteTold,
    view::View,
};

/// The state of a stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum State {
    /// The person was forgotten: nothing else is told.
    Erased {
        /// Always true.
        erased: bool,
    },
    /// Of an account.
    Account(AccountState),
    /// Of a listener: what the model believed.
    Listener(Box<TasteTold>),
    /// Of a playlist.
    Playlist(Box<PlaylistState>),
    /// The catalogue that was current.
    Catalogue(Box<CatalogueView>),
    /// The base model that was current.
    Model(Box<ModelView>),
    /// The companions that were current.
    Companions(Box<CompanionsState>),
    /// Of a stream that adds up to nothing.
    Records(RecordsState),
}

/// An account without its name, which stays sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountState {
    /// The account's id.
    pub account: AccountId,
    /// What it could do.
    pub role: Role,
    /// Whether it was open; a closed one is told as erased.
    pub open: bool,
    /// When it was opened.
    pub registered_at: DateTime<Utc>,
    /// How many sessions no event had ended.
    pub sessions: usize,
}

/// A playlist, with its tracks when it had any.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaylistState {
    /// The playlist's id.
    pub playlist: PlaylistId,
    /// Whose it is.
    pub owner: AccountId,
    /// What the owner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `pending`, `ready` or `failed`.
    pub status: &'static str,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// Where the request stands in the log.
    pub requested_position: Position,
    /// What was asked for.
    pub request: PlaylistRequest,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<DateTime<Utc>>,
    /// Why it could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The tracks in playing order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<PlaylistItem>>,
    /// What it was made from, as `playlist.generated` says, without the tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<Map<String, Value>>,
}

/// Why a playlist could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// For programs.
    pub reason: FailureReason,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was given up.
    pub failed_at: DateTime<Utc>,
}

/// A track of a playlist.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaylistItem {
    /// Its place, from 1.
    pub position: usize,
    /// The track.
    pub track: TrackId,
    /// Its name in the catalogue that the playlist was made from, if that is still there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its artists there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artists: Vec<String>,
    /// Its score, in log-odds.
    pub score: f64,
    /// The place by score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// The probability that it was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// What each term adds to the score; they add up to it.
    pub contributions: Vec<Contribution>,
}

/// What a term adds to a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The term.
    pub feature: String,
    /// In log-odds.
    pub contribution: f64,
}

/// Published companions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompanionsState {
    /// What their publication recorded.
    #[serde(flatten)]
    pub published: companions::Published,
    /// Where the publication stands in the log.
    pub position: Position,
}

/// How many records a stream had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecordsState {
    /// The number of records.
    pub records: u64,
}

impl State {
    pub(super) fn erased() -> Self {
        Self::Erased { erased: true }
    }

    pub(super) fn records(version: Version) -> Self {
        Self::Records(RecordsState { records: version.0 })
    }
}

impl From<TasteTold> for State {
    fn from(told: TasteTold) -> Self {
        Self::Listener(Box::new(told))
    }
}

impl From<PlaylistState> for State {
    fn from(playlist: PlaylistState) -> Self {
        Self::Playlist(Box::new(playlist))
    }
}

pub(super) fn account(view: &View<accounts::Head>) -> State {
    let Some(account) = view.head().and_then(|head| head.0.as_ref()) else {
        return State::erased();
    };
    State::Account(AccountState {
        account: account.account,
        role: account.role,
        open: true,
        registered_at: account.registered_at,
        sessions: account.sessions.len(),
    })
}

/// The playlist and what was generated; nothing when its owner was forgotten.
pub(super) fn playlist(
    view: &View<playlists::Head>,
) -> Result<Option<(PlaylistView, Option<Generated>)>, ViewError> {
    let Some(playlist) = view.head().and_then(|head| head.0.clone()) else {
        return Ok(None);
    };
    let generated = view.entries::<Generated>(playlists::GENERATED)?.pop();
    Ok(Some((playlist, generated.map(|(_, generated)| generated))))
}

pub(super) fn library(view: &View<library::Head>, version: Version) -> State {
    let head = view.head();
    let catalogue = head.and_then(|head| head.catalogue.clone());
    let model = head.and_then(|head| head.model.clone());
    match (catalogue, model) {
        (Some(catalogue), _) => State::Catalogue(Box::new(catalogue)),
        (None, Some(model)) => State::Model(Box::new(model)),
        (None, None) => State::records(version),
    }
}

/// The companions that a record publishes.
pub(super) fn companions(record: &RecordedEvent) -> Option<State> {
    let Body::Open(payload) = &record.body else {
        return None;
    };
    let decoded = CompanionsEvent::decode(&record.event_type, record.schema_version.0, payload).ok()?;
    let CompanionsEvent::Published(published) = decoded.into_iter().last()?;
    Some(State::Companions(Box::new(CompanionsState {
        published,
        position: record.position,
    })))
}

impl PlaylistState {
    /// `catalogue` names the tracks: the one that the playlist was made from.
    pub(super) fn of(
        view: PlaylistView,
        generated: Option<Generated>,
        catalogue: Option<&Catalogue>,
    ) -> Self {
        let (status, generated_at, failure) = match view.status {
            PlaylistStatus::Pending => ("pending", None, None),
            PlaylistStatus::Ready { generated_at, .. } => ("ready", Some(generated_at), None),
            PlaylistStatus::Failed(failed) => ("failed", None, Some(Failure::of(failed))),
        };
        let items = generated.as_ref().map(|generated| items(generated, catalogue));
        Self {
            playlist: view.playlist,
            owner: view.owner,
            name: view.name,
            status,
            requested_at: view.requested_at,
            requested_position: view.requested_position,
            request: view.request,
            generated_at,
            failure,
            items,
            generation: generated.as_ref().map(generation),
        }
    }
}

impl Failure {
    fn of(failed: domain::playlist::Failed) -> Self {
        Self {
            reason: failed.reason,
            detail: failed.detail,
            failed_at: failed.failed_at,
        }
    }
}

/// The tracks of a playlist in playing order, named by `catalogue`: the one that the playlist was made from.
#[must_use]
pub fn items(generated: &Generated, catalogue: Option<&Catalogue>) -> Vec<PlaylistItem> {
    let items = generated.tracks.iter().enumerate().map(|(at, chosen)| {
        let index = catalogue.and_then(|catalogue| Some((catalogue, catalogue.index_of(&chosen.track)?)));
        let described = index.map(|(catalogue, index)| catalogue.track(index));
        let artists = described.as_ref().map_or(&[][..], |track| &track.artists[..]);
        let shares = generated.features.iter().zip(&chosen.contributions);
        let contributions = shares.map(|(feature, &contribution)| Contribution {
            feature: feature.clone(),
            contribution,
        });
        PlaylistItem {
            position: at + 1,
            track: chosen.track.clone(),
            name: described.as_ref().map(|track| track.name.to_owned()),
            artists: artists.iter().map(|&artist| artist.to_owned()).collect(),
            score: chosen.score,
            rank: chosen.rank,
            propensity: chosen.propensity,
            contributions: contributions.collect(),
        }
    });
    items.collect()
}

/// The facts of a generation, without what [`PlaylistState::items`] tells.
fn generation(generated: &Generated) -> Map<String, Value> {
    let Ok(Value::Object(mut facts)) = serde_json::to_value(generated) else {
        return Map::new();
    };
    facts.remove("tracks");
    facts.remove("features");
    facts
}
