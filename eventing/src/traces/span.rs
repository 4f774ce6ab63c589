//! One span: while it runs, and as it is told.

use std::borrow::Cow;
use std::time::SystemTime;

use super::{Sink, TraceContext, TraceId, sink};

/// What a span is to those around it, in OpenTelemetry's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers a request from outside.
    Server,
    /// It hands a message on.
    Producer,
    /// It handles what was handed on.
    Consumer,
    /// It is work inside.
    Internal,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Number(u64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// A span, but for its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its place in its trace.
    pub context: TraceContext,
    /// The place that it continues, if the trace does not begin with it.
    pub parent: Option<TraceContext>,
    /// What is done, with few different texts: no id, no name.
    pub name: Cow<'static, str>,
    /// What it is to those around it.
    pub kind: Kind,
    /// When it began.
    pub begun: SystemTime,
    /// What else is known. No personal data: spans leave the house, and are not forgotten with a person.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether it came to a bad end.
    pub has_failed: bool,
}

/// A span that runs, of a trace that is told. It ends, and is told, when it is dropped: so what is given up half way is told too.
pub struct Running {
    span: Span,
    sink: &'static dyn Sink,
}

impl Running {
    /// Begins a span that continues `parent`; without one, the first of a new trace. `None` when the trace is not told.
    #[must_use]
    pub fn begin(
        parent: Option<TraceContext>,
        kind: Kind,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Option<Self> {
        let sink = sink()?;
        let context = match &parent {
            Some(parent) => parent.is_sampled().then(|| parent.child())?,
            None => first(sink)?,
        };
        let span = Span {
            context,
            parent,
            name: name(),
            kind,
            begun: SystemTime::now(),
            attributes: Vec::new(),
            has_failed: false,
        };
        Some(Self { span, sink })
    }

    /// Begins a span that continues the trace of a record. `None` when the record has none, or it is not told.
    #[must_use]
    pub fn continuing(
        traceparent: Option<&str>,
        kind: Kind,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Option<Self> {
        sink()?;
        let parent = TraceContext::parse(traceparent?)?;
        Self::begin(Some(parent), kind, name)
    }

    /// The same, begun earlier.
    #[must_use]
    pub fn since(mut self, begun: SystemTime) -> Self {
        self.span.begun = begun;
        self
    }

    /// Its place in its trace.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        self.span.context
    }

    /// Notes something about it; no personal data.
    pub fn say(&mut self, name: &'static str, value: impl Into<Value>) {
        self.span.attributes.push((name, value.into()));
    }

    /// Notes that it comes to a bad end, of the kind `error`.
    pub fn fail(&mut self, error: impl Into<Value>) {
        self.span.has_failed = true;
        self.say("error.type", error);
    }
}

/// The first place of a trace that begins here, if that is told.
fn first(sink: &dyn Sink) -> Option<TraceContext> {
    let trace = TraceId::random();
    sink.wants(trace).then(|| TraceContext::begin(trace))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.sink.take(&self.span, SystemTime::now());
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.span.fmt(f)
    }
}
