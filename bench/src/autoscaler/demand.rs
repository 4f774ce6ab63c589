//! How many replicas bring the average use of CPU to the target.

/// A ratio this near to 1 changes nothing.
const TOLERANCE: f64 = 0.1;

/// A pod that is to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// What its containers request, in thousandths of a core.
    pub requested: u64,
    /// How it is.
    pub state: PodState,
}

/// What is known of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodState {
    /// It is ready and uses so many thousandths of a core.
    Ready(u64),
    /// It is not ready yet: what it uses tells of its start and not of its work.
    NotReady,
    /// It is ready, and the metrics server says nothing of it.
    Unmeasured,
}

impl Pod {
    /// A pod that requests and uses so many thousandths of a core.
    #[must_use]
    pub const fn ready(requested: u64, used: u64) -> Self {
        Self {
            requested,
            state: PodState::Ready(used),
        }
    }
}

/// `ceil(current * average use / target)`, where use is in percent of what the pods request; nothing when no pod was measured.
///
/// Where pods are not measured or not ready the answer is the more cautious one: those without a measurement count as if they
/// used all that they request when replicas would go (or the target, where that is more), and nothing when replicas would come; those that are not
/// ready count as if they used nothing when replicas would come, and not at all when they would go. Where that turns the
/// direction round, or comes within a tenth of the target, nothing is changed.
#[must_use]
pub fn replicas(target_percent: u64, current: u32, pods: &[Pod]) -> Option<u32> {
    let measured = uses(pods, |_| None);
    let ratio = ratio(&measured, target_percent)?;
    let is_up = ratio > 1.0;
    let cautious = uses(pods, |pod| match pod.state {
        PodState::Unmeasured if is_up => Some(0),
        PodState::Unmeasured => Some(pod.requested * target_percent.max(100) / 100),
        PodState::NotReady if is_up => Some(0),
        PodState::NotReady | PodState::Ready(_) => None,
    });
    let cautious_ratio = self::ratio(&cautious, target_percent)?;
    let is_near = (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&cautious_ratio);
    if is_near || is_up != (cautious_ratio > 1.0) {
        return Some(current);
    }
    Some((cautious_ratio * cautious.len() as f64).ceil() as u32)
}

/// What each pod requests and uses: as measured, or as `assumed` says; without those of which neither is known.
fn uses(pods: &[Pod], assumed: impl Fn(&Pod) -> Option<u64>) -> Vec<(u64, u64)> {
    let known = pods.iter().filter_map(|pod| {
        let used = match pod.state {
            PodState::Ready(used) => Some(used),
            PodState::NotReady | PodState::Unmeasured => assumed(pod),
        };
        Some((pod.requested, used?))
    });
    known.collect()
}

/// The average use in whole percent of what is requested, over the target.
fn ratio(uses: &[(u64, u64)], target_percent: u64) -> Option<f64> {
    let (requested, used) = uses
        .iter()
        .fold((0, 0), |sum, pod| (sum.0 + pod.0, sum.1 + pod.1));
    let percent = (used * 100).checked_div(requested)?;
    Some(percent as f64 / target_percent as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: u64 = 70;

    fn using(percents: &[u64]) -> Vec<Pod> {
        percents
            .iter()
            .map(|percent| Pod::ready(500, 5 * percent))
            .collect()
    }

    fn with(mut pods: Vec<Pod>, state: PodState, count: usize) -> Vec<Pod> {
        let more = Pod {
            requested: 500,
            state,
        };
        pods.extend(vec![more; count]);
        pods
    }

    fn wanted(pods: &[Pod]) -> Option<u32> {
        replicas(TARGET, u32::try_from(pods.len()).expect("some pods"), pods)
    }

    #[test]
    fn as_many_are_wanted_as_bring_the_average_to_the_target() {
        assert_eq!(
            wanted(&using(&[140, 140])),
            Some(4),
            "twice the target: twice the replicas"
        );
        assert_eq!(wanted(&using(&[90; 4])), Some(6), "5.14 replicas are six");
        assert_eq!(wanted(&using(&[35; 6])), Some(3), "half the target: half of them");
        assert_eq!(
            wanted(&using(&[10, 270])),
            Some(4),
            "the average counts, not the busiest"
        );
    }

    #[test]
    fn a_pod_that_requests_more_weighs_more() {
        let pods = [Pod::ready(1_500, 1_500), Pod::ready(500, 0)];
        assert_eq!(
            wanted(&pods),
            Some(2),
            "75 % of all that is requested, within a tenth"
        );
    }

    #[test]
    fn a_tenth_above_or_below_changes_nothing() {
        assert_eq!(wanted(&using(&[77; 4])), Some(4));
        assert_eq!(wanted(&using(&[63; 4])), Some(4));
        assert_eq!(wanted(&using(&[78; 4])), Some(5));
        assert_eq!(wanted(&using(&[50; 4])), Some(3));
    }

    #[test]
    fn without_a_measurement_nothing_is_known() {
        assert_eq!(wanted(&[]), None);
        assert_eq!(wanted(&with(Vec::new(), PodState::Unmeasured, 3)), None);
        assert_eq!(wanted(&with(Vec::new(), PodState::NotReady, 3)), None);
    }

    #[test]
    fn pods_without_a_measurement_use_nothing_when_replicas_would_come() {
        // 140 % of two and 0 % of two are the target: nothing.
        assert_eq!(wanted(&with(using(&[140; 2]), PodState::Unmeasured, 2)), Some(4));
        // 280 % and 0 % are twice the target.
        assert_eq!(wanted(&with(using(&[280; 2]), PodState::Unmeasured, 2)), Some(8));
    }

    #[test]
    fn pods_without_a_measurement_use_all_that_they_request_when_replicas_would_go() {
        // Alone, 30 % would make two of four; with 100 % of one, the average is 47 %, and 2.69 are three.
        assert_eq!(wanted(&with(using(&[30; 3]), PodState::Unmeasured, 1)), Some(3));
        // 60 % of two and 100 % of two are above the target: the other direction, so nothing.
        assert_eq!(wanted(&with(using(&[60; 2]), PodState::Unmeasured, 2)), Some(4));
    }

    #[test]
    fn pods_that_are_not_ready_use_nothing_when_replicas_would_come() {
        assert_eq!(wanted(&with(using(&[140; 2]), PodState::NotReady, 2)), Some(4));
        assert_eq!(
            wanted(&with(using(&[140; 2]), PodState::NotReady, 1)),
            Some(4),
            "93 % of three"
        );
    }

    #[test]
    fn pods_that_are_not_ready_are_left_out_when_replicas_would_go() {
        assert_eq!(wanted(&with(using(&[35; 4]), PodState::NotReady, 2)), Some(2));
    }

    #[test]
    fn caution_never_turns_a_direction_round() {
        // Just above the target, and one that is not ready: below it.
        assert_eq!(wanted(&with(using(&[80; 1]), PodState::NotReady, 1)), Some(2));
    }
}
