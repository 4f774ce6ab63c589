//! From a decided wish to an answer: carries out commands and turns everything that can go wrong into a problem.

use std::time::Duration;

use axum::response::Response;
use domain::{Account, AccountId, AccountRejection, ListenerRejection, PlaylistRejection, account::Username};
use eventing::{
    Append, AppendError, Claim, Codec, ExecuteError, ExpectedVersion, LoadError, Loaded, Metadata,
    NewReceipt, Order, ReceiptDraft, StreamId, SubjectId,
};
use http::HeaderMap;
use projectors::DomainCodec;

use crate::{
    freshness::log_problem,
    idempotency::{Once, StoredAnswer, replay},
    prefer::SEGUE_POSITION,
    problem::{FieldError, Problem, ProblemType},
    routes::wish::field_as_asked,
    sessions::account_stream,
    state::ApiState,
    traces::TRACEPARENT,
};

/// The kind of claim that keeps user names unique.
pub const USERNAME_CLAIM: &str = "username";

/// The claim of a user name: two names that are the same name have the same claim.
#[must_use]
pub fn username_claim(keys: &eventing::Keys, username: &Username) -> Claim {
    Claim::new(
        USERNAME_CLAIM,
        keys.hmac(USERNAME_CLAIM, username.canonical().as_bytes()),
    )
}

/// A rejection, as the caller is told.
pub trait Rejected {
    /// The problem to answer with.
    fn problem(&self) -> Problem;
}

impl Rejected for AccountRejection {
    fn problem(&self) -> Problem {
        match self {
            // The session was right a moment ago and its account is gone now.
            Self::NotRegistered | Self::Erased => ProblemType::Unauthenticated.into(),
            Self::AlreadyRegistered | Self::ExpiredSession | Self::SessionExists => Problem::internal(self),
        }
    }
}

impl Rejected for ListenerRejection {
    fn problem(&self) -> Problem {
        let field = match self {
            Self::NoRatings | Self::TooManyRatings => "ratings",
            Self::ImplausibleDuration => "duration_played_ms",
        };
        Problem::new(ProblemType::InvalidRequest).errors([FieldError::new(field, self.to_string())])
    }
}

impl Rejected for PlaylistRejection {
    fn problem(&self) -> Problem {
        match self {
            Self::InvalidRequest(errors) => Problem::new(ProblemType::InvalidPlaylistRequest).errors(
                errors
                    .iter()
                    .map(|error| FieldError::new(field_as_asked(&error.field), &error.problem)),
            ),
            other => Problem::internal(other),
        }
    }
}

impl ApiState {
    /// Carries out an order and answers with `answer` and the position it got. With `once`, the answer is stored in the
    /// same append; a rejection is stored as well, in an append of its own.
    ///
    /// # Errors
    /// A problem. After `outcome-unknown` it may have been done; after all others nothing was.
    pub async fn carry_out<A>(
        &self,
        mut order: Order<A>,
        once: Option<Once>,
        answer: StoredAnswer,
    ) -> Result<Response, Problem>
    where
        A: cqrs_es::Aggregate<Services = ()> + Clone + 'static,
        A::Command: Clone + Send + Sync,
        A::Error: Rejected,
        DomainCodec: Codec<A>,
    {
        let stream = order.stream.clone();
        // Of somebody who is refused an account there is none to keep a secret for.
        let subject = order.subject.filter(|_| !order.creates_subject);
        if let Some(once) = &once {
            let draft = ReceiptDraft::fixed(once.key, once.fingerprint, answer.to_bytes());
            order.receipt = Some(match once.outlives_the_person {
                true => draft.outliving_the_person(),
                false => draft,
            });
        }
        let executed = self.executor().execute(order).await;
        eventing::failpoint!("http.before_answer");
        match executed {
            Ok(executed) => {
                if stream.category() == AccountId::CATEGORY {
                    self.gate().note(AccountId::new(stream.uuid()), executed.version);
                }
                Ok(answer.into_response_at(executed.position))
            }
            Err(ExecuteError::ReceiptExists(receipt)) => {
                let fingerprint = once.as_ref().map_or([0; 32], |once| once.fingerprint);
                replay(*receipt, &fingerprint)
            }
            Err(ExecuteError::Rejected(rejection)) => {
                self.refuse(stream, subject, once, rejection.problem()).await
            }
            Err(ExecuteError::ClaimTaken { .. }) => {
                let taken = ProblemType::UsernameTaken.into();
                self.refuse(stream, subject, once, taken).await
            }
            Err(other) => Err(execute_problem(other)),
        }
    }

    /// Answers a wish that changes nothing; with `once`, stores the answer first, sealed for `subject` if it is about
    /// somebody.
    ///
    /// # Errors
    /// A problem; nothing was stored.
    pub async fn answer_without_effect(
        &self,
        stream: StreamId,
        subject: Option<SubjectId>,
        once: Option<Once>,
        answer: StoredAnswer,
    ) -> Result<Response, Problem> {
        let Some(once) = once else {
            let head = self
                .log()
                .stream_head(&stream)
                .await
                .map_err(|error| log_problem(&error))?;
            return Ok(answer.into_response_at(head.map_or(eventing::Position::START, |head| head.position)));
        };
        let (key, fingerprint) = (once.key, once.fingerprint);
        let mut kept = answer.to_bytes();
        if let Some(subject) = subject {
            let sealed = self.executor().seal_answer(subject, &key, &kept).await;
            kept = sealed.map_err(|error| load_problem(&error))?;
        }
        let receipt = NewReceipt {
            key,
            fingerprint,
            answer: kept,
            subject,
        };
        let append = Append::new(stream, ExpectedVersion::Any, Vec::new(), Metadata::new());
        match self
            .log()
            .append(Append {
                receipt: Some(receipt),
                ..append
            })
            .await
        {
            Ok(appended) => Ok(answer.into_response_at(appended.position)),
            Err(AppendError::ReceiptExists(_)) => {
                // Another process was faster. What the append tells is sealed.
                let stored = self.executor().receipt(&key).await;
                match stored.map_err(|error| load_problem(&error))? {
                    Some(receipt) => replay(receipt, &fingerprint),
                    None => Ok(answer.into_response_at(eventing::Position::START)),
                }
            }
            Err(error) => Err(append_problem(&error)),
        }
    }

    /// Answers with a decided problem; with `once`, stores it first, so that the same wish gets it again.
    async fn refuse(
        &self,
        stream: StreamId,
        subject: Option<SubjectId>,
        once: Option<Once>,
        problem: Problem,
    ) -> Result<Response, Problem> {
        let Some(once) = once.filter(|_| problem.status().is_client_error()) else {
            return Err(problem);
        };
        self.answer_without_effect(stream, subject, Some(once), StoredAnswer::problem(&problem))
            .await
    }

    /// The account as of now, straight from the log.
    ///
    /// # Errors
    /// `unauthenticated` when it was erased; `unavailable`.
    pub async fn account(&self, account: AccountId) -> Result<Loaded<Account>, Problem> {
        let subject = SubjectId(account.uuid());
        let loaded = self
            .executor()
            .load::<Account>(&account_stream(account), Some(subject))
            .await;
        let loaded = loaded.map_err(|error| load_problem(&error))?;
        match loaded.aggregate.is_open() {
            true => Ok(loaded),
            false => Err(ProblemType::Unauthenticated.into()),
        }
    }
}

/// The origin of what a request leads to: a new chain of causes, and the trace that the request was put into.
#[must_use]
pub fn metadata_of(headers: &HeaderMap) -> Metadata {
    let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    Metadata {
        traceparent: traceparent.map(ToOwned::to_owned),
        ..Metadata::new()
    }
}

/// Adds the position that an answer reflects.
#[must_use]
pub fn at_position(mut response: Response, position: eventing::Position) -> Response {
    response
        .headers_mut()
        .insert(SEGUE_POSITION, http::HeaderValue::from(position.0));
    response
}

fn execute_problem<R>(error: ExecuteError<R>) -> Problem
where
    R: std::error::Error + 'static,
{
    match error {
        ExecuteError::Erased => ProblemType::Unauthenticated.into(),
        ExecuteError::Contended | ExecuteError::WrongVersion { .. } => {
            Problem::new(ProblemType::Conflict).retry_after(Duration::from_secs(1))
        }
        ExecuteError::Append(error) => append_problem(&error),
        ExecuteError::Load(error) => load_problem(&error),
        other => Problem::internal(&other),
    }
}

/// The problem for an append that failed.
#[track_caller]
#[must_use]
pub fn append_problem(error: &AppendError) -> Problem {
    match error {
        AppendError::StorageFull => ProblemType::StorageFull.into(),
        AppendError::OutcomeUnknown(_) => Problem::logged(ProblemType::OutcomeUnknown, error)
            .detail("send the same request with the same Idempotency-Key to learn what happened")
            .retry_after(Duration::from_secs(1)),
        AppendError::VersionConflict { .. } => {
            Problem::new(ProblemType::Conflict).retry_after(Duration::from_secs(1))
        }
        AppendError::Unavailable(_) | AppendError::Stopped => Problem::unavailable(error),
        other => Problem::internal(other),
    }
}

/// The problem for an aggregate that could not be loaded.
#[track_caller]
#[must_use]
pub fn load_problem(error: &LoadError) -> Problem {
    match error {
        LoadError::Erased => ProblemType::Unauthenticated.into(),
        LoadError::Log(error) => log_problem(error),
        LoadError::Keys(_) => Problem::unavailable(error),
        LoadError::Undecodable(_) => Problem::internal(error),
    }
}
