//! The log's head, as this process has noticed it.

use tokio::sync::watch;

use crate::ids::Position;

/// Tells the subscribers of a new head. Commits and polls may overtake each other: it never goes back.
pub(super) fn advance(head: &watch::Sender<Position>, position: Position) {
    head.send_if_modified(|known| {
        let is_new = position > *known;
        *known = position.max(*known);
        is_new
    });
}
