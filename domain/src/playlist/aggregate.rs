//! The rules of a playlist: one request, one answer.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::request::check_name;
use super::{
    Failed, Generated, PlaylistCommand, PlaylistEvent, PlaylistRejection, PlaylistRequest, Requested,
};
use crate::{AccountId, PlaylistId};

/// A playlist, folded from its events. It keeps what the rules need; the tracks stand in the event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playlist {
    requested: Option<Asked>,
    answer: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    playlist: PlaylistId,
    owner: AccountId,
    limit: u32,
    random_seed: u64,
}

/// How a playlist was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// With tracks.
    Generated,
    /// With a failure.
    Failed,
}

impl Playlist {
    /// The playlist's id, once requested.
    pub fn id(&self) -> Option<PlaylistId> {
        self.requested.as_ref().map(|asked| asked.playlist)
    }

    /// Who asked for it.
    pub fn owner(&self) -> Option<AccountId> {
        self.requested.as_ref().map(|asked| asked.owner)
    }

    /// The one answer, when there is one.
    pub fn answer(&self) -> Option<Answer> {
        self.answer
    }

    /// Decides what follows from `command`.
    ///
    /// # Errors
    /// [`PlaylistRejection`]: nothing follows.
    pub fn decide(&self, command: PlaylistCommand) -> Result<PlaylistEvent, PlaylistRejection> {
        match command {
            PlaylistCommand::Request {
                playlist,
                owner,
                name,
                request,
                at,
            } => self.request(playlist, owner, name, *request, at),
            PlaylistCommand::RecordGeneration(generated) => {
                let asked = self.open_request()?;
                check_answer(asked, &generated)?;
                Ok((*generated).into())
            }
            PlaylistCommand::RecordFailure { reason, detail, at } => {
                self.open_request()?;
                Ok(Failed {
                    reason,
                    detail,
                    failed_at: at,
                }
                .into())
            }
        }
    }

    fn request(
        &self,
        playlist: PlaylistId,
        owner: AccountId,
        name: Option<String>,
        request: PlaylistRequest,
        requested_at: DateTime<Utc>,
    ) -> Result<PlaylistEvent, PlaylistRejection> {
        if self.requested.is_some() {
            return Err(PlaylistRejection::AlreadyRequested);
        }
        let mut errors = request.validate().err().unwrap_or_default();
        errors.extend(check_name(name.as_deref()));
        if !errors.is_empty() {
            return Err(PlaylistRejection::InvalidRequest(errors));
        }
        Ok(Requested {
            playlist,
            owner,
            name,
            request,
            requested_at,
        }
        .into())
    }

    fn open_request(&self) -> Result<&Asked, PlaylistRejection> {
        match (&self.requested, self.answer) {
            (None, _) => Err(PlaylistRejection::NotRequested),
            (Some(_), Some(_)) => Err(PlaylistRejection::AlreadyAnswered),
            (Some(asked), None) => Ok(asked),
        }
    }
}

fn check_answer(asked: &Asked, generated: &Generated) -> Result<(), PlaylistRejection> {
    let fits = generated.random_seed == asked.random_seed
        && generated.requested == asked.limit
        && generated.returned as usize == generated.tracks.len()
        && generated.returned <= asked.limit;
    if fits {
        Ok(())
    } else {
        Err(PlaylistRejection::ForeignAnswer)
    }
}

impl Aggregate for Playlist {
    const TYPE: &'static str = "playlist";
    type Command = PlaylistCommand;
    type Event = PlaylistEvent;
    type Error = PlaylistRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: PlaylistCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), PlaylistRejection> {
        sink.write(self.decide(command)?, self).await;
        Ok(())
    }

    fn apply(&mut self, event: PlaylistEvent) {
        match event {
            PlaylistEvent::Requested(event) => {
                let Requested {
                    playlist,
                    owner,
                    request,
                    ..
                } = event;
                let PlaylistRequest {
                    limit, random_seed, ..
                } = request;
                self.requested = Some(Asked {
                    playlist,
                    owner,
                    limit,
                    random_seed,
                });
            }
            PlaylistEvent::Generated(_) => self.answer = Some(Answer::Generated),
            PlaylistEvent::Failed(_) => self.answer = Some(Answer::Failed),
        }
    }
}
