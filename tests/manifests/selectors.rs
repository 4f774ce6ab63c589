//! What selects pods selects those that it means.

use serde_json::Value;

use crate::resources::{OVERLAYS, Overlay, Pods, list, selects, text};

#[track_caller]
fn selected<'a>(overlay: &'a Overlay, selector: &Value) -> Vec<Pods<'a>> {
    overlay.pods().filter(|pods| selects(selector, *pods)).collect()
}

#[test]
fn a_workload_selects_its_own_pods_and_no_others() {
    for overlay in OVERLAYS.iter() {
        for kind in ["Deployment", "StatefulSet"] {
            for workload in overlay.of(kind) {
                let found = selected(overlay, &workload["spec"]["selector"]["matchLabels"]);
                let places: Vec<_> = found.iter().map(|pods| pods.place).collect();
                assert_eq!(
                    places,
                    [(overlay.name, kind, text(&workload["metadata"]["name"]))]
                );
            }
        }
    }
}

#[test]
fn a_service_leads_to_a_port_that_its_pods_have() {
    for overlay in OVERLAYS.iter() {
        for service in overlay.of("Service") {
            let found = selected(overlay, &service["spec"]["selector"]);
            assert_eq!(found.len(), 1, "{} {service}", overlay.name);
            for port in list(&service["spec"]["ports"]) {
                assert!(
                    found[0].port(&port["targetPort"]).is_some(),
                    "{} {port}",
                    overlay.name
                );
            }
        }
    }
}

#[test]
fn every_workload_may_be_disrupted_one_pod_at_a_time_and_never_blocks_a_drain() {
    for overlay in OVERLAYS.iter() {
        for pods in overlay.pods().filter(|pods| pods.place.1 != "Job") {
            let budgets: Vec<_> = overlay
                .of("PodDisruptionBudget")
                .filter(|budget| selects(&budget["spec"]["selector"]["matchLabels"], pods))
                .collect();
            let [budget] = budgets[..] else {
                panic!("{:?}: {budgets:?}", pods.place)
            };
            assert_eq!(budget["spec"]["maxUnavailable"], 1, "{:?}", pods.place);
            assert!(budget["spec"]["minAvailable"].is_null(), "{:?}", pods.place);
            // A pod that is not ready anyway must not hold up a drain.
            assert_eq!(
                budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow",
                "{:?}",
                pods.place
            );
        }
    }
}

#[test]
fn replicas_of_a_role_spread_over_zones_and_nodes() {
    for overlay in OVERLAYS.iter() {
        for role in ["rest", "usermanagement", "classifier"] {
            let template = &overlay.get("Deployment", role)["spec"]["template"];
            let spread = list(&template["spec"]["topologySpreadConstraints"]);
            let over: Vec<_> = spread.iter().map(|one| text(&one["topologyKey"])).collect();
            assert_eq!(
                over,
                ["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
                "{role}"
            );
            for one in spread {
                assert_eq!(one["labelSelector"]["matchLabels"]["app"], role);
            }
        }
    }
}
