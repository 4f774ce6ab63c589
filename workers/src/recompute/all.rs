//! Every answer of the log, computed again in one walk along it.
//!
//! Listeners are folded forward, so each of their events is read once, however many playlists they asked for. Playlists are
//! computed on all cores beside the walk.

use std::collections::HashMap;
use std::num::NonZero;
use std::thread::available_parallelism;

use domain::{AccountId, PlaylistId, StoredEvent, base_model, catalogue, companions};
use eventing::{EventFilter, EventLog, Position, RecordedEvent, StreamId, Version};
use projectors::{Count, ListenerTaste, TasteWalk, ViewError, Viewed, each_filtered};
use serde::Serialize;
use tokio::task::{JoinError, JoinSet};

use super::{Cause, RecomputeError, Recomputed, Recomputer};
use crate::inputs::{
    Asked, COUNTED, IMPORTED, Inputs, InputsError, PUBLISHED, REQUESTED, Request, said_openly,
};

const GENERATED: &str = "playlist.generated";
const FAILED: &str = "playlist.failed";

/// What checking all answers came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Checked {
    /// Playlists that came out byte for byte as they were recorded.
    pub computed: u64,
    /// Failures that the history gives too.
    pub failures: u64,
    /// Requests that had no answer yet.
    pub pending: u64,
    /// Answers to people who were forgotten, of which nothing can be opened.
    pub erased: u64,
    /// Answers that are not what the history gives, or cannot be proved since this program does not have their generator.
    pub differences: u64,
    /// The first of them, by position.
    pub first_difference: Option<PlaylistDifference>,
}

/// A recorded answer that the history does not give.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlaylistDifference {
    /// The playlist's stream.
    pub stream: StreamId,
    /// Where the answer stands.
    pub position: Position,
    /// The first part that differs.
    pub cause: Cause,
    /// The same in words.
    pub words: String,
}

/// How far to check, and who watches.
#[derive(Clone, Debug, Default)]
pub struct CheckAll {
    /// Only answers up to here; the whole log when absent.
    pub until: Option<Position>,
    /// Grows by every answer that was looked at.
    pub answers: Count,
    /// Grows by every event that was read along the way.
    pub events: Count,
}

/// A request with its answer, as far as their records tell without being opened.
struct Answered {
    playlist: PlaylistId,
    listener: AccountId,
    requested: Position,
    answer: Position,
}

/// What the records of all playlists tell without being opened.
#[derive(Default)]
struct Survey {
    answered: Vec<Answered>,
    checked: Checked,
}

/// What was current at each position, in order: catalogues, models, companions.
struct Current<T>(Vec<(Position, T)>);

struct History {
    catalogues: Current<catalogue::Imported>,
    models: Current<base_model::Published>,
    companions: Current<companions::Published>,
}

type Task = (StreamId, Position, Result<Recomputed, RecomputeError>);

impl Recomputer {
    /// Computes every answer in the log again and compares it with its record. New answers may come meanwhile: the log
    /// is taken as it stood at the beginning.
    ///
    /// Dropping the future stops it and changes nothing.
    ///
    /// # Errors
    /// See [`RecomputeError`]: the log, a key or the temporary folder could not be read. A record that can never be read is
    /// a difference, and no error.
    pub async fn check_all(&self, how: &CheckAll) -> Result<Checked, RecomputeError> {
        let until = match how.until {
            Some(until) => until,
            None => self.log.head().await.map_err(InputsError::from)?,
        };
        let Survey { answered, checked } = survey(&self.log, until).await?;
        let walk = TasteWalk::new(
            self.log.clone(),
            self.keys.clone(),
            answered.iter().map(|answered| answered.listener),
            how.events.clone(),
        );
        let mut checking = Checking {
            recomputer: self,
            walk: walk.map_err(InputsError::Taste)?,
            history: History::read(&self.log, until).await?,
            tasks: JoinSet::new(),
            checked,
            answers: &how.answers,
        };
        for answered in &answered {
            checking.begin(answered).await?;
        }
        checking.finish().await
    }
}

struct Checking<'a> {
    recomputer: &'a Recomputer,
    walk: TasteWalk,
    history: History,
    tasks: JoinSet<Task>,
    checked: Checked,
    answers: &'a Count,
}

impl Checking<'_> {
    /// Walks on to a request and begins to compute its answer.
    async fn begin(&mut self, answered: &Answered) -> Result<(), RecomputeError> {
        let (log, keys) = (&self.recomputer.log, &self.recomputer.keys);
        let before = Position(answered.requested.0.saturating_sub(1));
        self.walk.advance(before).await.map_err(InputsError::Taste)?;
        let stream = StreamId::new(PlaylistId::CATEGORY, answered.playlist.uuid());
        let (request, recorded) = match Asked::read(log, keys, answered.playlist).await {
            Ok(Asked::Answered(request, recorded)) => (request, recorded),
            other => return self.count((stream, answered.answer, without_answer(other))),
        };
        if request.requested.owner != answered.listener {
            let what = "the request is sealed for somebody else than its owner".to_owned();
            return self.differ(stream, answered.answer, Cause::Unreadable { what });
        }
        let taste = self.walk.taste(answered.listener).await;
        let Some(taste) = taste.map_err(InputsError::Taste)? else {
            let what = "an event of the listener cannot be read".to_owned();
            return self.differ(stream, answered.answer, Cause::Unreadable { what });
        };
        let inputs = self.history.before(&request, taste);
        self.make_room().await?;
        let recomputer = self.recomputer.clone();
        self.tasks.spawn(async move {
            let compared = recomputer.compare_with(&request, &recorded, inputs).await;
            (stream, recorded.position, compared)
        });
        Ok(())
    }

    /// Waits until a core is free.
    async fn make_room(&mut self) -> Result<(), RecomputeError> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        while self.tasks.len() >= cores {
            let Some(done) = self.tasks.join_next().await else {
                break;
            };
            self.count(done.map_err(panicked)?)?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Checked, RecomputeError> {
        while let Some(done) = self.tasks.join_next().await {
            self.count(done.map_err(panicked)?)?;
        }
        Ok(self.checked)
    }

    fn count(&mut self, (stream, position, compared): Task) -> Result<(), RecomputeError> {
        self.answers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let checked = &mut self.checked;
        match compared {
            Ok(Recomputed::Same { .. }) => checked.computed += 1,
            Ok(Recomputed::SameFailure) => checked.failures += 1,
            Ok(Recomputed::Erased) => checked.erased += 1,
            Ok(Recomputed::Pending | Recomputed::Unknown) => checked.pending += 1,
            Ok(Recomputed::OtherGenerator { generator }) => {
                return self.differ(stream, position, Cause::GeneratorUnknown { generator });
            }
            Ok(Recomputed::Differs { cause, .. }) => return self.differ(stream, position, *cause),
            Err(error) => match unreadable(&error) {
                Some(what) => return self.differ(stream, position, Cause::Unreadable { what }),
                None => return Err(error),
            },
        }
        Ok(())
    }

    fn differ(&mut self, stream: StreamId, position: Position, cause: Cause) -> Result<(), RecomputeError> {
        self.checked.differ(stream, position, cause);
        Ok(())
    }
}

impl Checked {
    fn differ(&mut self, stream: StreamId, position: Position, cause: Cause) {
        self.differences += 1;
        let first = self.first_difference.as_ref();
        if first.is_none_or(|first| position < first.position) {
            self.first_difference = Some(PlaylistDifference {
                stream,
                position,
                words: cause.to_string(),
                cause,
            });
        }
    }
}

/// What a playlist comes to of which no answer can be read.
fn without_answer(read: Result<Asked, InputsError>) -> Result<Recomputed, RecomputeError> {
    Ok(match read? {
        Asked::Erased => Recomputed::Erased,
        Asked::Unknown => Recomputed::Unknown,
        Asked::Open(_) | Asked::Answered(..) => Recomputed::Pending,
    })
}

/// Says what can never be read; nothing when trying again later may help.
fn unreadable(error: &RecomputeError) -> Option<String> {
    match error {
        RecomputeError::Undecodable => Some(error.to_string()),
        RecomputeError::Inputs(error @ InputsError::Undecodable { .. }) => Some(error.to_string()),
        RecomputeError::Keys(error) | RecomputeError::Inputs(InputsError::Keys(error)) => {
            (!error.is_passing()).then(|| error.to_string())
        }
        _ => None,
    }
}

fn panicked(error: JoinError) -> RecomputeError {
    InputsError::Taste(ViewError::Unavailable(error.into())).into()
}

/// Finds every answer up to `until`, in the order of the requests.
async fn survey(log: &EventLog, until: Position) -> Result<Survey, InputsError> {
    let mut open = HashMap::<StreamId, (Position, AccountId)>::new();
    let mut survey = Survey::default();
    // By type, which the log has an index for. Requests come first, so that each answer finds its own.
    for event_type in [REQUESTED, GENERATED, FAILED] {
        let filter = EventFilter {
            event_type: Some(event_type.to_owned()),
            ..EventFilter::after(Position::START, 0)
        };
        each_filtered::<InputsError>(log, filter, until, |event| {
            survey.note(event, &mut open);
            Ok(())
        })
        .await?;
    }
    survey.checked.pending = open.len() as u64;
    survey
        .answered
        .sort_unstable_by_key(|answered| answered.requested);
    Ok(survey)
}

impl Survey {
    fn note(&mut self, event: &RecordedEvent, open: &mut HashMap<StreamId, (Position, AccountId)>) {
        let stream = event.stream.clone();
        let is_request = event.event_type == REQUESTED;
        match event.version {
            Version(1) if is_request => {
                let listener = event
                    .subject
                    .map_or(uuid::Uuid::nil(), |subject| subject.as_uuid());
                open.insert(stream, (event.position, AccountId::new(listener)));
            }
            Version(2) if !is_request => match open.remove(&stream) {
                Some((requested, listener)) => self.answered.push(Answered {
                    playlist: PlaylistId::new(stream.uuid()),
                    listener,
                    requested,
                    answer: event.position,
                }),
                None => self.misplaced(event, "no request stands before it"),
            },
            _ if is_request => self.misplaced(event, "it is no playlist's first event"),
            Version(1) => self.misplaced(event, "no request stands before it"),
            _ => self.checked.differ(stream, event.position, Cause::SecondAnswer),
        }
    }

    fn misplaced(&mut self, event: &RecordedEvent, what: &str) {
        let what = what.to_owned();
        let cause = Cause::Unreadable { what };
        self.checked.differ(event.stream.clone(), event.position, cause);
    }
}

impl History {
    async fn read(log: &EventLog, until: Position) -> Result<Self, InputsError> {
        let catalogues = Current::read(log, IMPORTED, until, |domain::CatalogueEvent::Imported(it)| it);
        let models = Current::read(log, PUBLISHED, until, |domain::BaseModelEvent::Published(it)| it);
        let companions = Current::read(log, COUNTED, until, |domain::CompanionsEvent::Published(it)| it);
        Ok(Self {
            catalogues: catalogues.await?,
            models: models.await?,
            companions: companions.await?,
        })
    }

    fn before(&self, request: &Request, taste: Viewed<ListenerTaste>) -> Inputs {
        let position = request.position();
        Inputs {
            catalogue: self.catalogues.before(position),
            model: self.models.before(position),
            companions: self.companions.before(position),
            taste: taste.view,
            listener_version: taste.version,
        }
    }
}

impl<T: Clone> Current<T> {
    async fn read<E: StoredEvent>(
        log: &EventLog,
        event_type: &str,
        until: Position,
        content: impl Fn(E) -> T,
    ) -> Result<Self, InputsError> {
        let mut current = Vec::new();
        let filter = EventFilter {
            event_type: Some(event_type.to_owned()),
            ..EventFilter::after(Position::START, 0)
        };
        each_filtered::<InputsError>(log, filter, until, |event| {
            current.push((event.position, content(said_openly::<E>(event)?)));
            Ok(())
        })
        .await?;
        Ok(Self(current))
    }

    fn before(&self, position: Position) -> Option<T> {
        let count = self.0.partition_point(|(at, _)| *at < position);
        let last = count.checked_sub(1)?;
        Some(self.0[last].1.clone())
    }
}
