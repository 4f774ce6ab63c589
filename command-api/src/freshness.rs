//! Reads that must not be older than what the caller has seen.
//!
//! A view is current when it reflects the position asked for. A view that nothing was appended to never gets a higher
//! position, so its stream's version in the log counts as well.

use axum::{extract::FromRequestParts, response::Response};
use domain::AccountId;
use eventing::{EventFilter, LogError, Position, StreamId, Version};
use http::{HeaderValue, request::Parts};
use projectors::{ProjectionKind, Until, ViewError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use crate::{
    prefer::{Prefer, SEGUE_POSITION, min_position},
    problem::{Problem, ProblemType},
    state::ApiState,
};

/// Records looked through at a time.
const PAGE: usize = 1_000;

/// How recent an answer must be, and how long the caller waits for that.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    min: Position,
    prefer: Prefer,
    /// When the caller's patience ends.
    pub deadline: Instant,
}

impl FromRequestParts<ApiState> for Freshness {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        let prefer = Prefer::of(&parts.headers);
        let min = min_position(&parts.headers)?.unwrap_or(Position::START);
        Ok(Self {
            min,
            prefer,
            deadline: Instant::now() + prefer.wait(),
        })
    }
}

impl Freshness {
    /// Whether a position was asked for.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.min > Position::START
    }

    /// The position that was asked for; 0 where none was.
    #[must_use]
    pub fn min(&self) -> Position {
        self.min
    }

    /// Whether the caller is ready to wait for something.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        self.prefer.wait() > Duration::ZERO
    }

    /// Whether the caller still waits.
    #[must_use]
    pub fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// Waits until the view of `stream` is as recent as was asked.
    ///
    /// # Errors
    /// `behind` at the deadline; `unavailable` when view or log cannot be read.
    pub async fn of_view(
        &self,
        api: &ApiState,
        kind: ProjectionKind,
        stream: &StreamId,
    ) -> Result<(), Problem> {
        if self.min == Position::START {
            return Ok(());
        }
        let reached = api
            .views()
            .wait_for(kind, stream, Until::Position(self.min), Instant::now())
            .await;
        match reached {
            Err(ViewError::Late | ViewError::NotBuilt(_)) => {}
            other => return other.map_err(|error| view_problem(&error)),
        }
        self.of_log(api).await?;
        let version = api
            .log()
            .stream_version_before(stream, self.min.next())
            .await
            .map_err(|error| log_problem(&error))?;
        self.wait_for_version(api, kind, stream, version).await
    }

    /// Waits until everything that `kind` holds about `owner` (about anybody, when `None`) is as recent as was asked.
    ///
    /// # Errors
    /// As [`of_view`](Self::of_view).
    pub async fn of_list(
        &self,
        api: &ApiState,
        kind: ProjectionKind,
        category: &str,
        owner: Option<AccountId>,
    ) -> Result<(), Problem> {
        let mut after = match api.views().checkpoint(kind).await {
            Ok(checkpoint) => checkpoint,
            Err(ViewError::NotBuilt(_)) => Position::START,
            Err(error) => return Err(view_problem(&error)),
        };
        if after >= self.min {
            return Ok(());
        }
        self.of_log(api).await?;
        loop {
            let filter = EventFilter {
                category: Some(category.to_owned()),
                ..EventFilter::after(after, PAGE)
            };
            let events = api
                .log()
                .read_filtered(filter)
                .await
                .map_err(|error| log_problem(&error))?;
            for event in events.iter().filter(|event| event.position <= self.min) {
                if owner.is_none_or(|owner| event.subject.is_some_and(|subject| subject.0 == owner.uuid())) {
                    self.wait_for_version(api, kind, &event.stream, event.version)
                        .await?;
                }
            }
            match events.last() {
                Some(last) if last.position < self.min && events.len() == PAGE => after = last.position,
                _ => return Ok(()),
            }
        }
    }

    /// Waits until the log itself has got there.
    ///
    /// # Errors
    /// `behind` at the deadline.
    pub async fn of_log(&self, api: &ApiState) -> Result<(), Problem> {
        let mut head = api.log().subscribe_head();
        let reached = head.wait_for(|head| *head >= self.min);
        match timeout_at(self.deadline, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.behind()),
        }
    }

    async fn wait_for_version(
        &self,
        api: &ApiState,
        kind: ProjectionKind,
        stream: &StreamId,
        version: Version,
    ) -> Result<(), Problem> {
        if version == Version::NONE {
            return Ok(());
        }
        match api
            .views()
            .wait_for(kind, stream, Until::Version(version), self.deadline)
            .await
        {
            Err(ViewError::Late | ViewError::NotBuilt(_)) => Err(self.behind()),
            other => other.map_err(|error| view_problem(&error)),
        }
    }

    fn behind(&self) -> Problem {
        let problem = Problem::new(ProblemType::Behind).retry_after(Duration::from_secs(1));
        match self.prefer.applied() {
            Some(applied) => problem.header(http::HeaderName::from_static("preference-applied"), applied),
            None => problem,
        }
    }

    /// Tells the position that an answer reflects, and the preference that was honoured.
    #[must_use]
    pub fn tell(&self, mut response: Response, reflects: Position) -> Response {
        let headers = response.headers_mut();
        headers.insert(SEGUE_POSITION, HeaderValue::from(reflects.max(self.min).0));
        if let Some(applied) = self.prefer.applied() {
            headers.insert("preference-applied", applied);
        }
        response
    }
}

/// The problem for a view that could not be read.
#[track_caller]
#[must_use]
pub fn view_problem(error: &ViewError) -> Problem {
    match error {
        ViewError::NotBuilt(_) | ViewError::BeingRebuilt(_) | ViewError::Late => {
            Problem::new(ProblemType::NotReady).retry_after(Duration::from_secs(1))
        }
        other => Problem::unavailable(other),
    }
}

/// The problem for a log that could not be read.
#[track_caller]
#[must_use]
pub fn log_problem(error: &LogError) -> Problem {
    match error {
        LogError::StorageFull => ProblemType::StorageFull.into(),
        other => Problem::unavailable(other),
    }
}
