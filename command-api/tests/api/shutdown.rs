//! Listening on a real socket, and stopping in three steps.

use std::time::Duration;

use command_api::{ApiConfig, serve};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::common::{App, config};

/// Sends one request on a connection of its own and gives the whole answer.
async fn exchange(address: std::net::SocketAddr, request: String) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn get(path: &str, extra: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{extra}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_request_is_finished_and_nothing_new_is_accepted() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let id = app
        .call("POST /v1/playlists")
        .by(&ada.token)
        .json(json!({}))
        .send()
        .await
        .expect(202)
        .json()["id"]
        .clone();
    app.settle().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, app.api.clone(), async move {
        let _ = stopped.await;
    }));
    let alive = exchange(address, get("/livez", "")).await.unwrap();
    assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    let wait = format!("authorization: Bearer {}\r\nprefer: wait=2\r\n", ada.token);
    let path = format!("/v1/playlists/{}", id.as_str().unwrap());
    let running = tokio::spawn(exchange(address, get(&path, &wait)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(app.api.is_draining());
    assert!(
        exchange(address, get("/livez", "")).await.is_err(),
        "a new connection was served"
    );
    let answer = running.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_does_not_wait_for_ever() {
    let app = App::with_config(ApiConfig {
        drain_timeout: Duration::from_millis(300),
        ..config()
    })
    .await;
    let ada = app.listener("ada").await;
    let id = app
        .call("POST /v1/playlists")
        .by(&ada.token)
        .json(json!({}))
        .send()
        .await
        .expect(202)
        .json()["id"]
        .clone();
    app.settle().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, app.api.clone(), async move {
        let _ = stopped.await;
    }));
    let wait = format!("authorization: Bearer {}\r\nprefer: wait=30\r\n", ada.token);
    let path = format!("/v1/playlists/{}", id.as_str().unwrap());
    let _running = tokio::spawn(exchange(address, get(&path, &wait)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server)
        .await
        .expect("it did not stop")
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_no_while_connections_are_still_taken() {
    let app = App::with_config(ApiConfig {
        drain_delay: Duration::from_secs(3),
        ..config()
    })
    .await;
    app.settle().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, app.api.clone(), async move {
        let _ = stopped.await;
    }));
    stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ready = exchange(address, get("/readyz", "")).await.unwrap();
    assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_do_not_hold_up_the_stop() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, app.api.clone(), async move {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /v1/me/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        ada.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    while !told.contains("retry: 1000") {
        let mut part = [0; 1024];
        let length = stream.read(&mut part).await.unwrap();
        assert!(length > 0, "it ended after {told:?}");
        told.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    stop.send(()).unwrap();
    // Well below the time that running requests are given.
    let ended = tokio::time::timeout(Duration::from_secs(10), server).await;
    ended.expect("the stream held the server up").unwrap().unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "a whole answer: {rest:?}");
}
