//! Tools that read the history are recorded as auditors are.

use command_api::record_read;
use domain::{AccessCall, Asked, HistoryRead};
use eventing::{EventLog, Metadata, Position};

use crate::stack::Stack;

/// Records that the command line made `call` and asked for `asked`, durably, and answers the record's position. A tool calls
/// this before it prints anything of the history, and prints nothing when it fails:
///
/// ```text
/// access::record(&stack, AccessCall::PlaylistExplain, Asked::stream(name)).await?;
/// ```
pub(crate) async fn record(stack: &Stack, call: AccessCall, asked: Asked) -> anyhow::Result<Position> {
    record_in(&stack.log, call, asked).await
}

/// The same for a tool that opens nothing but the log.
pub(crate) async fn record_in(log: &EventLog, call: AccessCall, asked: Asked) -> anyhow::Result<Position> {
    let read = HistoryRead::by_command_line(call, asked);
    let recorded = record_read(log, &read, Metadata::new()).await;
    recorded.map_err(|error| {
        anyhow::Error::new(error).context("this read cannot be recorded, so it is not answered")
    })
}
