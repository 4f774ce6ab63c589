//! The autoscaler's documented formula, with the numbers of the manifests.

use serde_json::Value;

use crate::resources::{OVERLAYS, list, number};

/// A ratio this near to 1 changes nothing.
const TOLERANCE: f64 = 0.1;

/// The numbers of a manifest.
#[derive(Clone, Copy)]
struct Scaler {
    /// Percent of what the pods request.
    target: f64,
    min: u64,
    max: u64,
}

impl Scaler {
    fn of(spec: &Value) -> Self {
        let metric = &list(&spec["metrics"])[0]["resource"]["target"];
        Self {
            target: f64::from(u32::try_from(number(&metric["averageUtilization"])).expect("a percentage")),
            min: number(&spec["minReplicas"]),
            max: number(&spec["maxReplicas"]),
        }
    }

    /// `ceil(current * metric / target)`, where `metric` is what all pods use in percent of what they request, averaged; unchanged
    /// within the tolerance; within the bounds always.
    fn desired(self, current: u64, metric: f64) -> u64 {
        let ratio = metric / self.target;
        let wanted = match (ratio - 1.0).abs() <= TOLERANCE {
            true => current,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "some replicas"
            )]
            false => (current as f64 * ratio).ceil() as u64,
        };
        wanted.clamp(self.min, self.max)
    }
}

fn production() -> Scaler {
    let overlay = OVERLAYS.iter().find(|overlay| overlay.name == "production");
    Scaler::of(
        &overlay
            .expect("it is there")
            .get("HorizontalPodAutoscaler", "classifier")["spec"],
    )
}

#[test]
fn as_many_replicas_are_wanted_as_bring_the_average_to_the_target() {
    let scaler = production();
    assert_eq!(
        scaler.desired(2, 140.0),
        4,
        "twice the target: twice the replicas"
    );
    assert_eq!(scaler.desired(4, 90.0), 6, "5.14 replicas are six");
    assert_eq!(scaler.desired(6, 35.0), 3, "half the target: half of them");
}

#[test]
fn a_tenth_above_or_below_changes_nothing() {
    let scaler = production();
    assert_eq!(scaler.desired(4, 76.0), 4);
    assert_eq!(scaler.desired(4, 64.0), 4);
    assert_eq!(scaler.desired(4, 78.0), 5);
    assert_eq!(scaler.desired(4, 50.0), 3);
}

#[test]
fn the_bounds_hold_whatever_the_load_is() {
    let scaler = production();
    assert_eq!(scaler.desired(9, 400.0), 10);
    assert_eq!(scaler.desired(2, 0.0), 2);
    assert_eq!(scaler.desired(1, 70.0), 2, "below the least, even on target");
}

/// A share of what is requested needs a request; and a full pod must be able to show it.
#[test]
fn what_is_scaled_requests_cpu_and_may_use_more_than_the_target() {
    for overlay in OVERLAYS.iter() {
        for scaler in overlay.of("HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"];
            let (kind, name) = (target["kind"].as_str(), target["name"].as_str());
            let workload = overlay.get(kind.expect("a kind"), name.expect("a name"));
            assert!(
                workload["spec"]["replicas"].is_null(),
                "{}: applying it would undo the scaling",
                overlay.name
            );
            let numbers = Scaler::of(&scaler["spec"]);
            assert!(numbers.min >= 1 && numbers.max > numbers.min, "{}", overlay.name);
            for container in list(&workload["spec"]["template"]["spec"]["containers"]) {
                let cores = |bound: &str| cores(&container["resources"][bound]["cpu"]);
                let most = cores("limits") / cores("requests") * 100.0;
                assert!(
                    most > numbers.target * (1.0 + TOLERANCE),
                    "{}: {most} %",
                    overlay.name
                );
            }
        }
    }
}

/// Doubling within a quarter of a minute up, one at a time and only after five quiet minutes down.
#[test]
fn replicas_come_at_once_and_go_slowly() {
    for overlay in OVERLAYS.iter() {
        let behaviour = &overlay.get("HorizontalPodAutoscaler", "classifier")["spec"]["behavior"];
        assert_eq!(behaviour["scaleUp"]["stabilizationWindowSeconds"], 0);
        assert_eq!(behaviour["scaleDown"]["stabilizationWindowSeconds"], 300);
        let down = list(&behaviour["scaleDown"]["policies"]);
        assert!(
            down.iter()
                .all(|policy| policy["type"] == "Pods" && policy["value"] == 1),
            "{down:?}"
        );
    }
}

/// `500m` or `2`.
fn cores(quantity: &Value) -> f64 {
    let text = quantity
        .as_str()
        .map_or_else(|| quantity.to_string(), str::to_owned);
    let (digits, divisor) = text
        .strip_suffix('m')
        .map_or((text.as_str(), 1.0), |digits| (digits, 1000.0));
    digits
        .parse::<f64>()
        .unwrap_or_else(|_| panic!("{text} is no quantity of CPU"))
        / divisor
}
