//! What becomes of the spans of this process.

use std::sync::LazyLock;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// One for the process, as its spans go one way.
pub(super) static MEASURES: LazyLock<SpanMeasures> = LazyLock::new(SpanMeasures::default);

#[derive(Debug, Default)]
pub(super) struct SpanMeasures {
    pub(super) sent: Counter,
    pub(super) dropped: Counter,
}

/// Makes `registry` tell these: `spans_sent_total` and `spans_dropped_total`.
pub(crate) fn register(registry: &mut Registry) {
    registry.register(
        "spans_sent",
        "Spans that the collector took",
        MEASURES.sent.clone(),
    );
    registry.register(
        "spans_dropped",
        "Spans that were given up, since the collector did not take them in time",
        MEASURES.dropped.clone(),
    );
}
