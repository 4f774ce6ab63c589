//! Every record of a kind, page after page.

use eventing::{EventFilter, EventLog, LogError, Position, RecordedEvent};

/// Records read from the log at a time.
const PAGE: usize = 1_000;

/// Hands every record that `filter` lets through, up to and including `until`, to `each`, in order. The filter's own limit
/// does not count.
///
/// # Errors
/// What `each` answers, or that the log could not be read.
pub async fn each_filtered<E: From<LogError>>(
    log: &EventLog,
    filter: EventFilter,
    until: Position,
    mut each: impl FnMut(&RecordedEvent) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = filter.after;
    loop {
        let page = EventFilter {
            after,
            limit: PAGE,
            ..filter.clone()
        };
        let events = log.read_filtered(page).await?;
        let mut wanted = events.iter().take_while(|event| event.position <= until);
        wanted.try_for_each(&mut each)?;
        match events.last() {
            Some(last) if events.len() == PAGE && last.position < until => after = last.position,
            _ => return Ok(()),
        }
    }
}
