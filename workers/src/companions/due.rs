//! When companions are published.

use std::time::Duration;

use super::CompanionsSettings;

/// The time between two publications is at least so many times that of counting, so that counting never takes more than a
/// tenth of a core.
const REST_PER_COUNT: u32 = 10;
const HOUR: Duration = Duration::from_secs(3_600);

/// What has happened since the last publication, and what it cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// There are enough listeners for companions.
    pub(super) has_enough: bool,
    /// The listeners of the current companions; 0 when they are empty, or none were published.
    pub(super) listeners: u64,
    /// The likes that they count.
    pub(super) likes: u64,
    /// Likes that came or went since.
    pub(super) changes: u64,
    /// Somebody who may be counted in them was erased since.
    pub(super) is_erased: bool,
    /// How long ago the last change was met.
    pub(super) changed_ago: Duration,
    /// How long ago the last publication was; nothing before the first one.
    pub(super) published_ago: Option<Duration>,
    /// How long the last count took.
    pub(super) took: Duration,
    /// How large the last publication was.
    pub(super) bytes: u64,
}

/// Why it is time to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There are companions at last, or again.
    Enough,
    /// Somebody was erased.
    Erasure,
    /// Much has changed.
    Growth,
    /// Something has changed, and nothing followed.
    Quiet,
    /// Something has changed, and other things keep following.
    Stale,
}

/// Whether it is time, and why.
pub(super) fn due(settings: &CompanionsSettings, standing: &Standing) -> Option<Why> {
    let is_empty = standing.listeners == 0;
    if is_empty && !standing.has_enough {
        return None;
    }
    let rest = standing.took * REST_PER_COUNT;
    let is_past = |wait: Duration| standing.published_ago.is_none_or(|ago| ago >= wait.max(rest));
    if standing.is_erased && is_past(settings.erasure_every) {
        return Some(Why::Erasure);
    }
    if is_empty && is_past(settings.growth_every) {
        return Some(Why::Enough);
    }
    let growth = (standing.likes.saturating_mul(settings.growth_percent) / 100).max(settings.growth_min);
    if standing.changes >= growth && is_past(settings.growth_every) {
        return Some(Why::Growth);
    }
    let wait = bytes_wait(settings, standing.bytes);
    if standing.changes == 0 || !is_past(wait) {
        return None;
    }
    if standing.changed_ago >= settings.quiet_for {
        return Some(Why::Quiet);
    }
    is_past(settings.stale_after.max(wait)).then_some(Why::Stale)
}

/// How long `bytes` have to last.
fn bytes_wait(settings: &CompanionsSettings, bytes: u64) -> Duration {
    HOUR.mul_f64(bytes as f64 / settings.bytes_per_hour_max.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1_000_000);

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A thousand likes are published, and nothing has happened since.
    fn standing() -> Standing {
        Standing {
            has_enough: true,
            listeners: 100,
            likes: 1_000,
            changes: 0,
            is_erased: false,
            changed_ago: Duration::ZERO,
            published_ago: Some(LONG),
            took: Duration::ZERO,
            bytes: 0,
        }
    }

    #[track_caller]
    fn expect(standing: Standing, expected: Option<Why>) {
        let why = due(&CompanionsSettings::default(), &standing);
        assert_eq!(why, expected, "{standing:?}");
    }

    #[test]
    fn too_few_listeners_are_not_published_before_there_were_enough() {
        let none = Standing {
            listeners: 0,
            likes: 0,
            published_ago: None,
            changes: 7,
            ..standing()
        };
        expect(none, Some(Why::Enough));
        expect(
            Standing {
                has_enough: false,
                changes: 500,
                is_erased: true,
                ..none
            },
            None,
        );
    }

    #[test]
    fn too_few_listeners_replace_what_was_published_when_there_were_enough() {
        let left = Standing {
            has_enough: false,
            changes: 1,
            changed_ago: seconds(60),
            ..standing()
        };
        expect(left, Some(Why::Quiet));
        expect(
            Standing {
                changes: 0,
                is_erased: true,
                ..left
            },
            Some(Why::Erasure),
        );
    }

    #[test]
    fn growth_is_a_tenth_and_not_more_often_than_every_half_minute() {
        expect(
            Standing {
                changes: 99,
                published_ago: Some(seconds(3_599)),
                ..standing()
            },
            None,
        );
        expect(
            Standing {
                changes: 100,
                ..standing()
            },
            Some(Why::Growth),
        );
        expect(
            Standing {
                changes: 100,
                published_ago: Some(seconds(29)),
                ..standing()
            },
            None,
        );
        expect(
            Standing {
                changes: 100,
                published_ago: Some(seconds(30)),
                ..standing()
            },
            Some(Why::Growth),
        );
        let few = Standing {
            likes: 100,
            changes: 49,
            published_ago: Some(seconds(100)),
            ..standing()
        };
        expect(few, None);
        expect(Standing { changes: 50, ..few }, Some(Why::Growth));
    }

    #[test]
    fn any_change_is_published_when_it_is_quiet_or_has_waited_long() {
        let one = Standing {
            changes: 1,
            published_ago: Some(seconds(61)),
            ..standing()
        };
        expect(
            Standing {
                changed_ago: seconds(59),
                ..one
            },
            None,
        );
        expect(
            Standing {
                changed_ago: seconds(60),
                ..one
            },
            Some(Why::Quiet),
        );
        expect(
            Standing {
                published_ago: Some(seconds(3_600)),
                ..one
            },
            Some(Why::Stale),
        );
        expect(
            Standing {
                changes: 0,
                changed_ago: LONG,
                ..one
            },
            None,
        );
    }

    #[test]
    fn an_erasure_waits_for_seconds_only() {
        let erased = Standing {
            is_erased: true,
            ..standing()
        };
        expect(
            Standing {
                published_ago: Some(seconds(4)),
                ..erased
            },
            None,
        );
        expect(
            Standing {
                published_ago: Some(seconds(5)),
                ..erased
            },
            Some(Why::Erasure),
        );
    }

    #[test]
    fn what_is_large_or_slow_is_published_less_often() {
        let quiet = Standing {
            changes: 1,
            changed_ago: seconds(60),
            published_ago: Some(seconds(3_599)),
            ..standing()
        };
        expect(
            Standing {
                bytes: 16 << 20,
                ..quiet
            },
            None,
        );
        expect(
            Standing {
                bytes: 16 << 20,
                published_ago: Some(seconds(3_600)),
                ..quiet
            },
            Some(Why::Quiet),
        );
        let grown = Standing {
            changes: 500,
            took: seconds(7),
            published_ago: Some(seconds(69)),
            ..standing()
        };
        expect(grown, None);
        expect(
            Standing {
                published_ago: Some(seconds(70)),
                ..grown
            },
            Some(Why::Growth),
        );
    }
}
