//! Clients that only look: what they see never goes back, and a session that was ended lets nobody in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::client::{Client, Request, Session};
use parking_lot::Mutex;
use reqwest::Method;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::world::World;

const REST: Duration = Duration::from_millis(10);

/// Starts one of each kind.
///
/// # Errors
/// When the HTTP client cannot be built.
pub(crate) fn watch(
    world: &World,
    servers: &[SocketAddr],
    stop: &CancellationToken,
) -> Result<JoinSet<Result<()>>> {
    let clients = servers.iter().map(|server| Client::new(*server));
    let clients = clients.collect::<Result<Vec<_>>>()?;
    let mut tasks = JoinSet::new();
    for session in clients.iter().flat_map(|client| world.sessions(client)) {
        tasks.spawn(positions_only_grow(session, stop.clone()));
    }
    tasks.spawn(an_ended_session_stays_ended(
        clients,
        world.ended.clone(),
        stop.clone(),
    ));
    Ok(tasks)
}

/// Takes them back.
///
/// # Errors
/// When one of them saw what must not be.
pub(crate) async fn collect(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Either an answer reflects at least what the one before it did, or it is an honest "later".
async fn positions_only_grow(session: Session, stop: CancellationToken) -> Result<()> {
    let mut seen = 0;
    while !stop.is_cancelled() {
        match session.send(&Request::get("/v1/me/ratings?limit=1")).await {
            Ok(answer) if answer.status.as_u16() == 200 => {
                let reflects = answer.position.unwrap_or_default();
                ensure!(
                    reflects >= seen,
                    "a read reflects {reflects} after one that reflected {seen}"
                );
                seen = reflects;
            }
            Ok(answer) => ensure!(
                answer.status.as_u16() == 503,
                "a read was answered {}",
                answer.status
            ),
            // The process is gone; another one owes this client nothing but the truth.
            Err(_) => return Ok(()),
        }
        sleep(REST).await;
    }
    Ok(())
}

/// Sessions that were ended, and when: whatever happens later, they stay so.
pub(crate) type Ended = Arc<Mutex<Vec<(Instant, Session)>>>;

/// Who signs in and out. A sign-out that meets a fault leaves a session behind, and an account ends its oldest when it has 50:
/// with an account that others use, a long run would end theirs.
pub(crate) const VISITOR: &str = "the-visitor";

/// How many of them are asked of in turn.
const ENDED_MAX: usize = 20;
/// A process hears of another's appends within about 20 ms, and says so; on a machine full of other work it is later.
const HEARSAY: Duration = Duration::from_secs(2);

/// Signs in and out, and from the answer on the token is worth nothing: at once where it was ended, and elsewhere as soon as
/// that is heard.
async fn an_ended_session_stays_ended(
    clients: Vec<Client>,
    ended: Ended,
    stop: CancellationToken,
) -> Result<()> {
    while !stop.is_cancelled() {
        let fresh = end_one(&clients[0]).await;
        if let Some(session) = &fresh {
            stays_ended(session).await?;
        }
        let earlier = ended.lock().clone();
        for (at, session) in earlier {
            for client in clients.iter().filter(|_| at.elapsed() > HEARSAY) {
                stays_ended(&session.moved_to(client)).await?;
            }
        }
        keep(&ended, fresh);
        sleep(REST).await;
    }
    Ok(())
}

fn keep(ended: &Ended, fresh: Option<Session>) {
    let mut ended = ended.lock();
    ended.extend(fresh.map(|session| (Instant::now(), session)));
    while ended.len() > ENDED_MAX {
        // The oldest is kept: an old dump may know it.
        ended.remove(1);
    }
}

async fn end_one(client: &Client) -> Option<Session> {
    let session = client.sign_in(VISITOR).await.ok()?;
    let sign_out = Request::new(Method::DELETE, "/v1/sessions/current");
    let answer = session.send(&sign_out).await.ok()?;
    (answer.status.as_u16() == 204).then_some(session)
}

async fn stays_ended(session: &Session) -> Result<()> {
    if let Ok(answer) = session.send(&Request::get("/v1/me")).await {
        ensure!(
            matches!(answer.status.as_u16(), 401 | 503),
            "an ended session was answered {}",
            answer.status
        );
    }
    Ok(())
}
