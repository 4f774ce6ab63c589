//! How far this process has read, so that it never shows less.

use std::collections::BTreeMap;

use eventing::Position;
use parking_lot::Mutex;

use super::super::Origin;

/// By projection.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Reaches>);

/// What had been read before a read began. What others read meanwhile is not held against it.
pub(crate) type Reaches = BTreeMap<&'static str, Reached>;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    /// From where; none as long as nothing was read.
    origin: Option<Origin>,
    /// The highest checkpoint that was read.
    checkpoint: Position,
    /// The highest position that a view was read at.
    view: Position,
    /// The checkpoint without which nothing is shown.
    required: Position,
}

impl Seen {
    /// What has been read up to now. To be taken before the store is asked.
    pub(crate) fn reaches(&self) -> Reaches {
        self.0.lock().clone()
    }

    /// Whether what stands at `checkpoint` may be shown: nothing is older than what had been read `before`.
    ///
    /// Views of one origin do not go back alone. After a restart, in another server's place, or when it was emptied and
    /// views began anew, they may, and only a checkpoint at or beyond what was read tells that they did not.
    pub(crate) fn admits(
        &self,
        projection: &'static str,
        before: &Reaches,
        origin: Origin,
        checkpoint: Position,
    ) -> bool {
        let required = before
            .get(projection)
            .map_or(Position::START, |before| before.required_in(origin));
        let mut reached = self.0.lock();
        let reached = reached.entry(projection).or_default();
        reached.required = reached.required_in(origin);
        reached.origin = Some(origin);
        if checkpoint < required {
            return false;
        }
        reached.checkpoint = reached.checkpoint.max(checkpoint);
        true
    }

    /// Whether anything was read of a projection.
    pub(crate) fn has_any(&self, projection: &'static str) -> bool {
        self.0.lock().contains_key(projection)
    }

    /// Remembers that a view was read at `position`.
    pub(crate) fn note(&self, projection: &'static str, position: Position) {
        let mut reached = self.0.lock();
        let reached = reached.entry(projection).or_default();
        reached.view = reached.view.max(position);
    }
}

impl Reached {
    fn required_in(&self, origin: Origin) -> Position {
        let shown = match self.origin {
            Some(before) if before != origin => self.view,
            _ => Position::START,
        };
        self.required.max(self.checkpoint).max(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Position = Position;

    fn origin(run: u64, line: u32) -> Origin {
        Origin { run, line }
    }

    impl Seen {
        fn admits_now(&self, projection: &'static str, run: u64, checkpoint: Position) -> bool {
            self.admits(projection, &self.reaches(), origin(run, 1), checkpoint)
        }
    }

    #[test]
    fn a_read_that_was_overtaken_by_another_is_no_step_back() {
        let seen = Seen::default();
        let before = seen.reaches();
        assert!(seen.admits_now("p", 1, AT(6)));
        assert!(
            seen.admits("p", &before, origin(1, 1), AT(5)),
            "it was asked for before 6 was read"
        );
        assert!(!seen.admits_now("p", 1, AT(5)));
    }

    #[test]
    fn a_checkpoint_that_went_back_is_refused_until_it_has_caught_up() {
        let seen = Seen::default();
        assert!(seen.admits_now("p", 1, AT(5)));
        assert!(!seen.admits_now("p", 1, AT(4)));
        assert!(!seen.admits_now("p", 2, AT(4)));
        assert!(seen.admits_now("p", 2, AT(5)));
    }

    #[test]
    fn another_run_must_have_come_to_every_view_that_was_read() {
        let seen = Seen::default();
        assert!(seen.admits_now("p", 1, AT(5)));
        seen.note("p", AT(7));
        assert!(
            seen.admits_now("p", 1, AT(5)),
            "the same run keeps what it showed"
        );
        assert!(!seen.admits_now("p", 2, AT(6)));
        assert!(seen.admits_now("p", 2, AT(7)));
    }

    #[test]
    fn views_that_began_anew_must_have_come_to_every_view_that_was_read() {
        let seen = Seen::default();
        assert!(seen.admits("p", &seen.reaches(), origin(1, 1), AT(5)));
        seen.note("p", AT(7));
        assert!(!seen.admits("p", &seen.reaches(), origin(1, 2), AT(6)));
        assert!(
            !seen.admits("p", &seen.reaches(), origin(1, 2), AT(6)),
            "nor later"
        );
        assert!(seen.admits("p", &seen.reaches(), origin(1, 2), AT(7)));
    }

    #[test]
    fn projections_are_told_apart() {
        let seen = Seen::default();
        assert!(seen.admits_now("p", 1, AT(5)));
        assert!(seen.admits_now("q", 1, AT(1)));
    }
}
