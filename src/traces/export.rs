//! Spans on their way to a collector, by OTLP over HTTP.
//!
//! Whoever ends a span puts it into a bounded queue and goes on. One task sends what has gathered. What finds the queue full, or
//! is not taken, is given up and counted: a collector that is away costs nobody time or memory.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use eventing::traces::{self, Kind, Sink, Span, TraceContext, TraceId, Value};
use opentelemetry::trace::{self as otel, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, ShouldSample, SpanData, SpanEvents, SpanExporter as _, SpanLinks,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Collector;
use super::measures::MEASURES;

/// Spans that wait to be sent: some megabytes.
const QUEUE_MAX: usize = 8_192;
/// Spans in one request to the collector.
const BATCH_MAX: usize = 512;
/// How long spans gather before they are sent.
const GATHER: Duration = Duration::from_millis(500);
/// How long the collector may take to answer, repetitions included.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the last spans may take at the end of the process.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// The task that sends, running.
#[derive(Debug)]
pub(crate) struct Exporting {
    task: JoinHandle<()>,
    stopping: CancellationToken,
}

impl Exporting {
    /// Sends what is left, within a bound.
    pub(crate) async fn stop(self) {
        self.stopping.cancel();
        if timeout(LEAVE_WITHIN, self.task).await.is_err() {
            tracing::warn!("the last spans could not be sent to the collector");
        }
    }
}

/// Tells the spans of this process to `collector` from now on.
pub(super) fn start(collector: Collector) -> anyhow::Result<Exporting> {
    let (queue, waiting) = mpsc::channel(QUEUE_MAX);
    let sending = Sending {
        exporter: exporter(&collector)?,
        waiting,
        is_well: true,
    };
    traces::tell_to(Queue {
        queue,
        sampler: Sampler::TraceIdRatioBased(collector.ratio),
        scope: InstrumentationScope::builder("segue")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build(),
    })?;
    let stopping = CancellationToken::new();
    let task = tokio::spawn(sending.run(stopping.clone()));
    tracing::info!(
        url = collector.url,
        ratio = collector.ratio,
        "spans are told to a collector"
    );
    Ok(Exporting { task, stopping })
}

fn exporter(collector: &Collector) -> anyhow::Result<SpanExporter> {
    let client = client(&collector.url).context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&collector.url)
        .with_timeout(ANSWER_WITHIN)
        .with_headers(collector.headers.0.clone())
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?;
    let instance = uuid::Uuid::now_v7().to_string();
    let resource = Resource::builder_empty()
        .with_service_name(collector.service.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// The certificates of the system are looked for only where they are needed: the image has none.
fn client(url: &str) -> reqwest::Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .timeout(ANSWER_WITHIN)
        .redirect(reqwest::redirect::Policy::none());
    match url.starts_with("https") {
        true => client.build(),
        false => client.tls_certs_only([]).build(),
    }
}

/// The way into the queue, for everybody.
struct Queue {
    queue: mpsc::Sender<SpanData>,
    sampler: Sampler,
    scope: InstrumentationScope,
}

impl Sink for Queue {
    fn wants(&self, trace: TraceId) -> bool {
        let id = otel::TraceId::from_bytes(trace.0);
        let sampled = self
            .sampler
            .should_sample(None, id, "", &SpanKind::Server, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }

    fn take(&self, span: &Span, ended: SystemTime) {
        if self.queue.try_send(data(span, ended, &self.scope)).is_err() {
            MEASURES.dropped.inc();
        }
    }
}

fn data(span: &Span, ended: SystemTime, scope: &InstrumentationScope) -> SpanData {
    let parent = span.parent.map_or(otel::SpanId::INVALID, |parent| {
        otel::SpanId::from_bytes(parent.span())
    });
    SpanData {
        span_context: context(span.context),
        parent_span_id: parent,
        // From another process, or by way of the log.
        parent_span_is_remote: span.parent.is_some(),
        span_kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Internal => SpanKind::Internal,
        },
        name: span.name.clone(),
        start_time: span.begun,
        // The clock may have been put back meanwhile.
        end_time: ended.max(span.begun),
        attributes: span.attributes.iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: match span.has_failed {
            true => Status::error(""),
            false => Status::Unset,
        },
        instrumentation_scope: scope.clone(),
    }
}

fn context(context: TraceContext) -> SpanContext {
    SpanContext::new(
        otel::TraceId::from_bytes(context.trace().0),
        otel::SpanId::from_bytes(context.span()),
        TraceFlags::new(context.flags()),
        false,
        TraceState::NONE,
    )
}

fn attribute((name, value): &(&'static str, Value)) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(*name, text.clone()),
        Value::Number(number) => KeyValue::new(*name, i64::try_from(*number).unwrap_or(i64::MAX)),
    }
}

/// What sends.
struct Sending {
    exporter: SpanExporter,
    waiting: mpsc::Receiver<SpanData>,
    /// Whether the collector took what it was sent last.
    is_well: bool,
}

impl Sending {
    /// Sends until `stopping`, and then what is left.
    async fn run(mut self, stopping: CancellationToken) {
        while let Some(Some(first)) = stopping.run_until_cancelled(self.waiting.recv()).await {
            let mut batch = vec![first];
            let gathering = timeout(GATHER, gather(&mut self.waiting, &mut batch));
            // Whichever ends it, what has gathered is sent.
            let _ = stopping.run_until_cancelled(gathering).await;
            self.send(batch).await;
        }
        self.waiting.close();
        let mut batch = Vec::new();
        while self.waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.send(std::mem::take(&mut batch)).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        match self.exporter.export(batch).await {
            Ok(()) => {
                MEASURES.sent.inc_by(spans);
                self.went_well();
            }
            Err(error) => {
                MEASURES.dropped.inc_by(spans);
                self.failed(&error);
            }
        }
    }

    fn went_well(&mut self) {
        if !std::mem::replace(&mut self.is_well, true) {
            tracing::info!("the collector takes spans again");
        }
    }

    /// Once for each time that the collector goes away.
    fn failed(&mut self, error: &OTelSdkError) {
        if std::mem::replace(&mut self.is_well, false) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the collector does not take spans; they are given up"
            );
        }
    }
}

/// Adds what comes, until the batch is full. Cancel-safe: what was taken is in the batch.
async fn gather(waiting: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    while batch.len() < BATCH_MAX {
        match waiting.recv().await {
            Some(span) => batch.push(span),
            None => return,
        }
    }
}
