//! `/v1/me`: the account that is signed in.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{Account, AccountCommand, AccountId, Role, account::Username};
use eventing::Order;
use http::StatusCode;
use projectors::ProjectionKind;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    accounts::{hash_new, password_problem},
    json_answer,
    sessions::{attempt, throttle_key},
};
use crate::{
    auth::{Bearer, Session},
    commands::metadata_of,
    erasure,
    freshness::{Freshness, view_problem},
    idempotency::{Begun, Once, Scope, StoredAnswer},
    passwords::Verified,
    prefer::SEGUE_POSITION,
    problem::{Answer, Problem, ProblemType},
    request::WriteRequest,
    sessions::account_stream,
    state::ApiState,
    throttle::account_key,
};

/// An account, as its owner sees it.
#[derive(Serialize)]
pub(super) struct Me {
    pub(super) id: AccountId,
    pub(super) username: String,
    pub(super) role: Role,
    pub(super) registered_at: DateTime<Utc>,
}

/// 200 with the account.
pub(crate) async fn show(State(api): State<ApiState>, session: Session, fresh: Freshness) -> Answer {
    let stream = account_stream(session.account);
    fresh.of_view(&api, ProjectionKind::Accounts, &stream).await?;
    let (me, reflects) = me(&api, &session).await?;
    Ok(fresh.tell(json_answer(&me), reflects))
}

/// The view has no name, so that comes from the account itself.
pub(super) async fn me(api: &ApiState, session: &Session) -> Result<(Me, eventing::Position), Problem> {
    let viewed = api
        .views()
        .account(session.account)
        .await
        .map_err(|error| view_problem(&error))?;
    let viewed = viewed.ok_or(ProblemType::Unauthenticated)?;
    let stream = account_stream(session.account);
    let account = match api.executor().held::<Account>(&stream, viewed.version) {
        Some(held) if held.aggregate.is_open() => held,
        _ => api.account(session.account).await?,
    };
    let username = account.aggregate.username().to_owned();
    let registered_at = viewed.view.registered_at;
    Ok((
        Me {
            id: session.account,
            username,
            role: viewed.view.role,
            registered_at,
        },
        viewed.reflects,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    current_password: Zeroizing<String>,
    new_password: Zeroizing<String>,
}

/// 204: the password is another one, and every session but this one has ended. 403 when the current one is wrong.
pub(crate) async fn change_password(
    State(api): State<ApiState>,
    session: Session,
    request: WriteRequest,
) -> Answer {
    let once = match api.begin(&request, Scope::Account(session.account)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let PasswordChange {
        current_password,
        new_password,
    } = request.json()?;
    let account = api.account(session.account).await?.aggregate;
    check_password(&api, &request, &account, &current_password).await?;
    let password_hash = hash_new(&api, new_password, account.username()).await?;
    let keep = Some(session.hash);
    let command = AccountCommand::ChangePassword {
        password_hash,
        at: request.received_at,
        keep,
    };
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

/// A stolen session must not become a stolen account: guesses are counted like those at the door.
async fn check_password(
    api: &ApiState,
    request: &WriteRequest,
    account: &Account,
    password: &str,
) -> Result<(), Problem> {
    let username = Username::parse(account.username()).map_err(|error| Problem::internal(&error))?;
    let key = throttle_key(api, Ok(&username));
    attempt(api, key, request.address).await?;
    match api
        .passwords()
        .verify(password, Some(account.password_hash()))
        .await
    {
        Ok(Verified::Right { .. }) => {
            api.throttle().succeeded(key, request.address).await;
            Ok(())
        }
        Ok(Verified::Wrong) => Err(ProblemType::WrongPassword.into()),
        Err(error) => {
            api.throttle().undone(key, request.address).await;
            Err(password_problem(error))
        }
    }
}

/// 204: the person is forgotten, as [`erasure`] says. 503 when that is only begun: the same request with the same
/// `Idempotency-Key` goes on, and so does the next start.
pub(crate) async fn erase(
    State(api): State<ApiState>,
    Bearer(token): Bearer,
    request: WriteRequest,
) -> Answer {
    let once = match api.begin(&request, Scope::Session(&token)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => {
            let cleared = erasure::clear_recorded(api.executor(), position_of(&answer)).await;
            cleared.map_err(|error| Problem::unavailable(&error))?;
            return Ok(answer);
        }
    };
    let session = api.admit(&token).await?;
    request.no_body()?;
    // A caller who goes away must not leave the two steps apart.
    let erased = tokio::spawn(forget(api, session, request, once)).await;
    erased.map_err(|error| Problem::internal(&error))?
}

fn position_of(answer: &axum::response::Response) -> eventing::Position {
    let header = answer.headers().get(SEGUE_POSITION);
    let position = header.and_then(|position| position.to_str().ok()?.parse().ok());
    eventing::Position(position.unwrap_or(0))
}

async fn forget(api: ApiState, session: Session, request: WriteRequest, once: Option<Once>) -> Answer {
    let account = api.account(session.account).await?.aggregate;
    let metadata = metadata_of(&request.headers);
    let order = erasure::order(
        api.executor(),
        session.account,
        &account,
        request.received_at,
        metadata,
    );
    let order = order.map_err(|error| Problem::internal(&error))?;
    let once = once.map(Once::outliving_the_person);
    let username = Username::parse(account.username()).map_err(|error| Problem::internal(&error))?;
    let answer = api
        .carry_out(order, once, StoredAnswer::empty(StatusCode::NO_CONTENT))
        .await?;
    // By now memory may have lost the name that attempts are counted under.
    api.throttle().forget(account_key(api.keys(), &username));
    api.memory().forget(session.account);
    erasure::clear(api.executor(), session.account)
        .await
        .map_err(|error| Problem::unavailable(&error))?;
    Ok(answer)
}
