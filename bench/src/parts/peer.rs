//! The peer service: cqrs-es on the same PostgreSQL server, with axum in front (`bench/peers/cqrs-es-postgres`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use hyper::Method;
use servers::Postgres;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::REQUESTS_MAX;
use super::commands::LISTENERS;
use crate::load::{self, Bounds, Loaded, Shot, get_status};
use crate::server::free_address;

const NAME: &str = "cqrs-es-postgres";
/// Names a binary that is built already.
const BINARY: &str = "SEGUE_PEER_BINARY";
const START_LIMIT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(20);

/// The running peer. Killed when dropped.
#[derive(Debug)]
pub struct Peer {
    _child: Child,
    address: SocketAddr,
}

impl Peer {
    /// Builds it where that is needed, and starts it on a new database.
    ///
    /// # Errors
    /// When it cannot be built, or does not come up.
    #[expect(
        clippy::print_stdout,
        reason = "the target is printed before anything is sent to it"
    )]
    pub async fn start(database: &Postgres) -> Result<Self> {
        let binary = binary().await?;
        let address = free_address()?;
        let mut child = Command::new(&binary)
            .args(["--listen", &address.to_string()])
            .env("DATABASE_URL", database.new_database()?)
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        until_it_answers(&mut child, address).await?;
        println!("target: http://{address} ({NAME})");
        Ok(Self {
            _child: child,
            address,
        })
    }

    /// Ratings by as many listeners as Segue's load has, spread over the connections in the same way. The listeners are new
    /// in each measurement: a command reads all events of its listener.
    ///
    /// # Errors
    /// At the first unexpected answer.
    pub async fn ratings(&self, connections: usize, duration: Duration) -> Result<Loaded> {
        let bounds = Bounds {
            connections,
            duration,
            requests_max: REQUESTS_MAX,
        };
        let measurement = uuid::Uuid::now_v7();
        load::run(self.address, bounds, move |connection, n| {
            let turn = connection + n * connections;
            Shot {
                method: Method::PUT,
                path: format!(
                    "/listeners/{measurement}-{}/ratings/track-{}",
                    turn % LISTENERS,
                    turn / LISTENERS
                ),
                token: None,
                headers: Vec::new(),
                body: Some(Bytes::from_static(br#"{"rating":"like"}"#)),
                expected: 204,
            }
        })
        .await
    }
}

async fn until_it_answers(child: &mut Child, address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            let status = get_status(stream, "/listeners/nobody").await?;
            ensure!(
                status == 404,
                "{NAME} knows a listener on a new database: {status}"
            );
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("{NAME} ended with {status}");
        }
        ensure!(Instant::now() < deadline, "{NAME} does not listen at {address}");
        sleep(READY_POLL).await;
    }
}

/// What `SEGUE_PEER_BINARY` names, or the one of this repository, built first.
#[expect(clippy::print_stdout, reason = "a build takes minutes, and says nothing here")]
async fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(BINARY) {
        return Ok(path.into());
    }
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/cqrs-es-postgres"));
    println!("building {NAME}, which takes some minutes at first; {BINARY} names one that is built");
    let built = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(folder.join("target"))
        .status()
        .await
        .context("cannot run cargo")?;
    ensure!(built.success(), "{NAME} was not built: {built}");
    Ok(folder.join("target/release").join(NAME))
}
