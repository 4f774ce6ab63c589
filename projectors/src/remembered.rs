//! What a handler knows to be stored, so that it notices when less is.

use std::collections::BTreeMap;

use eventing::Position;

use crate::{ProjectionKind, store::Origin};

/// The checkpoints of some projections, as they lie in the store.
pub(crate) type Stored = BTreeMap<ProjectionKind, Stand>;

/// How far the live views of a projection are, and where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    pub(crate) origin: Origin,
    pub(crate) checkpoint: Position,
}

/// What was known to be stored, and what the consumer was told.
///
/// A store may lose what it was told: it is emptied, restarted, or put back to an older state. Then a checkpoint must
/// not be raised on what is believed to lie below it. So from the first doubt on none is raised, until the consumer has
/// asked for the checkpoint. It is answered one that is lower than what it believes, and catches up from there.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    known: Stored,
    /// The highest checkpoint that the consumer was answered, or wanted to be stored.
    told: Position,
    is_doubtful: bool,
}

impl Remembered {
    /// What to answer the consumer, which from now on relies on what is stored.
    pub(crate) fn answer(&mut self, stored: Stored) -> Position {
        self.look(&stored);
        let answer = stored.values().map(|stand| stand.checkpoint).min();
        let mut answer = answer.unwrap_or(Position::START);
        if self.is_doubtful {
            answer = answer.min(Position(self.told.0.saturating_sub(1)));
        }
        *self = Self {
            known: stored,
            told: answer,
            is_doubtful: false,
        };
        answer
    }

    /// From where each checkpoint may be raised to `to`; none while what lies below is in doubt.
    pub(crate) fn raises(&mut self, stored: &Stored, to: Position) -> Stored {
        self.look(stored);
        self.told = self.told.max(to);
        if self.is_doubtful {
            return Stored::new();
        }
        let lower = stored.iter().filter(|(_, stand)| stand.checkpoint < to);
        lower.map(|(kind, stand)| (*kind, *stand)).collect()
    }

    /// Remembers that checkpoints were raised.
    pub(crate) fn raised(&mut self, kinds: impl IntoIterator<Item = ProjectionKind>, to: Position) {
        for kind in kinds {
            if let Some(known) = self.known.get_mut(&kind) {
                known.checkpoint = known.checkpoint.max(to);
            }
        }
    }

    fn look(&mut self, stored: &Stored) {
        let mut has_lost = false;
        for (kind, stand) in stored {
            let known = self.known.entry(*kind).or_insert(*stand);
            has_lost |= stand.origin != known.origin || stand.checkpoint < known.checkpoint;
            known.origin = stand.origin;
            known.checkpoint = known.checkpoint.max(stand.checkpoint);
        }
        if has_lost && !self.is_doubtful {
            tracing::warn!(
                "the view store may have lost what it was told; the log is read again from its checkpoint"
            );
        }
        self.is_doubtful |= has_lost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(run: u64, line: u32, position: u64) -> Stored {
        let stand = Stand {
            origin: Origin { run, line },
            checkpoint: Position(position),
        };
        Stored::from([(ProjectionKind::Accounts, stand)])
    }

    fn at(position: u64) -> Stored {
        stored(1, 1, position)
    }

    fn at_five() -> Remembered {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.answer(at(5)), Position(5));
        remembered
    }

    #[test]
    fn a_checkpoint_is_raised_from_what_is_stored() {
        let mut remembered = at_five();
        assert_eq!(remembered.raises(&at(5), Position(7)), at(5));
        remembered.raised([ProjectionKind::Accounts], Position(7));
        assert_eq!(remembered.raises(&at(7), Position(7)), Stored::new());
    }

    #[test]
    fn one_that_went_back_is_not_raised_before_the_consumer_knows() {
        let mut remembered = at_five();
        assert!(remembered.raises(&at(3), Position(7)).is_empty());
        assert!(remembered.raises(&at(6), Position(7)).is_empty(), "doubt stays");
        assert_eq!(remembered.answer(at(3)), Position(3));
        assert_eq!(remembered.raises(&at(3), Position(7)), at(3));
    }

    /// A view was stored, the server restarted without it, and the checkpoint was at 5 before and after.
    #[test]
    fn after_a_restart_the_consumer_is_told_less_than_it_believes() {
        let mut remembered = at_five();
        assert!(remembered.raises(&stored(2, 1, 5), Position(7)).is_empty());
        assert_eq!(
            remembered.answer(stored(2, 1, 5)),
            Position(5),
            "it believes that 7 is stored"
        );
        let mut remembered = at_five();
        assert_eq!(
            remembered.answer(stored(2, 1, 5)),
            Position(4),
            "it believes that 5 is stored"
        );
        assert_eq!(remembered.answer(stored(2, 1, 5)), Position(5));
    }

    /// It was emptied, and another handler has folded it again up to where this one stood.
    #[test]
    fn views_that_began_anew_are_not_raised_on_what_their_predecessors_held() {
        let mut remembered = at_five();
        assert!(remembered.raises(&stored(1, 2, 6), Position(9)).is_empty());
        assert_eq!(remembered.answer(stored(1, 2, 6)), Position(6));
        assert_eq!(remembered.raises(&stored(1, 2, 6), Position(9)), stored(1, 2, 6));
    }

    #[test]
    fn what_another_handler_stored_is_no_loss() {
        let mut remembered = at_five();
        assert_eq!(remembered.answer(at(9)), Position(9));
        assert_eq!(remembered.answer(at(9)), Position(9));
    }
}
