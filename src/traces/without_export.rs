//! What stands in the place of the export in a program that was built without it.

use super::Collector;

/// There is none.
#[derive(Debug)]
pub(crate) enum Exporting {}

impl Exporting {
    pub(crate) async fn stop(self) {
        match self {}
    }
}

pub(super) fn start(collector: Collector) -> anyhow::Result<Exporting> {
    anyhow::bail!(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set ({}), and this program was built without the export of traces: build it with `--features production`",
        collector.url
    )
}
