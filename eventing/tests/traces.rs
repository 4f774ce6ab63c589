//! Which spans are made and what is told of them. One test, since a process tells its spans to one sink, once.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use eventing::traces::{Kind, Running, Sink, Span, TraceContext, TraceId, Value, are_told, tell_to};

const TOLD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SILENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Keeps what it is told, and wants a trace that begins here when `wants` says so.
#[derive(Clone, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<(Span, SystemTime)>>>,
    wants: Arc<Mutex<bool>>,
}

impl Sink for Kept {
    fn wants(&self, _: TraceId) -> bool {
        *self.wants.lock().expect("no panic")
    }

    fn take(&self, span: &Span, ended: SystemTime) {
        self.spans.lock().expect("no panic").push((span.clone(), ended));
    }
}

impl Kept {
    fn last(&self) -> (Span, SystemTime) {
        self.spans.lock().expect("no panic").pop().expect("a span")
    }
}

fn name() -> Cow<'static, str> {
    "work".into()
}

fn continuing(traceparent: &str) -> Option<Running> {
    Running::continuing(Some(traceparent), Kind::Internal, name)
}

#[test]
fn spans_are_made_for_traces_that_are_told_once_somebody_takes_them() {
    assert!(!are_told());
    assert!(continuing(TOLD).is_none());
    assert!(Running::begin(None, Kind::Server, name).is_none());

    let kept = Kept::default();
    tell_to(kept.clone()).expect("the first");
    assert!(tell_to(kept.clone()).is_err() && are_told());

    assert!(continuing(SILENT).is_none());
    assert!(continuing("nonsense").is_none());
    assert!(Running::continuing(None, Kind::Internal, name).is_none());
    let mut span = continuing(TOLD).expect("a span");
    span.say("segue.position", 7);
    span.fail("unavailable");
    let (context, parent) = (span.context(), TraceContext::parse(TOLD));
    drop(span);
    let (span, ended) = kept.last();
    assert_eq!((span.context, span.parent), (context, parent));
    assert_eq!(Some(context.trace()), parent.map(|parent| parent.trace()));
    assert_eq!((span.name.as_ref(), span.kind), ("work", Kind::Internal));
    assert!(span.has_failed && span.begun <= ended);
    let said = [
        ("segue.position", Value::from(7)),
        ("error.type", Value::from("unavailable")),
    ];
    assert_eq!(span.attributes, said);

    assert!(
        Running::begin(None, Kind::Server, name).is_none(),
        "nobody wants it"
    );
    *kept.wants.lock().expect("no panic") = true;
    let first = Running::begin(None, Kind::Server, name).expect("a span");
    let earlier = SystemTime::UNIX_EPOCH;
    let context = first.context();
    drop(first.since(earlier));
    let (span, _) = kept.last();
    assert_eq!((span.context, span.parent, span.begun), (context, None, earlier));
    assert!(context.is_sampled());
    assert!(continuing(SILENT).is_none(), "what its caller says counts");
    assert!(kept.spans.lock().expect("no panic").is_empty());
}
