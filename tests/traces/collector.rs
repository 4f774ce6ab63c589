//! A collector: takes spans by OTLP over HTTP and keeps them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode as SpanStatus};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One span, as it was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    /// The ids, as hexadecimal digits.
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) has_failed: bool,
    pub(crate) took_ns: u64,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// Everything that came.
#[derive(Debug, Default)]
struct Taken {
    bodies: Vec<Bytes>,
    spans: Vec<Told>,
    headers: Vec<String>,
}

/// A collector that listens until it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    _listening: DropGuard,
}

impl Collector {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let taken = Arc::new(Mutex::new(Taken::default()));
        let (keeping, ending) = (Arc::clone(&taken), CancellationToken::new());
        let listening = ending.clone();
        tokio::spawn(async move {
            while let Some(Ok((stream, _))) = listening.run_until_cancelled(listener.accept()).await {
                tokio::spawn(serve(stream, Arc::clone(&keeping)));
            }
        });
        Ok(Self {
            address,
            taken,
            _listening: ending.drop_guard(),
        })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn spans(&self) -> Vec<Told> {
        self.taken.lock().spans.clone()
    }

    /// The bytes of every request, for whoever looks for something in them.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.taken.lock().bodies.clone()
    }

    /// The value of the header `x-tenant` of each request.
    pub(crate) fn tenants(&self) -> Vec<String> {
        self.taken.lock().headers.clone()
    }
}

async fn serve(stream: TcpStream, taken: Arc<Mutex<Taken>>) {
    let answering = service_fn(|request| answer(request, Arc::clone(&taken)));
    let connection = hyper::server::conn::http1::Builder::new();
    // A client that goes away is none of the collector's business.
    let _ = connection.serve_connection(TokioIo::new(stream), answering).await;
}

async fn answer(request: Request<Incoming>, taken: Arc<Mutex<Taken>>) -> Result<Response<Empty<Bytes>>> {
    let status = match take(request, &taken).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            eprintln!("the collector refuses: {error:#}");
            StatusCode::BAD_REQUEST
        }
    };
    Ok(Response::builder().status(status).body(Empty::new())?)
}

async fn take(request: Request<Incoming>, taken: &Mutex<Taken>) -> Result<()> {
    ensure!(
        request.method() == "POST" && request.uri().path() == "/v1/traces",
        "{request:?}"
    );
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    ensure!(
        header(CONTENT_TYPE.as_str()) == Some("application/x-protobuf"),
        "{request:?}"
    );
    let tenant = header("x-tenant").map(str::to_owned);
    let body = request.into_body().collect().await?.to_bytes();
    let spans = read(&body)?;
    let mut taken = taken.lock();
    taken.headers.extend(tenant);
    taken.spans.extend(spans);
    taken.bodies.push(body);
    Ok(())
}

fn read(body: &Bytes) -> Result<Vec<Told>> {
    let request = ExportTraceServiceRequest::decode(body.clone())?;
    let mut told = Vec::new();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.context("no resource")?;
        let resource = texts(resource.attributes);
        let service = resource.get("service.name").context("no service.name")?;
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            told.push(Told::new(service, span));
        }
    }
    Ok(told)
}

impl Told {
    fn new(service: &str, span: Span) -> Self {
        let status = span
            .status
            .as_ref()
            .map_or(SpanStatus::Unset, |status| status.code());
        Self {
            service: service.to_owned(),
            kind: span.kind(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            has_failed: status == SpanStatus::Error,
            took_ns: span.end_time_unix_nano - span.start_time_unix_nano,
            name: span.name,
            attributes: texts(span.attributes),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |attribute: KeyValue| match attribute.value?.value? {
        Value::StringValue(text) => Some((attribute.key, text)),
        Value::IntValue(number) => Some((attribute.key, number.to_string())),
        _ => None,
    };
    attributes.into_iter().filter_map(text).collect()
}
