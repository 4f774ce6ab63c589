//! Who asks, and whether they may.

use axum::extract::FromRequestParts;
use domain::{AccountId, Role, SessionHash};
use eventing::SubjectId;
use http::{HeaderMap, header, request::Parts};

use crate::{
    problem::{Problem, ProblemType},
    sessions::{Admitted, NotAdmitted},
    state::ApiState,
    tokens::SessionToken,
};

/// The token that a request carries, not looked up yet.
pub struct Bearer(pub SessionToken);

/// A request's session, which passed the gate.
pub struct Session {
    /// Whose session it is.
    pub account: AccountId,
    /// What the account may do now.
    pub role: Role,
    /// The session's stored name.
    pub hash: SessionHash,
}

impl Session {
    /// The person, as the log knows them.
    #[must_use]
    pub fn subject(&self) -> SubjectId {
        SubjectId(self.account.uuid())
    }

    /// Refuses a role that may do less than `least`.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require(&self, least: Role) -> Result<(), Problem> {
        if self.role >= least {
            return Ok(());
        }
        Err(Problem::new(ProblemType::Forbidden).detail(format!("this needs the role {least}")))
    }
}

impl ApiState {
    /// Lets a token through the gate.
    ///
    /// # Errors
    /// `unauthenticated`; `not-ready` or `unavailable` when it cannot be told.
    pub async fn admit(&self, token: &SessionToken) -> Result<Session, Problem> {
        self.readmit(&token.hash()).await
    }

    /// Lets a session through the gate once more.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub async fn readmit(&self, hash: &SessionHash) -> Result<Session, Problem> {
        let Admitted { account, role, .. } = self.gate().admit(hash).await.map_err(refuse)?;
        let hash = *hash;
        Ok(Session { account, role, hash })
    }
}

fn refuse(reason: NotAdmitted) -> Problem {
    match reason {
        NotAdmitted::NoSession => ProblemType::Unauthenticated.into(),
        NotAdmitted::Behind => {
            Problem::new(ProblemType::NotReady).retry_after(std::time::Duration::from_secs(1))
        }
        error @ (NotAdmitted::View(_) | NotAdmitted::Log(_)) => Problem::unavailable(&error),
    }
}

fn bearer(headers: &HeaderMap) -> Option<SessionToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| SessionToken::parse(token.trim()))?
}

impl FromRequestParts<ApiState> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        bearer(&parts.headers)
            .map(Self)
            .ok_or_else(|| ProblemType::Unauthenticated.into())
    }
}

impl FromRequestParts<ApiState> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Problem> {
        let Bearer(token) = Bearer::from_request_parts(parts, api).await?;
        api.admit(&token).await
    }
}
