//! The stack for docker on one machine agrees with the program and with the manifests.

use serde_json::Value;

use crate::resources::{file, list, text};
use crate::settings::{is_the_program, known, stop_limit_s};

fn services() -> serde_json::Map<String, Value> {
    let text = file("ops/compose.yaml");
    let page: Value = serde_saphyr::from_str(&text).expect("YAML");
    page["services"].as_object().expect("services").clone()
}

#[test]
fn compose_runs_every_component_of_the_plan() {
    let services = services();
    for name in ["redis", "rabbitmq", "classifier", "usermanagement", "rest"] {
        let wanted = format!("segue/{name}:${{SEGUE_TAG:-{}}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(services[name]["image"], wanted);
    }
}

#[test]
fn compose_sets_what_the_program_knows() {
    let known = known();
    for (name, service) in services() {
        if !is_the_program(text(&service["image"])) {
            continue;
        }
        let settings = service["environment"].as_object().expect("settings");
        assert!(
            settings.contains_key("REDDIS_HOST") && settings.contains_key("RABBITMQ_HOST"),
            "{name}"
        );
        for setting in settings.keys() {
            assert!(
                known.contains(setting),
                "{name}: the program does not know {setting}"
            );
        }
    }
}

#[test]
fn compose_gives_every_secret_as_a_file() {
    for (name, service) in services() {
        let secrets: Vec<_> = list(&service["secrets"]).iter().map(text).collect();
        for (setting, value) in service["environment"].as_object().into_iter().flatten() {
            if let Some(secret) = text(value).strip_prefix("/run/secrets/") {
                assert!(secrets.contains(&secret), "{name}: {setting}");
            }
            let is_secret = ["PASSWORD", "KEY", "URL"]
                .iter()
                .any(|word| setting.contains(word));
            assert!(!is_secret || setting.ends_with("_FILE"), "{name}: {setting}");
        }
    }
}

#[test]
fn compose_gives_the_program_longer_to_end_than_it_may_take() {
    for (name, service) in services() {
        assert_eq!(service["read_only"], true, "{name}");
        if is_the_program(text(&service["image"])) {
            let period = text(&service["stop_grace_period"])
                .trim_end_matches('s')
                .parse::<u64>();
            assert!(period.expect("seconds") > stop_limit_s() + 10, "{name}");
        }
    }
}

/// Nothing but REST, and that only on this machine.
#[test]
fn compose_opens_one_port_of_the_machine() {
    for (name, service) in services() {
        let open = list(&service["ports"]);
        match name.as_str() {
            "rest" => assert!(
                open.iter().all(|port| text(port).starts_with("127.0.0.1:")),
                "{open:?}"
            ),
            _ => assert!(open.is_empty(), "{name}"),
        }
    }
    assert_eq!(list(&services()["rest"]["ports"]).len(), 1);
}
