//! What is wrong or missing is said, with the setting and the remedy; what can be waited for is waited for.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::Client;
use bench::cluster::{Cluster, Role};
use bench::load::get_text;
use bench::server::{Program, Readiness};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use servers::{RabbitMq, Redis, RedisOptions};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::MODELS;

const PATIENCE: Duration = Duration::from_secs(60);
/// Nothing listens there.
const NOWHERE: &str = "1";

fn program(folder: &TempDir) -> Program {
    Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"))
}

/// Runs a role that must refuse to start, and hands back what it said.
async fn refusal(program: &Program, role: &str) -> Result<String> {
    let arguments = [role];
    let running = timeout(PATIENCE, program.run(&arguments, "")).await;
    let (status, _, said) = running.with_context(|| format!("{role} starts all the same"))??;
    ensure!(status.code() == Some(1), "{role} ended with {status}: {said}");
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_its_own_needs_a_broker() -> Result<()> {
    let folder = TempDir::with_prefix("segue-bad-")?;
    for role in ["rest", "usermanagement", "classifier"] {
        let said = refusal(&program(&folder), role).await?;
        ensure!(said.contains("RABBITMQ_HOST"), "{said}");
    }
    let without_password = program(&folder).with_env("RABBITMQ_HOST", "127.0.0.1");
    let said = refusal(&without_password, "rest").await?;
    ensure!(said.contains("RABBITMQ_PASSWORD"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lets_nobody_in_or_has_another_topology_is_named() -> Result<()> {
    let folder = TempDir::with_prefix("segue-bad-")?;
    let broker = RabbitMq::start().await?;
    let vhost = broker.new_vhost()?;
    let settings = program(&folder)
        .with_env("RABBITMQ_HOST", broker.host())
        .with_env("RABBITMQ_PORT", &broker.port().to_string())
        .with_env("RABBITMQ_USER", broker.user())
        .with_env("RABBITMQ_VHOST", &vhost);
    let wrong = settings.clone().with_env("RABBITMQ_PASSWORD", "wrong");
    for role in ["rest", "usermanagement", "classifier"] {
        let said = refusal(&wrong, role).await?;
        ensure!(
            said.contains("RABBITMQ_PASSWORD") && !said.contains("wrong"),
            "{said}"
        );
    }
    let right = settings.with_env("RABBITMQ_PASSWORD", broker.password());
    let elsewhere = right.clone().with_env("RABBITMQ_VHOST", "nowhere");
    let said = refusal(&elsewhere, "rest").await?;
    ensure!(
        said.contains("RABBITMQ_VHOST") || said.contains("nowhere"),
        "{said}"
    );
    declare_classic(&broker.url(&vhost), "classification").await?;
    for command in [&["rest"][..], &["topology", "apply"]] {
        let (status, _, said) = right.run(command, "").await?;
        ensure!(status.code() == Some(1), "{status}: {said}");
        ensure!(
            said.contains("classification") && said.contains("delete"),
            "{said}"
        );
    }
    Ok(())
}

/// A queue of a kind that is not ours.
async fn declare_classic(url: &str, queue: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .queue_declare(
            queue.into(),
            QueueDeclareOptions::durable(),
            FieldTable::default(),
        )
        .await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_server_that_is_away_or_lets_nobody_in_is_named() -> Result<()> {
    let folder = TempDir::with_prefix("segue-bad-")?;
    let away = program(&folder)
        .with_env("REDIS_HOST", "127.0.0.1")
        .with_env("REDIS_PORT", NOWHERE);
    let said = refusal(&away, "serve").await?;
    ensure!(said.contains("REDIS_HOST"), "{said}");
    let guarded = Redis::start(RedisOptions {
        password: Some("secret".to_owned()),
        ..RedisOptions::default()
    })
    .await?;
    let settings = program(&folder)
        .with_env("REDIS_HOST", "127.0.0.1")
        .with_env("REDIS_PORT", &guarded.port().to_string());
    for program in [settings.clone(), settings.with_env("REDIS_PASSWORD", "wrong")] {
        let said = refusal(&program, "serve").await?;
        ensure!(
            said.contains("REDIS_PASSWORD") && !said.contains("wrong"),
            "{said}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_waited_for_and_readiness_says_so() -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), MODELS).await?;
    cluster
        .run(&[Role::Rest, Role::Usermanagement, Role::Classifier])
        .await?;
    let address = |cluster: &mut Cluster, role| cluster.of(role).last().map(|server| server.address());
    cluster.rabbitmq.stop();
    // One that runs, and one that starts while the broker is away: both take commands.
    cluster.run(&[Role::Rest]).await?;
    for server in cluster.of(Role::Rest) {
        says(server.address(), "/readyz?verbose", "is away").await?;
        Client::new(server.address())?
            .register(&format!("listener-{}", server.address().port()))
            .await?;
    }
    for role in [Role::Usermanagement, Role::Classifier] {
        let address = address(&mut cluster, role).context("no such process")?;
        says(address, "/readyz", "\"field\":\"bus\"").await?;
        says(address, "/metrics", "segue_bus_connected{part=\"bus\"} 0").await?;
    }
    cluster.rabbitmq.restart().await?;
    cluster.all_ready().await?;
    for role in [Role::Rest, Role::Usermanagement, Role::Classifier] {
        let address = address(&mut cluster, role).context("no such process")?;
        says(address, "/metrics", "segue_bus_connected{part=\"bus\"} 1").await?;
    }
    cluster.stop().await
}

/// Waits until `path` answers with a text that holds `part`.
async fn says(address: SocketAddr, path: &str, part: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = get_text(address, path).await.unwrap_or_default();
        if said.contains(part) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{path} does not say {part}: {said}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A log line that cannot be written must not end the process: `println!` and its like panic then.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_log_lines_ends_nothing() -> Result<()> {
    let folder = TempDir::with_prefix("segue-bad-")?;
    let full = File::options().write(true).open("/dev/full")?;
    let mut server = program(&folder).start_into(Stdio::from(full.try_clone()?), Stdio::from(full))?;
    ensure!(
        matches!(server.ready(PATIENCE).await, Readiness::Ready),
        "it is not ready"
    );
    let alive = get_text(server.address(), "/livez").await?;
    ensure!(alive.contains("alive"), "{alive}");
    server.stop().await
}

#[cfg(feature = "production")]
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_is_told_and_stops_nothing() -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), MODELS).await?;
    if let Some(firestore) = &mut cluster.firestore {
        firestore.stop();
    }
    cluster
        .run(&[Role::Rest, Role::Usermanagement, Role::Classifier])
        .await?;
    let classifier = cluster.of(Role::Classifier).next().map(|server| server.address());
    let classifier = classifier.expect("it was started");
    says(
        classifier,
        "/metrics",
        "segue_model_registry_well{part=\"models\"} 0",
    )
    .await?;
    says(classifier, "/readyz?verbose", "FIRESTORE_EMULATOR_HOST").await?;
    cluster.stop().await
}

#[cfg(not(feature = "production"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_not_built_in_names_the_feature() -> Result<()> {
    let folder = TempDir::with_prefix("segue-bad-")?;
    let said = refusal(
        &program(&folder).with_env("FIRESTORE_PROJECT", "somewhere"),
        "serve",
    )
    .await?;
    ensure!(said.contains("production"), "{said}");
    Ok(())
}

#[cfg(not(feature = "production"))]
#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_traces_that_is_not_built_in_names_the_feature() -> Result<()> {
    let folder = TempDir::with_prefix("segue-bad-")?;
    let settings = program(&folder).with_env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let said = refusal(&settings, "serve").await?;
    ensure!(
        said.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && said.contains("production"),
        "{said}"
    );
    Ok(())
}
