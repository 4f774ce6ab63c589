//! How much is computed.

use crate::discipline::Phase;

/// All of it, or enough for a first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// For the report.
    Full,
    /// Fewer draws and fewer playlists: the intervals are wide.
    Quick,
}

impl Extent {
    /// Draws per listener, so many that few listeners are drawn from often.
    pub(crate) fn draws(self, phase: Phase, listeners: usize) -> usize {
        let all = match (self, phase) {
            (Self::Full, Phase::Tune) => 12,
            (Self::Full, Phase::Judge) => 60,
            (Self::Quick, Phase::Tune) => 2,
            (Self::Quick, Phase::Judge) => 6,
        };
        usize::div_ceil(all, listeners.max(1))
    }

    /// The most playlists of a phase.
    pub(crate) fn playlists(self, phase: Phase) -> usize {
        match (self, phase) {
            (Self::Full, Phase::Tune) => 60,
            (Self::Full, Phase::Judge) => usize::MAX,
            (Self::Quick, Phase::Tune) => 8,
            (Self::Quick, Phase::Judge) => 30,
        }
    }

    /// Draws per playlist.
    pub(crate) fn cuts(self, phase: Phase) -> usize {
        match (self, phase) {
            (Self::Full, Phase::Judge) => 2,
            _ => 1,
        }
    }
}
