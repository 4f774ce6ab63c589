//! Every process is replaced under load, and no request fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request, Session};
use bench::cluster::{Cluster, Role};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::MODELS;

const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_replaced_without_a_failed_request() -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), MODELS).await?;
    // A request may be on its way to a process that has just been told to stop, as behind every load balancer.
    cluster.set_env("SEGUE_DRAIN_DELAY_S", "1");
    cluster.program().furnish(300, 1).await?;
    cluster
        .run(&[Role::Rest, Role::Usermanagement, Role::Classifier])
        .await?;
    let (address, addresses) = watch::channel(cluster.rest()?.address());
    let client = Client::new(*addresses.borrow())?;
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let session = client.listener(&format!("listener-{number}")).await?;
        tasks.spawn(work(session, addresses.clone(), number, stop.clone()));
    }
    let replaced = replace_all(&mut cluster, &address).await;
    stop.cancel();
    let mut answered = 0;
    while let Some(done) = tasks.join_next().await {
        answered += done??;
    }
    replaced?;
    ensure!(answered > CLIENTS * 10, "only {answered} requests were answered");
    eprintln!("{answered} requests while five processes were replaced, none failed");
    cluster.stop().await
}

/// One after the other, and REST twice: the new one is ready before the old one is told to stop, as a rolling update does it.
async fn replace_all(cluster: &mut Cluster, address: &watch::Sender<SocketAddr>) -> Result<()> {
    for role in [
        Role::Rest,
        Role::Usermanagement,
        Role::Classifier,
        Role::Rest,
        Role::Classifier,
    ] {
        sleep(Duration::from_millis(300)).await;
        cluster.run(&[role]).await?;
        if role == Role::Rest {
            let fresh = cluster.of(role).last().context("no REST process")?.address();
            address.send_replace(fresh);
        }
        cluster.stop_first(role).await?;
    }
    sleep(Duration::from_millis(300)).await;
    Ok(())
}

/// Writes and reads what it wrote, on whichever process takes new requests; answers how many were answered.
async fn work(
    session: Session,
    addresses: watch::Receiver<SocketAddr>,
    number: usize,
    stop: CancellationToken,
) -> Result<usize> {
    let mut clients = std::collections::HashMap::new();
    let mut answered = 0;
    while !stop.is_cancelled() {
        let address = *addresses.borrow();
        let client = match clients.get(&address) {
            Some(client) => Arc::clone(client),
            None => {
                let client = Arc::new(Client::new(address)?);
                clients.insert(address, Arc::clone(&client));
                client
            }
        };
        let session = session.moved_to(&client);
        let rating = if answered / 2 % 2 == 0 { "like" } else { "dislike" };
        let request = Request::put(
            format!("/v1/me/ratings/demo-{:07}", number + 1),
            &json!({ "rating": rating }),
        );
        let rated = session
            .send(&request)
            .await
            .context("a rating failed")?
            .expect(204)?;
        let position = rated.position.context("no Segue-Position")?;
        let read = Request::get("/v1/me/ratings").at_least(position).waiting(30);
        session.send(&read).await.context("a read failed")?.expect(200)?;
        answered += 2;
    }
    Ok(answered)
}
