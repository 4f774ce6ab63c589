//! The autoscaler, as its manifests set it: what it does is told by [`bench::autoscaler`], which follows the documentation of Kubernetes.

use bench::autoscaler::manifest::millicores;
use bench::autoscaler::{Autoscaler, Manifest, Pod, SYNC_PERIOD, Spec};
use serde_json::Value;

use crate::resources::{OVERLAYS, list, repository};

/// What a pod may use more than its target before that changes anything, in percent.
const TOLERANCE_PERCENT: u64 = 10;

fn production() -> Spec {
    let overlay = OVERLAYS.iter().find(|overlay| overlay.name == "production");
    let scaler = overlay
        .expect("it is there")
        .get("HorizontalPodAutoscaler", "classifier");
    spec(scaler)
}

#[track_caller]
fn spec(scaler: &Value) -> Spec {
    Spec::read(&scaler["spec"]).expect("it looks at CPU")
}

/// So many pods that each use this share of what they request.
fn pods(count: u32, percent: u64) -> Vec<Pod> {
    vec![Pod::ready(500, 5 * percent); count as usize]
}

/// How many replicas there are after each look, when all pods always use this share of what they request.
fn course(scaler: &mut Autoscaler, looks: std::ops::Range<u32>, mut current: u32, percent: u64) -> Vec<u32> {
    let looks = looks.map(|look| {
        current = scaler.look(SYNC_PERIOD * look, current, &pods(current, percent));
        current
    });
    looks.collect()
}

#[test]
fn replicas_come_at_once() {
    let mut scaler = Autoscaler::new(production());
    assert_eq!(
        course(&mut scaler, 0..1, 2, 140),
        [4],
        "twice the target: twice the replicas"
    );
    let mut scaler = Autoscaler::new(production());
    assert_eq!(
        course(&mut scaler, 0..4, 2, 400),
        [6, 10, 10, 10],
        "four more, then doubled, up to the most"
    );
}

#[test]
fn replicas_go_one_a_minute_after_five_quiet_minutes() {
    let mut scaler = Autoscaler::new(production());
    assert_eq!(course(&mut scaler, 0..1, 6, 70), [6]);
    let quiet = course(&mut scaler, 1..50, 6, 0);
    let looks_a_minute = (60 / SYNC_PERIOD.as_secs()) as usize;
    let at = |minutes: usize| quiet[minutes * looks_a_minute - 1];
    assert_eq!([4, 5, 6, 7, 8, 9].map(at), [6, 5, 4, 3, 2, 2]);
}

/// What the scale test reckons with is what the overlay for production comes to.
#[test]
fn the_overlay_for_production_scales_as_the_base_does() {
    let base = Manifest::read(&repository().join("ops/k8s/base/classifier.yaml"), "classifier");
    assert_eq!(base.expect("it is there").spec, production());
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
            let spec = spec(scaler);
            assert!(
                spec.replicas_min >= 1 && spec.replicas_max > spec.replicas_min,
                "{}",
                overlay.name
            );
            for container in list(&workload["spec"]["template"]["spec"]["containers"]) {
                let cpu = |bound: &str| millicores(&container["resources"][bound]["cpu"]).expect("CPU");
                let most = cpu("limits") * 100 / cpu("requests");
                assert!(
                    most > spec.target_percent * (100 + TOLERANCE_PERCENT) / 100,
                    "{}: {most} %",
                    overlay.name
                );
            }
        }
    }
}
