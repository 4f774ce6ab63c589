//! How a playlist came about: the chain from the command to the tracks, for people and programs.
//!
//! Every number is in the log or computed again from it. Which ratings mattered is computed too: a rating's effect on a
//! track is the track's score less what the score would have been without that rating.

mod ratings;
mod used;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use classifier::words::Told;
use classifier::{Catalogue, Filtered, GeneratorVersion, MAX_PER_ARTIST_DEFAULT, inspect};
use domain::{
    AccountId, Arrangement, FailureReason, Generated, LearnedFrom, Order, PlaylistEvent, PlaylistId,
    PlaylistRequest, Pool,
};
use eventing::{
    CausationId, CorrelationId, EventId, EventLog, Keys, LogError, Payload, Position, RecordedEvent, Version,
};
use projectors::as_of::PlaylistItem;
use projectors::{Catalogues, Count};
use serde::Serialize;

pub use ratings::{RATINGS_TRIED_MAX, RatingEffect, RatingThatMattered, RatingsThatMattered};
pub use used::{UsedCatalogue, UsedCompanions, UsedModel};

use crate::Registry;
use crate::generation::{Contents, Unavailable, answer, contents};
use crate::inputs::{Asked, Inputs, InputsError, Request};
use crate::library::{Library, LibraryError};
use crate::recompute::{Cause, RecomputeError, Recomputed, decode, verdict};

/// How a playlist came about.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The playlist.
    pub playlist: PlaylistId,
    /// Whose it is.
    pub owner: AccountId,
    /// What the owner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `pending`, `ready` or `failed`.
    pub status: &'static str,
    /// The request of a client that began it all.
    pub command: Command,
    /// What was recorded: the request, then its answer.
    pub events: Vec<Step>,
    /// What was asked for.
    pub request: PlaylistRequest,
    /// The version of the listener's stream at the request.
    pub listener_version: Version,
    /// The catalogue that was current at the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<UsedCatalogue>,
    /// The base model that was current at the request; absent where there was none, and a neutral one was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<UsedModel>,
    /// The companions that were current at the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub companions: Option<UsedCompanions>,
    /// The ratings that mattered most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratings: Option<RatingsThatMattered>,
    /// The rules that were applied; absent while there is no playlist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Rules>,
    /// The tracks, in playing order.
    pub tracks: Vec<ExplainedTrack>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failed>,
    /// What computing it again gives.
    pub recomputation: Recomputation,
}

/// The request of a client, as far as the log tells of it.
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    /// The same along all that it caused.
    pub correlation_id: CorrelationId,
    /// What caused it, if that is in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<CausationId>,
    /// The trace it was part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When the client asked.
    pub requested_at: DateTime<Utc>,
}

/// A recorded event.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Its place in the log.
    pub position: Position,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its id.
    pub id: EventId,
    /// Its direct cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<CausationId>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// The rules that made a choice of the scores.
#[derive(Clone, Debug, Serialize)]
pub struct Rules {
    /// The version of the generator.
    pub generator: u32,
    /// How many tracks were asked for.
    pub requested: u32,
    /// How many there are.
    pub returned: u32,
    /// How the choice narrowed.
    pub pool: Pool,
    /// How many tracks each hard rule left out, one after the other, computed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// The most tracks of one artist.
    pub max_per_artist: u32,
    /// Whether tracks that sound alike gave way to others.
    pub diversity: bool,
    /// The playing order.
    pub order: Order,
    /// How well the order fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrangement: Option<Arrangement>,
    /// How bold the choice was, 0 to 1.
    pub exploration: f64,
    /// The seed of all that was drawn.
    pub random_seed: u64,
    /// How many tracks of the catalogue were learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned_from: Option<LearnedFrom>,
    /// What the listener was told.
    pub notes: Vec<String>,
}

/// How many tracks the hard rules left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Songs that were rated already.
    pub rated: u32,
    /// Songs that were heard too recently.
    pub heard: u32,
    /// Tracks outside the minimums and maximums.
    pub bounds: u32,
}

/// A track, with all that speaks for and against it.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedTrack {
    /// The track as recorded.
    #[serde(flatten)]
    pub item: PlaylistItem,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The ratings that speak most for it, strongest first, computed again.
    pub because: Vec<RatingEffect>,
}

/// Why there is no playlist.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    /// For programs.
    pub reason: FailureReason,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What computing the answer again gives.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Recomputation {
    /// The same bytes, or the same failure.
    Same,
    /// Another answer.
    Differs {
        /// The first part that differs.
        cause: Cause,
        /// The same in words.
        words: String,
    },
    /// This program does not have the rules that made it.
    GeneratorUnknown {
        /// Their version.
        generator: u32,
    },
    /// There is no answer yet.
    Pending,
}

/// The playlist could not be explained. This says nothing about it.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The log has no such playlist.
    #[error("there is no playlist {0}")]
    Unknown(PlaylistId),
    /// Nothing of it can be opened.
    #[error("the person who asked for the playlist was forgotten; nothing of it can be opened")]
    Erased,
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
    /// What stood before the request could not be read.
    #[error("what stood before the request could not be read")]
    Inputs(#[from] InputsError),
    /// A catalogue or model could not be read.
    #[error("the catalogue or the model could not be read")]
    Library(#[from] LibraryError),
    /// The answer could not be read.
    #[error("the answer could not be read")]
    Answer(#[from] RecomputeError),
    /// Computing panicked.
    #[error("computing panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

/// Explains playlists from the log and the keys alone.
pub struct Explainer {
    log: EventLog,
    keys: Keys,
    library: Library,
}

impl Explainer {
    /// An explainer over `log`. Base models may come from `registry`.
    #[must_use]
    pub fn new(log: EventLog, keys: Keys, registry: Registry, catalogues: Catalogues) -> Self {
        let library = Library::new(log.clone(), registry, catalogues);
        Self { log, keys, library }
    }

    /// Explains `playlist`. Computes it again, and once more for each of the ratings (at most
    /// [`RATINGS_TRIED_MAX`]); `tried` grows by every rating that was.
    ///
    /// # Errors
    /// See [`ExplainError`].
    pub async fn explain(&self, playlist: PlaylistId, tried: &Count) -> Result<Explained, ExplainError> {
        match Asked::read(&self.log, &self.keys, playlist).await? {
            Asked::Unknown => Err(ExplainError::Unknown(playlist)),
            Asked::Erased => Err(ExplainError::Erased),
            Asked::Open(request) => {
                let explained = self.begun(&request, "pending").await?;
                Ok(explained)
            }
            Asked::Answered(request, recorded) => self.answered(&request, &recorded, tried).await,
        }
    }

    /// What is known of every request.
    async fn begun(&self, request: &Request, status: &'static str) -> Result<Explained, ExplainError> {
        let (position, recorded) = (request.position(), &request.recorded);
        let stream = request.listener();
        Ok(Explained {
            playlist: request.playlist(),
            owner: request.requested.owner,
            name: request.requested.name.clone(),
            status,
            command: Command {
                correlation_id: recorded.correlation_id,
                causation_id: recorded.causation_id,
                traceparent: recorded.traceparent.clone(),
                requested_at: request.requested.requested_at,
            },
            events: vec![Step::of(recorded)],
            request: request.requested.request.clone(),
            listener_version: self.log.stream_version_before(&stream, position).await?,
            catalogue: used::catalogue(&self.log, position).await?,
            model: used::model(&self.log, position).await?,
            companions: used::companions(&self.log, position).await?,
            ratings: None,
            rules: None,
            tracks: Vec::new(),
            failure: None,
            recomputation: Recomputation::Pending,
        })
    }

    async fn answered(
        &self,
        request: &Request,
        recorded: &RecordedEvent,
        tried: &Count,
    ) -> Result<Explained, ExplainError> {
        let Payload::Open(payload) = self
            .keys
            .open_event(recorded)
            .await
            .map_err(RecomputeError::from)?
        else {
            return Err(ExplainError::Erased);
        };
        let event = decode(recorded, &payload)?;
        let mut explained = self.begun(request, "ready").await?;
        explained.events.push(Step::of(recorded));
        match &event {
            PlaylistEvent::Generated(generated) => {
                self.generated(&mut explained, request, generated, tried).await?;
            }
            PlaylistEvent::Failed(failed) => {
                explained.status = "failed";
                explained.failure = Some(Failed {
                    reason: failed.reason,
                    detail: failed.detail.clone(),
                });
            }
            PlaylistEvent::Requested(_) => return Err(RecomputeError::Undecodable.into()),
        }
        explained.recomputation = self.recomputation(request, &event, payload).await?;
        Ok(explained)
    }

    async fn recomputation(
        &self,
        request: &Request,
        event: &PlaylistEvent,
        payload: bytes::Bytes,
    ) -> Result<Recomputation, ExplainError> {
        let version = match event {
            PlaylistEvent::Generated(generated) => match GeneratorVersion::numbered(generated.generator) {
                Some(version) => version,
                None => {
                    return Ok(Recomputation::GeneratorUnknown {
                        generator: generated.generator,
                    });
                }
            },
            _ => GeneratorVersion::CURRENT,
        };
        let inputs = Inputs::before(request, &self.log, &self.keys, None).await?;
        let computed = answer(version, request, inputs, &self.library).await?;
        Ok(match verdict(event, payload, computed) {
            Recomputed::Differs { cause, .. } => Recomputation::Differs {
                words: cause.to_string(),
                cause: *cause,
            },
            _ => Recomputation::Same,
        })
    }

    /// Fills in what a playlist tells, and what can be computed of it.
    async fn generated(
        &self,
        explained: &mut Explained,
        request: &Request,
        generated: &Generated,
        tried: &Count,
    ) -> Result<(), ExplainError> {
        explained.rules = Some(Rules::of(&request.requested.request, generated));
        let inputs = Inputs::before(request, &self.log, &self.keys, None).await?;
        let version = GeneratorVersion::numbered(generated.generator);
        let contents = contents(
            version.unwrap_or(GeneratorVersion::CURRENT),
            &inputs,
            &self.library,
        )
        .await;
        let contents = match contents {
            Ok(contents) => Some(Arc::new(contents)),
            Err(Unavailable::Never(_)) => None,
            Err(Unavailable::Now(error)) => return Err(error.into()),
        };
        // Names come from the catalogue that the record names, and no other.
        let catalogue = contents.as_ref().map(|contents| &*contents.catalogue);
        let catalogue = catalogue.filter(|catalogue| catalogue.version() == generated.catalogue);
        explained.tracks = tracks(generated, catalogue);
        let has_all = |catalogue: &Catalogue| {
            let mut tracks = generated.tracks.iter();
            tracks.all(|track| catalogue.index_of(&track.track).is_some())
        };
        let (Some(version), Some(contents), true) = (version, &contents, catalogue.is_some_and(has_all))
        else {
            return Ok(());
        };
        let events = ratings::rating_events(&self.log, &self.keys, request, inputs.listener_version).await?;
        let input = inputs.taste.into_input(request.requested.requested_at);
        let job = ratings::Job {
            version,
            contents: Arc::clone(contents),
            request: request.requested.request.clone(),
            input,
            listener_version: inputs.listener_version,
            chosen: generated.tracks.iter().map(|track| track.track.clone()).collect(),
            events,
            tried: tried.clone(),
        };
        let computed = tokio::task::spawn_blocking(move || (job.left_out(), job.effects())).await?;
        let (left_out, effects) = computed;
        if let Some(rules) = &mut explained.rules {
            rules.left_out = Some(left_out);
        }
        for (track, because) in explained.tracks.iter_mut().zip(effects.because) {
            track.because = because;
        }
        explained.ratings = Some(effects.ratings);
        Ok(())
    }
}

impl Step {
    fn of(recorded: &RecordedEvent) -> Self {
        Self {
            position: recorded.position,
            event_type: recorded.event_type.clone(),
            id: recorded.id,
            causation_id: recorded.causation_id,
            recorded_at: recorded.recorded_at,
        }
    }
}

impl Rules {
    fn of(request: &PlaylistRequest, generated: &Generated) -> Self {
        Self {
            generator: generated.generator,
            requested: generated.requested,
            returned: generated.returned,
            pool: generated.pool,
            left_out: None,
            max_per_artist: request.max_per_artist.unwrap_or(MAX_PER_ARTIST_DEFAULT),
            diversity: generated.generator >= 2,
            order: request.order,
            arrangement: generated.arrangement,
            exploration: request.exploration,
            random_seed: generated.random_seed,
            learned_from: generated.learned_from,
            notes: generated.notes.clone(),
        }
    }
}

impl From<Filtered> for LeftOut {
    fn from(filtered: Filtered) -> Self {
        let Filtered { rated, heard, bounds } = filtered;
        Self { rated, heard, bounds }
    }
}

impl ratings::Job {
    fn left_out(&self) -> LeftOut {
        inspect::left_out(self.version, &self.contents.catalogue, &self.input, &self.request).into()
    }
}

/// The tracks as they were recorded, named by `catalogue`.
fn tracks(generated: &Generated, catalogue: Option<&Catalogue>) -> Vec<ExplainedTrack> {
    let told = catalogue.map(|catalogue| Told {
        catalogue,
        features: &generated.features,
        has_dislikes: generated.learned_from.is_some_and(|from| from.disliked > 0),
    });
    let items = projectors::as_of::items(generated, catalogue);
    let tracks = items.into_iter().zip(&generated.tracks).map(|(item, chosen)| {
        let index = catalogue.and_then(|catalogue| catalogue.index_of(&item.track));
        let reason = told
            .zip(index)
            .map(|(told, index)| told.of(index, &chosen.contributions));
        ExplainedTrack {
            item,
            reason: reason.unwrap_or_default(),
            because: Vec::new(),
        }
    });
    tracks.collect()
}
