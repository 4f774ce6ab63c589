//! `/v1/sessions`: signing in and out.
//!
//! Signing in looks the account up in the log itself: the claim of the name leads to the account's stream. Whatever was
//! given (a name that nobody has, that of an erased account, a wrong, empty or over-long password), it costs exactly one
//! evaluation and is answered with the same bytes.

use axum::{extract::State, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Account, AccountCommand, AccountId, account::Username};
use eventing::{Order, SubjectId};
use http::{HeaderName, HeaderValue, StatusCode, header};
use projectors::ProjectionKind;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{accounts::password_problem, json_answer};
use crate::{
    auth::{Bearer, Session},
    clock,
    commands::{load_problem, metadata_of, username_claim},
    freshness::{Freshness, log_problem, view_problem},
    idempotency::{Begun, Scope, StoredAnswer},
    passwords::Verified,
    prefer::SEGUE_POSITION,
    problem::{Answer, Problem, ProblemType},
    request::WriteRequest,
    sessions::account_stream,
    state::ApiState,
    throttle::{AccountKey, Blocked, ClientAddress, account_key},
    tokens::SessionToken,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    username: String,
    password: Zeroizing<String>,
}

#[derive(Serialize)]
struct SignedIn<'a> {
    token: &'a str,
    expires_at: DateTime<Utc>,
}

/// An account that a name leads to, with what a password is compared with.
struct Found {
    account: AccountId,
    password_hash: Zeroizing<String>,
}

/// 201 with a token; 401 with the same bytes for everything that is wrong; 429 with the time to wait.
///
/// The answer holds a secret, so it is never stored: with an idempotency key, asking again signs in again.
pub(crate) async fn sign_in(State(api): State<ApiState>, request: WriteRequest) -> Answer {
    let Credentials { username, password } = request.json()?;
    let username = Username::parse(&username).map_err(|_| username);
    let key = throttle_key(&api, username.as_ref());
    attempt(&api, key, request.address).await?;
    let found = match &username {
        Ok(username) => find(&api, username).await,
        Err(_) => Ok(None),
    };
    let found = undone_unless_ok(&api, key, request.address, found).await?;
    let stored = found.as_ref().map(|found| found.password_hash.as_str());
    let verified = api
        .passwords()
        .verify(&password, stored)
        .await
        .map_err(password_problem);
    let verified = undone_unless_ok(&api, key, request.address, verified).await?;
    let (Some(found), Verified::Right { outdated }) = (found, verified) else {
        return Err(ProblemType::WrongCredentials.into());
    };
    let answer = start_session(&api, &request, found.account).await?;
    api.throttle().succeeded(key, request.address).await;
    if outdated {
        api.tasks().spawn(rehash(api.clone(), found, password));
    }
    Ok(answer)
}

/// Counts an attempt before its password is looked at.
pub(super) async fn attempt(api: &ApiState, key: AccountKey, address: ClientAddress) -> Result<(), Problem> {
    api.throttle().attempt(key, address).await.map_err(too_many)
}

/// An attempt that failed for a reason of ours counts for nothing.
async fn undone_unless_ok<T>(
    api: &ApiState,
    key: AccountKey,
    address: ClientAddress,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    if result.is_err() {
        api.throttle().undone(key, address).await;
    }
    result
}

fn too_many(Blocked { wait, quota, window }: Blocked) -> Problem {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let policy = format!("\"sign-in\";q={quota};w={}", window.as_secs());
    let problem = Problem::new(ProblemType::TooManyAttempts).retry_after(wait);
    [
        ("ratelimit-policy", policy),
        ("ratelimit", format!("\"sign-in\";r=0;t={seconds}")),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?)))
    .fold(problem, |problem, (name, value)| problem.header(name, value))
}

/// What attempts on a name are counted under. A text that no account can have counts as well.
pub(super) fn throttle_key(api: &ApiState, username: Result<&Username, &String>) -> AccountKey {
    match username {
        Ok(username) => account_key(api.keys(), username),
        Err(text) => api.keys().hmac("throttle-invalid", text.as_bytes()),
    }
}

async fn find(api: &ApiState, username: &Username) -> Result<Option<Found>, Problem> {
    let claim = username_claim(api.keys(), username);
    let Some(stream) = api
        .log()
        .claim(&claim)
        .await
        .map_err(|error| log_problem(&error))?
    else {
        return Ok(None);
    };
    let account = AccountId::new(stream.uuid());
    let loaded = match api
        .executor()
        .load::<Account>(&stream, Some(SubjectId(account.uuid())))
        .await
    {
        Err(eventing::LoadError::Erased) => return Ok(None),
        other => other.map_err(|error| load_problem(&error))?,
    };
    let open = loaded.aggregate.is_open();
    let password_hash = Zeroizing::new(loaded.aggregate.password_hash().to_owned());
    Ok(open.then_some(Found {
        account,
        password_hash,
    }))
}

async fn start_session(api: &ApiState, request: &WriteRequest, account: AccountId) -> Answer {
    let token = SessionToken::draw().map_err(|error| Problem::internal(&error))?;
    let config = api.config();
    let at = request.received_at;
    let expires_at = TimeDelta::from_std(config.session_absolute)
        .ok()
        .and_then(|ttl| at.checked_add_signed(ttl));
    let expires_at = expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let idle_ttl_s = u32::try_from(config.session_idle.as_secs()).unwrap_or(u32::MAX);
    let command = AccountCommand::SignIn {
        session: token.hash(),
        at,
        idle_ttl_s,
        expires_at,
    };
    let order = Order::<Account>::new(account_stream(account), command, metadata_of(&request.headers));
    let done = api
        .carry_out(
            order.about(SubjectId(account.uuid())),
            None,
            StoredAnswer::empty(StatusCode::CREATED),
        )
        .await;
    let done = done.map_err(gone_is_wrong)?;
    let body = serde_json::to_vec(&SignedIn {
        token: token.expose(),
        expires_at,
    });
    let mut answer = Response::new(body.map_err(|error| Problem::internal(&error))?.into());
    *answer.status_mut() = StatusCode::CREATED;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(position) = done.headers().get(SEGUE_POSITION) {
        headers.insert(SEGUE_POSITION, position.clone());
    }
    Ok(answer)
}

/// An account that is erased while it signs in is answered like any other that is not there.
fn gone_is_wrong(problem: Problem) -> Problem {
    match problem.kind() {
        ProblemType::Unauthenticated => ProblemType::WrongCredentials.into(),
        _ => problem,
    }
}

/// Keeps the same password under today's parameters, after the answer was given.
async fn rehash(api: ApiState, found: Found, password: Zeroizing<String>) {
    let Found {
        account,
        password_hash: replaces,
    } = found;
    let Ok(password_hash) = api.passwords().rehash(&password).await else {
        return;
    };
    let replaces = replaces.as_str().to_owned();
    let command = AccountCommand::RehashPassword {
        replaces,
        password_hash,
        at: clock::now(),
    };
    let order = Order::<Account>::new(account_stream(account), command, eventing::Metadata::new());
    let done = api
        .carry_out(
            order.about(SubjectId(account.uuid())),
            None,
            StoredAnswer::empty(StatusCode::OK),
        )
        .await;
    if let Err(problem) = done {
        tracing::warn!(
            problem = problem.kind().slug(),
            "a password could not be hashed again; the next sign-in tries"
        );
    }
}

/// 204; also when the session is over, if it is the same wish again.
pub(crate) async fn sign_out(State(api): State<ApiState>, bearer: Bearer, request: WriteRequest) -> Answer {
    let session = AccountCommand::SignOut {
        session: bearer.0.hash(),
    };
    end(&api, bearer, request, session).await
}

/// 204; ends every session of the account.
pub(crate) async fn sign_out_everywhere(
    State(api): State<ApiState>,
    bearer: Bearer,
    request: WriteRequest,
) -> Answer {
    end(&api, bearer, request, AccountCommand::SignOutEverywhere).await
}

async fn end(
    api: &ApiState,
    Bearer(token): Bearer,
    request: WriteRequest,
    command: AccountCommand,
) -> Answer {
    let once = match api.begin(&request, Scope::Session(&token)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let session = api.admit(&token).await?;
    request.no_body()?;
    let order = Order::<Account>::new(
        account_stream(session.account),
        command,
        metadata_of(&request.headers),
    );
    api.carry_out(
        order.about(session.subject()),
        once,
        StoredAnswer::empty(StatusCode::NO_CONTENT),
    )
    .await
}

#[derive(Serialize)]
struct ListedSession {
    /// The first characters of the stored hash: enough to tell sessions apart, useless to anybody else.
    id: String,
    current: bool,
    signed_in_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// 200 with the live sessions, the newest first.
pub(crate) async fn list(State(api): State<ApiState>, session: Session, fresh: Freshness) -> Answer {
    let stream = account_stream(session.account);
    fresh.of_view(&api, ProjectionKind::Accounts, &stream).await?;
    let viewed = api
        .views()
        .account(session.account)
        .await
        .map_err(|error| view_problem(&error))?;
    let viewed = viewed.ok_or(ProblemType::Unauthenticated)?;
    let now = clock::now();
    let live = viewed
        .view
        .sessions
        .iter()
        .rev()
        .filter(|live| api.gate().is_live(live, now));
    let items: Vec<_> = live
        .map(|live| ListedSession {
            id: live.session.to_string()[..16].to_owned(),
            current: live.session == session.hash,
            signed_in_at: live.signed_in_at,
            last_used_at: api.gate().last_used(live),
            expires_at: live.expires_at,
        })
        .collect();
    Ok(fresh.tell(
        json_answer(&super::Items {
            items,
            next_cursor: None,
        }),
        viewed.reflects,
    ))
}
