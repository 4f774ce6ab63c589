//! How fast replicas may come and go.

use std::time::Duration;

use serde::Deserialize;

/// What holds in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// So long what was wanted before still counts.
    pub window: Duration,
    /// Which of the policies counts.
    pub select: Select,
    /// How much may change in a period; no bound when there are none.
    pub policies: Vec<Policy>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Select {
    /// The one that allows most.
    Max,
    /// The one that allows least.
    Min,
    /// Nothing changes in this direction.
    Disabled,
}

/// How much may change in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What the value is of.
    pub kind: PolicyKind,
    /// Replicas, or percent of those at the beginning of the period.
    pub value: u32,
    /// The period.
    pub period: Duration,
}

/// What a policy's value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PolicyKind {
    /// Replicas.
    Pods,
    /// Percent of the replicas.
    Percent,
}

impl Rules {
    /// The most replicas that there may be at `at`, not fewer than `current`. `changes` are what came and went, and when.
    pub(super) fn limit_up(&self, at: Duration, current: u32, changes: &[(Duration, i64)]) -> u32 {
        let limits = self.policies.iter().map(|policy| {
            let start = policy.start(at, current, changes);
            match policy.kind {
                PolicyKind::Pods => start + f64::from(policy.value),
                PolicyKind::Percent => (start * (1.0 + f64::from(policy.value) / 100.0)).ceil(),
            }
        });
        let limit = match self.select {
            Select::Disabled => return current,
            Select::Max => limits.reduce(f64::max),
            Select::Min => limits.reduce(f64::min),
        };
        limit.map_or(u32::MAX, |limit| (limit as u32).max(current))
    }

    /// The fewest replicas that there may be at `at`, not more than `current`.
    pub(super) fn limit_down(&self, at: Duration, current: u32, changes: &[(Duration, i64)]) -> u32 {
        let limits = self.policies.iter().map(|policy| {
            let start = policy.start(at, current, changes);
            match policy.kind {
                PolicyKind::Pods => start - f64::from(policy.value),
                PolicyKind::Percent => (start * (1.0 - f64::from(policy.value) / 100.0)).trunc(),
            }
        });
        let limit = match self.select {
            Select::Disabled => return current,
            Select::Max => limits.reduce(f64::min),
            Select::Min => limits.reduce(f64::max),
        };
        limit.map_or(0, |limit| (limit as u32).min(current))
    }
}

impl Policy {
    /// How many replicas there were at the beginning of the period that ends at `at`.
    fn start(&self, at: Duration, current: u32, changes: &[(Duration, i64)]) -> f64 {
        let lately = changes.iter().filter(|(then, _)| *then + self.period > at);
        let change: i64 = lately.map(|(_, change)| change).sum();
        (i64::from(current) - change) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLED: Policy = Policy {
        kind: PolicyKind::Percent,
        value: 100,
        period: Duration::from_secs(15),
    };
    const FOUR: Policy = Policy {
        kind: PolicyKind::Pods,
        value: 4,
        period: Duration::from_secs(15),
    };

    fn rules(select: Select) -> Rules {
        Rules {
            window: Duration::ZERO,
            select,
            policies: vec![DOUBLED, FOUR],
        }
    }

    #[test]
    fn the_policy_that_is_chosen_bounds_the_change() {
        let now = Duration::ZERO;
        assert_eq!(rules(Select::Max).limit_up(now, 2, &[]), 6, "four more");
        assert_eq!(rules(Select::Max).limit_up(now, 8, &[]), 16, "doubled");
        assert_eq!(rules(Select::Min).limit_up(now, 2, &[]), 4);
        assert_eq!(rules(Select::Disabled).limit_up(now, 2, &[]), 2);
        assert_eq!(rules(Select::Max).limit_down(now, 10, &[]), 0);
        assert_eq!(rules(Select::Min).limit_down(now, 10, &[]), 6);
        assert_eq!(rules(Select::Disabled).limit_down(now, 10, &[]), 10);
    }

    #[test]
    fn what_changed_in_the_period_is_part_of_the_change() {
        let (at, changes) = (Duration::from_secs(20), [(Duration::from_secs(10), 4)]);
        assert_eq!(
            rules(Select::Max).limit_up(at, 6, &changes),
            6,
            "it began with two"
        );
        assert_eq!(
            rules(Select::Max).limit_up(Duration::from_secs(25), 6, &changes),
            12
        );
    }

    #[test]
    fn percent_are_rounded_so_that_the_bound_is_wide() {
        let rules = Rules {
            policies: vec![Policy { value: 10, ..DOUBLED }],
            ..rules(Select::Max)
        };
        assert_eq!(rules.limit_up(Duration::ZERO, 5, &[]), 6);
        assert_eq!(rules.limit_down(Duration::ZERO, 5, &[]), 4);
    }
}
