//! `POST /v1/accounts`: registration. Nobody needs to be signed in; everybody begins as a listener.

use axum::extract::State;
use domain::{
    Account, AccountCommand, AccountId, Role,
    account::{InvalidUsername, Username},
};
use eventing::{ClaimChange, Order, SubjectId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    commands::{metadata_of, username_claim},
    idempotency::{Begun, Scope, StoredAnswer},
    passwords::{PasswordError, StrongPassword, WeakPassword},
    problem::{Answer, FieldError, Problem, ProblemType},
    random,
    request::WriteRequest,
    sessions::account_stream,
    state::ApiState,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    username: String,
    password: Zeroizing<String>,
}

#[derive(Serialize)]
struct Registered {
    id: AccountId,
    role: Role,
}

/// 201 with the account's id; 409 when the name is taken; 422 for a weak password or an invalid name.
pub(crate) async fn register(State(api): State<ApiState>, request: WriteRequest) -> Answer {
    let once = match api.begin(&request, Scope::Anonymous).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let Registration { username, password } = request.json()?;
    let username = Username::parse(&username).map_err(invalid_username)?;
    let password_hash = hash_new(&api, password, username.as_str()).await?;

    let account = AccountId::new(random::uuid()?);
    let claim = username_claim(api.keys(), &username);
    let command = AccountCommand::Register {
        account,
        username,
        password_hash,
        at: request.received_at,
    };
    let order = Order::<Account>::new(account_stream(account), command, metadata_of(&request.headers));
    let order = Order {
        creates_subject: true,
        claims: vec![ClaimChange::Take(claim)],
        ..order
    };
    let answer = StoredAnswer::json(
        StatusCode::CREATED,
        &Registered {
            id: account,
            role: Role::Listener,
        },
    );
    api.carry_out(
        order.about(SubjectId(account.uuid())),
        once,
        answer.header("location", "/v1/me"),
    )
    .await
}

/// Judges a new password and hashes it. Neither runs on an async thread.
pub(super) async fn hash_new(
    api: &ApiState,
    password: Zeroizing<String>,
    username: &str,
) -> Result<String, Problem> {
    let (policy, username) = (api.passwords().policy().clone(), username.to_owned());
    let judged = tokio::task::spawn_blocking(move || policy.judge(&password, &username)).await;
    let strong: StrongPassword = judged.map_err(|error| Problem::internal(&error))?.map_err(weak)?;
    api.passwords().hash(&strong).await.map_err(password_problem)
}

fn weak(reason: WeakPassword) -> Problem {
    Problem::new(ProblemType::WeakPassword).errors([FieldError::new("password", reason.to_string())])
}

fn invalid_username(reason: InvalidUsername) -> Problem {
    Problem::new(ProblemType::InvalidUsername).errors([FieldError::new("username", reason.to_string())])
}

/// The problem for a password that could be neither hashed nor checked.
pub(super) fn password_problem(error: PasswordError) -> Problem {
    match error {
        PasswordError::Overloaded => {
            Problem::new(ProblemType::Overloaded).retry_after(std::time::Duration::from_secs(1))
        }
        other => Problem::internal(&other),
    }
}
