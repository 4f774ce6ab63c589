//! An answer computed again, for auditors: from the log and the keys alone, with no view and no clock.
//!
//! [`Recomputer::check`] looks at one playlist, [`Recomputer::check_all`] at all of them in one walk along the log, and a
//! [`Cause`] says where a record and the history part.

mod all;
mod cause;

use bytes::Bytes;
use classifier::GeneratorVersion;
use domain::{Event, PlaylistEvent, PlaylistId, StoredEvent};
use eventing::{EventLog, KeyError, Keys, Payload, RecordedEvent};
use projectors::Catalogues;

use crate::Registry;
use crate::generation::{Answer, answer};
use crate::inputs::{Asked, Inputs, InputsError, Request};
use crate::library::{Library, LibraryError};

pub use all::{CheckAll, Checked, PlaylistDifference};
pub use cause::Cause;

/// What came of computing a playlist again.
#[derive(Clone, Debug, PartialEq)]
pub enum Recomputed {
    /// The recorded payload is what the history gives, byte for byte.
    Same {
        /// The payload.
        payload: Bytes,
    },
    /// The history gives another answer than the log holds.
    Differs {
        /// The payload in the log.
        recorded: Bytes,
        /// What it should be: a payload, or a refusal's reason.
        computed: Answer,
        /// The first part in which they differ.
        cause: Box<Cause>,
    },
    /// It was recorded that there can be no playlist, and the history says the same.
    SameFailure,
    /// The playlist was made by rules that this program does not have.
    OtherGenerator {
        /// The version of those rules.
        generator: u32,
    },
    /// It waits for its answer.
    Pending,
    /// The log has no such request.
    Unknown,
    /// The person who asked was forgotten; nothing can be opened.
    Erased,
}

/// A playlist could not be computed again. This says nothing about the playlist.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The log could not be read far enough.
    #[error("what stood before the request could not be read")]
    Inputs(#[from] InputsError),
    /// A catalogue or model could not be read.
    #[error("the catalogue or the model could not be read")]
    Library(#[from] LibraryError),
    /// A key could not be used.
    #[error("the answer could not be opened")]
    Keys(#[from] KeyError),
    /// The recorded answer cannot be decoded.
    #[error("the recorded answer cannot be read")]
    Undecodable,
    /// There is no playlist to compute: it failed, or was forgotten, or is not known.
    #[error("the history gives no playlist")]
    NoPlaylist,
}

/// Computes playlists again. Keeps decoded catalogues, so one of these should serve many playlists. Cheap to clone.
#[derive(Clone)]
pub struct Recomputer {
    log: EventLog,
    keys: Keys,
    library: Library,
}

/// Computes the payload of `playlist`'s `playlist.generated` from the history, without a look at the recorded one.
///
/// # Errors
/// See [`RecomputeError`]; `NoPlaylist` when the history gives a failure, or the request is unknown or forgotten.
pub async fn recompute(
    log: &EventLog,
    keys: &Keys,
    registry: &Registry,
    playlist: PlaylistId,
) -> Result<Bytes, RecomputeError> {
    let recomputer = Recomputer::new(log.clone(), keys.clone(), registry.clone());
    match Asked::read(log, keys, playlist).await? {
        Asked::Open(request) | Asked::Answered(request, _) => {
            match recomputer.answer(GeneratorVersion::CURRENT, &request).await? {
                Answer::Generated(generated) => Ok(payload_of(*generated)),
                Answer::Failed(_) => Err(RecomputeError::NoPlaylist),
            }
        }
        Asked::Unknown | Asked::Erased => Err(RecomputeError::NoPlaylist),
    }
}

impl Recomputer {
    /// A recomputer without anything loaded.
    #[must_use]
    pub fn new(log: EventLog, keys: Keys, registry: Registry) -> Self {
        Self {
            library: Library::new(log.clone(), registry, Catalogues::new(log.clone())),
            log,
            keys,
        }
    }

    /// Computes `playlist` again and compares it with what was recorded.
    ///
    /// # Errors
    /// See [`RecomputeError`].
    pub async fn check(&self, playlist: PlaylistId) -> Result<Recomputed, RecomputeError> {
        match Asked::read(&self.log, &self.keys, playlist).await? {
            Asked::Answered(request, recorded) => self.compare(&request, &recorded).await,
            Asked::Open(_) => Ok(Recomputed::Pending),
            Asked::Unknown => Ok(Recomputed::Unknown),
            Asked::Erased => Ok(Recomputed::Erased),
        }
    }

    async fn compare(
        &self,
        request: &Request,
        recorded: &RecordedEvent,
    ) -> Result<Recomputed, RecomputeError> {
        let inputs = Inputs::before(request, &self.log, &self.keys, None).await?;
        self.compare_with(request, recorded, inputs).await
    }

    /// Compares the record with what the inputs give.
    async fn compare_with(
        &self,
        request: &Request,
        recorded: &RecordedEvent,
        inputs: Inputs,
    ) -> Result<Recomputed, RecomputeError> {
        let payload = match self.keys.open_event(recorded).await? {
            Payload::Open(payload) => payload,
            Payload::Erased => return Ok(Recomputed::Erased),
        };
        let event = decode(recorded, &payload)?;
        let version = match &event {
            PlaylistEvent::Failed(_) => GeneratorVersion::CURRENT,
            PlaylistEvent::Generated(generated) => match GeneratorVersion::numbered(generated.generator) {
                Some(version) => version,
                None => {
                    return Ok(Recomputed::OtherGenerator {
                        generator: generated.generator,
                    });
                }
            },
            PlaylistEvent::Requested(_) => return Err(RecomputeError::Undecodable),
        };
        let computed = answer(version, request, inputs, &self.library).await?;
        Ok(verdict(&event, payload, computed))
    }

    async fn answer(&self, version: GeneratorVersion, request: &Request) -> Result<Answer, RecomputeError> {
        let inputs = Inputs::before(request, &self.log, &self.keys, None).await?;
        Ok(answer(version, request, inputs, &self.library).await?)
    }
}

/// Compares a recorded answer, whose bytes are `payload`, with a computed one.
pub(crate) fn verdict(recorded: &PlaylistEvent, payload: Bytes, computed: Answer) -> Recomputed {
    match (recorded, &computed) {
        (PlaylistEvent::Failed(failed), Answer::Failed(refusal)) if refusal.reason == failed.reason => {
            Recomputed::SameFailure
        }
        (PlaylistEvent::Generated(_), Answer::Generated(generated))
            if payload_of((**generated).clone()) == payload =>
        {
            Recomputed::Same { payload }
        }
        _ => Recomputed::Differs {
            cause: Box::new(Cause::between(recorded, &computed)),
            recorded: payload,
            computed,
        },
    }
}

fn payload_of(generated: domain::Generated) -> Bytes {
    PlaylistEvent::from(generated).encode().payload.into()
}

pub(crate) fn decode(recorded: &RecordedEvent, payload: &[u8]) -> Result<PlaylistEvent, RecomputeError> {
    let decoded = domain::decode(&recorded.event_type, recorded.schema_version.0, payload);
    match decoded.ok().and_then(|events| events.into_iter().next()) {
        Some(Event::Playlist(event)) => Ok(event),
        _ => Err(RecomputeError::Undecodable),
    }
}
