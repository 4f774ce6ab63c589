//! One request is one trace, from HTTP by the log and the broker to the workers and back to the log.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request};
use bench::cluster::{Cluster, Models, Role};
use bench::metrics::{Gauges, until};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;

use crate::LIMIT;
use crate::collector::{Collector, Told};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const OTHER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_is_one_trace_through_every_process() -> Result<()> {
    let collector = Collector::start().await?;
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), Models::Files).await?;
    cluster.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url());
    cluster.set_env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=the%20house");
    // What begins here is not told: only the caller's trace is.
    cluster.set_env("OTEL_TRACES_SAMPLER_ARG", "0");
    cluster.set_env("SEGUE_LOG_FORMAT", "json");
    cluster.program().furnish(300, 1).await?;
    cluster.run(&Role::ALL).await?;
    let client = Client::new(cluster.rest()?.address())?;
    let session = client.listener("somebody").await?;

    let asking = Request::post("/v1/playlists", &json!({"limit": 5}));
    let silent = session
        .send(&asking.clone().in_trace(traceparent(OTHER_TRACE, "00")))
        .await?
        .expect(202)?;
    let asked = session
        .send(&asking.clone().in_trace(traceparent(TRACE, "01")))
        .await?
        .expect(202)?;
    for answer in [silent, asked] {
        let path = answer.location.context("no Location")?;
        session.ready_playlist(&path, LIMIT).await?;
    }

    all_published(&mut cluster).await?;

    cluster.postgres.stop();
    let refused = session.send(&asking.in_trace(traceparent(TRACE, "01"))).await?;
    ensure!(refused.status.is_server_error(), "{refused:?}");
    let lines = cluster.rest()?.output();
    let is_of_the_trace = |line: &&str| line.contains(TRACE) && line.contains("\"level\":\"ERROR\"");
    ensure!(lines.lines().any(|line| is_of_the_trace(&line)), "{lines}");
    cluster.postgres.restart().await?;
    cluster.all_ready().await?;
    cluster.stop().await?;

    let spans = collector.spans();
    ensure!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    ensure!(collector.tenants().iter().all(|tenant| tenant == "the house"));
    let (failed, spans): (Vec<_>, Vec<_>) = spans.into_iter().partition(|span| span.has_failed);
    is_the_whole_way(&spans)?;
    ensure!(
        failed
            .iter()
            .any(|span| span.name == "POST /v1/playlists" && span.parent == CALLER),
        "{failed:#?}"
    );
    Ok(())
}

/// Waits until the broker has what the classifier appended last: it hears of that itself before it is published.
async fn all_published(cluster: &mut Cluster) -> Result<()> {
    let classifier = cluster.of(Role::Classifier).next().context("no classifier")?;
    let head = Gauges::of(classifier.address())
        .await?
        .get("log_head_position", "log")?;
    let rest = cluster.rest()?.address();
    let is_published = |gauges: &Gauges| Ok(gauges.get("relay_published_position", "relay")? >= head);
    until(rest, LIMIT, is_published).await.map(drop)
}

fn traceparent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{CALLER}-{flags}")
}

/// A relay that begins anew, as after the database was away, publishes again what came since it last noted how far it was.
fn published_once(spans: &[Told]) -> Vec<&Told> {
    let mut told = BTreeSet::new();
    let mut once = Vec::new();
    for span in spans {
        if span.kind != SpanKind::Producer || told.insert(span.name.as_str()) {
            once.push(span);
        }
    }
    once
}

fn is_the_whole_way(spans: &[Told]) -> Result<()> {
    let spans = published_once(spans);
    let found = |name: &str| {
        let mut found = spans.iter().filter(|span| span.name == name);
        match (found.next(), found.next()) {
            (Some(span), None) => Ok(*span),
            _ => Err(anyhow::anyhow!("not one span {name:?} in {spans:#?}")),
        }
    };
    let (rest, classifier) = ("segue-rest", "segue-classifier");
    let request = found("POST /v1/playlists")?;
    let requested = found("append playlist.requested")?;
    let generating = found("generate playlist")?;
    let generated = found("append playlist.generated")?;
    let expected = [
        (request, rest, SpanKind::Server, CALLER),
        (requested, rest, SpanKind::Internal, &request.id),
        (
            found("publish playlist.requested")?,
            rest,
            SpanKind::Producer,
            &requested.id,
        ),
        (
            found("process playlist.requested")?,
            classifier,
            SpanKind::Consumer,
            &requested.id,
        ),
        (generating, classifier, SpanKind::Internal, &requested.id),
        (generated, classifier, SpanKind::Internal, &generating.id),
        (
            found("publish playlist.generated")?,
            rest,
            SpanKind::Producer,
            &generated.id,
        ),
        (
            found("process playlist.generated")?,
            classifier,
            SpanKind::Consumer,
            &generated.id,
        ),
    ];
    ensure!(spans.len() == expected.len(), "there are others: {spans:#?}");
    for (span, service, kind, parent) in expected {
        ensure!(
            (span.service.as_str(), span.kind, span.parent.as_str()) == (service, kind, parent),
            "{service} {kind:?} below {parent} is {span:#?}"
        );
    }
    ensure!(
        request.attributes["http.response.status_code"] == "202",
        "{request:?}"
    );
    ensure!(request.attributes["http.route"] == "/v1/playlists", "{request:?}");
    ensure!(generating.took_ns > 0, "{generating:?}");
    let published = found("publish playlist.requested")?;
    ensure!(
        published.attributes["messaging.system"] == "rabbitmq",
        "{published:?}"
    );
    let positions = [requested, published, found("process playlist.requested")?];
    let positions = positions.map(|span| &span.attributes["segue.position"]);
    ensure!(
        positions[0] == positions[1] && positions[1] == positions[2],
        "{positions:?}"
    );
    Ok(())
}
