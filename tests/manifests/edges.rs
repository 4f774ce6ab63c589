//! Network policies: nothing but the edges that are named, and each of them at both of its ends.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::resources::{OVERLAYS, Overlay, list, number, text};

/// Who calls whom, at which port.
type Edge = (String, String, u64);

/// The apps that a selector of pods names.
fn apps(selector: &Value) -> Vec<String> {
    let by_label = selector["matchLabels"]["app"].as_str().map(str::to_owned);
    let expressions = list(&selector["matchExpressions"]).iter();
    let by_list = expressions
        .filter(|expression| expression["key"] == "app" && expression["operator"] == "In")
        .flat_map(|expression| list(&expression["values"]))
        .map(|app| text(app).to_owned());
    by_label.into_iter().chain(by_list).collect()
}

/// The edges between pods of the overlay that policies allow in one direction.
fn edges(overlay: &Overlay, direction: &str, other: &str) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for policy in overlay.of("NetworkPolicy") {
        let here = apps(&policy["spec"]["podSelector"]);
        for rule in list(&policy["spec"][direction]) {
            let there = list(&rule[other])
                .iter()
                .flat_map(|peer| apps(&peer["podSelector"]));
            for there in there {
                for (here, port) in here
                    .iter()
                    .flat_map(|here| list(&rule["ports"]).iter().map(move |port| (here, port)))
                {
                    let port = number(&port["port"]);
                    edges.insert(match direction {
                        "egress" => (here.clone(), there.clone(), port),
                        _ => (there.clone(), here.clone(), port),
                    });
                }
            }
        }
    }
    edges
}

#[test]
fn nothing_is_allowed_that_is_not_named() {
    for overlay in OVERLAYS.iter() {
        let deny = &overlay.get("NetworkPolicy", "default-deny")["spec"];
        assert_eq!(deny["podSelector"], serde_json::json!({}), "{}", overlay.name);
        assert_eq!(
            list(&deny["policyTypes"]),
            ["Ingress", "Egress"],
            "{}",
            overlay.name
        );
        assert!(
            deny["ingress"].is_null() && deny["egress"].is_null(),
            "{}",
            overlay.name
        );
    }
}

#[test]
fn each_edge_is_allowed_at_both_of_its_ends() {
    for overlay in OVERLAYS.iter() {
        let (out, into) = (edges(overlay, "egress", "to"), edges(overlay, "ingress", "from"));
        assert_eq!(out, into, "{}", overlay.name);
    }
}

#[test]
fn the_roles_reach_what_they_need_and_nothing_else() {
    let edge = |from: &str, to: &str, port| (from.to_owned(), to.to_owned(), port);
    let mut production: BTreeSet<Edge> = BTreeSet::new();
    for role in ["rest", "usermanagement", "classifier"] {
        production.extend([edge(role, "redis", 6379), edge(role, "rabbitmq", 5672)]);
    }
    production.extend([
        edge("base-model", "redis", 6379),
        edge("topology", "rabbitmq", 5672),
    ]);
    let mut local = production.clone();
    for user in ["rest", "usermanagement", "classifier", "migrate", "base-model"] {
        local.insert(edge(user, "postgres", 5432));
    }
    local.extend([
        edge("classifier", "firestore", 8080),
        edge("base-model", "firestore", 8080),
    ]);
    for overlay in OVERLAYS.iter() {
        let wanted = if overlay.name == "local" {
            &local
        } else {
            &production
        };
        assert_eq!(edges(overlay, "egress", "to"), *wanted, "{}", overlay.name);
    }
}

#[test]
fn a_policy_is_about_pods_that_exist_and_ports_that_they_have() {
    for overlay in OVERLAYS.iter() {
        for policy in overlay.of("NetworkPolicy") {
            for app in apps(&policy["spec"]["podSelector"]) {
                let pods = overlay.pods().find(|pods| pods.app() == app);
                let pods = pods.unwrap_or_else(|| panic!("{}: there are no pods {app}", overlay.name));
                for port in list(&policy["spec"]["ingress"])
                    .iter()
                    .flat_map(|rule| list(&rule["ports"]))
                {
                    assert!(
                        pods.port(&port["port"]).is_some(),
                        "{} {app}: {port}",
                        overlay.name
                    );
                }
            }
        }
    }
}

#[test]
fn everybody_may_look_up_names_and_requests_may_come_in() {
    for overlay in OVERLAYS.iter() {
        let names = &overlay.get("NetworkPolicy", "names")["spec"];
        assert_eq!(names["podSelector"], serde_json::json!({}));
        let ports: Vec<_> = list(&names["egress"][0]["ports"])
            .iter()
            .map(|port| number(&port["port"]))
            .collect();
        assert_eq!(ports, [53, 53], "{}", overlay.name);
        let rest = &overlay.get("NetworkPolicy", "rest")["spec"]["ingress"][0];
        assert!(
            rest["from"][0]["namespaceSelector"].is_object(),
            "{}",
            overlay.name
        );
    }
}
