//! What a HorizontalPodAutoscaler (`autoscaling/v2`) with a target for CPU does, as the documentation of Kubernetes describes it.
//!
//! One look at the pods goes through three steps: [`demand`] says how many replicas bring the average to the target,
//! [`behaviour`] lets the past calm that down and bounds how fast replicas come and go, and the least and the most of the
//! manifest hold always. Time is counted from any moment, so that a test needs no clock.

pub mod behaviour;
pub mod demand;
pub mod manifest;
pub mod spec;

use std::time::Duration;

pub use self::behaviour::{Policy, PolicyKind, Rules, Select};
pub use self::demand::{Pod, PodState};
pub use self::manifest::Manifest;
pub use self::spec::Spec;

/// How often the controller looks, unless its operator says otherwise.
pub const SYNC_PERIOD: Duration = Duration::from_secs(15);

/// A controller with what it remembers.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    spec: Spec,
    /// What was wanted at each earlier look.
    wanted: Vec<(Duration, u32)>,
    /// How many replicas came, or went, and when.
    changes: Vec<(Duration, i64)>,
}

impl Autoscaler {
    /// A controller that has seen nothing yet.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            wanted: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Looks at the pods at the time `at`, not before the last look, and says how many replicas there are to be from now on.
    ///
    /// `current` is what the Deployment asks for. `pods` leaves out those that are being deleted or have failed.
    pub fn look(&mut self, at: Duration, current: u32, pods: &[Pod]) -> u32 {
        let desired = self.desired(at, current, pods);
        if desired != current {
            self.changes.push((at, i64::from(desired) - i64::from(current)));
        }
        desired
    }

    fn desired(&mut self, at: Duration, current: u32, pods: &[Pod]) -> u32 {
        let (least, most) = (self.spec.replicas_min, self.spec.replicas_max);
        if !(least..=most).contains(&current) {
            return current.clamp(least, most);
        }
        // Without a measurement nothing is known, and nothing is changed.
        let Some(wanted) = self.spec.wanted(current, pods) else {
            return current;
        };
        let calm = self.calmed(at, current, wanted);
        self.wanted.push((at, wanted));
        let slowest = self.spec.scale_down.limit_down(at, current, &self.changes);
        let fastest = self.spec.scale_up.limit_up(at, current, &self.changes);
        calm.clamp(slowest.max(least), fastest.min(most))
    }

    /// The least that was wanted in the window of scaling up, when that is more than there is; the most that was wanted in the
    /// window of scaling down, when that is less; else no change.
    fn calmed(&self, at: Duration, current: u32, wanted: u32) -> u32 {
        let within = |window: Duration| {
            let past = self.wanted.iter().filter(move |(then, _)| *then + window > at);
            past.map(|(_, wanted)| *wanted).chain([wanted])
        };
        let up = within(self.spec.scale_up.window).min().unwrap_or(wanted);
        let down = within(self.spec.scale_down.window).max().unwrap_or(wanted);
        current.max(up).min(down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = Spec {
        replicas_min: 2,
        replicas_max: 10,
        target_percent: 70,
        scale_up: Rules {
            window: Duration::ZERO,
            select: Select::Max,
            policies: Vec::new(),
        },
        scale_down: Rules {
            window: Duration::from_secs(300),
            select: Select::Max,
            policies: Vec::new(),
        },
    };

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    /// A controller without policies on speed.
    fn unhurried(scale_up_window: Duration) -> Autoscaler {
        let mut spec = SPEC;
        spec.scale_up.window = scale_up_window;
        Autoscaler::new(spec)
    }

    /// So many pods that each use this share of what they request.
    fn pods(count: u32, percent: u64) -> Vec<Pod> {
        vec![Pod::ready(500, 5 * percent); count as usize]
    }

    #[test]
    fn a_short_pause_takes_no_replica_away() {
        let mut scaler = unhurried(Duration::ZERO);
        assert_eq!(scaler.look(seconds(0), 6, &pods(6, 70)), 6);
        assert_eq!(
            scaler.look(seconds(150), 6, &pods(6, 20)),
            6,
            "six were wanted lately"
        );
        assert_eq!(scaler.look(seconds(299), 6, &pods(6, 20)), 6);
        assert_eq!(
            scaler.look(seconds(300), 6, &pods(6, 20)),
            2,
            "five quiet minutes"
        );
    }

    #[test]
    fn a_window_for_scaling_up_waits_for_the_least_that_was_wanted_in_it() {
        let mut scaler = unhurried(seconds(60));
        assert_eq!(scaler.look(seconds(0), 4, &pods(4, 70)), 4);
        assert_eq!(
            scaler.look(seconds(30), 4, &pods(4, 140)),
            4,
            "four were wanted lately"
        );
        assert_eq!(scaler.look(seconds(60), 4, &pods(4, 100)), 6, "of eight and six");
    }

    #[test]
    fn the_bounds_hold_before_anything_is_measured() {
        let mut scaler = unhurried(Duration::ZERO);
        assert_eq!(scaler.look(seconds(0), 1, &[]), 2);
        assert_eq!(scaler.look(seconds(0), 12, &[]), 10);
        assert_eq!(scaler.look(seconds(0), 5, &[]), 5, "nothing is known");
        assert_eq!(scaler.look(seconds(0), 9, &pods(9, 400)), 10);
        assert_eq!(
            scaler.look(seconds(250), 3, &pods(3, 0)),
            3,
            "ten were wanted lately"
        );
        assert_eq!(scaler.look(seconds(900), 3, &pods(3, 0)), 2);
    }

    #[test]
    fn replicas_that_came_in_a_period_count_against_its_policies() {
        let mut spec = SPEC;
        spec.scale_up.policies = vec![Policy {
            kind: PolicyKind::Pods,
            value: 2,
            period: seconds(60),
        }];
        let mut scaler = Autoscaler::new(spec);
        assert_eq!(scaler.look(seconds(0), 2, &pods(2, 400)), 4);
        assert_eq!(
            scaler.look(seconds(30), 4, &pods(4, 400)),
            4,
            "two came half a minute ago"
        );
        assert_eq!(scaler.look(seconds(60), 4, &pods(4, 400)), 6);
    }
}
