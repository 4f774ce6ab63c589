//! What holds for every pod.

use serde_json::Value;

use crate::resources::{OVERLAYS, Pods, list, number, text};

fn each_pod(mut check: impl FnMut(Pods<'_>)) {
    for overlay in OVERLAYS.iter() {
        assert!(overlay.pods().count() >= 8, "{}", overlay.name);
        overlay.pods().for_each(&mut check);
    }
}

/// What only production has to bring: these are made outside of it.
const SECRETS: [&str; 4] = [
    "segue-database",
    "segue-master-key",
    "segue-rabbitmq",
    "segue-redis",
];

#[test]
fn every_container_that_stays_is_probed_at_a_port_that_it_has() {
    each_pod(|pods| {
        if pods.place.1 == "Job" {
            return;
        }
        for container in list(&pods.template["spec"]["containers"]) {
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                let probe = &container[probe];
                assert!(probe.is_object(), "{:?}", pods.place);
                for port in [&probe["httpGet"]["port"], &probe["tcpSocket"]["port"]] {
                    assert!(
                        port.is_null() || pods.port(port).is_some(),
                        "{:?}: {port}",
                        pods.place
                    );
                }
            }
        }
    });
}

/// A process that is restarted because a server is away comes up without that server too.
#[test]
fn liveness_looks_at_the_process_alone() {
    each_pod(|pods| {
        for container in pods.containers() {
            assert_ne!(
                container["livenessProbe"]["httpGet"]["path"], "/readyz",
                "{:?}",
                pods.place
            );
        }
    });
}

#[test]
fn every_container_says_what_it_needs_and_what_it_may_take() {
    each_pod(|pods| {
        for container in pods.containers() {
            for bound in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    let said = &container["resources"][bound][resource];
                    assert!(!said.is_null(), "{:?}: {bound} of {resource}", pods.place);
                }
            }
        }
    });
}

#[test]
fn every_pod_passes_the_restricted_standard_on_a_root_that_cannot_be_written() {
    for overlay in OVERLAYS.iter() {
        let namespace = overlay.get("Namespace", "segue");
        let labels = &namespace["metadata"]["labels"];
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    }
    each_pod(|pods| {
        let pod = &pods.template["spec"]["securityContext"];
        assert_eq!(pod["runAsNonRoot"], true, "{:?}", pods.place);
        assert!(number(&pod["runAsUser"]) >= 10_000, "{:?}", pods.place);
        assert_eq!(
            pod["seccompProfile"]["type"], "RuntimeDefault",
            "{:?}",
            pods.place
        );
        for container in pods.containers() {
            let container = &container["securityContext"];
            assert_eq!(container["allowPrivilegeEscalation"], false, "{:?}", pods.place);
            assert_eq!(container["readOnlyRootFilesystem"], true, "{:?}", pods.place);
            assert_eq!(
                list(&container["capabilities"]["drop"]),
                ["ALL"],
                "{:?}",
                pods.place
            );
        }
    });
}

#[test]
fn every_pod_has_an_account_of_its_own_without_a_token() {
    for overlay in OVERLAYS.iter() {
        for pods in overlay.pods() {
            let account = text(&pods.template["spec"]["serviceAccountName"]);
            let account = overlay.get("ServiceAccount", account);
            assert_eq!(account["automountServiceAccountToken"], false, "{:?}", pods.place);
            let token = &pods.template["spec"]["automountServiceAccountToken"];
            assert_eq!(*token, false, "{:?}", pods.place);
        }
    }
}

#[test]
fn every_image_has_a_version_that_does_not_move() {
    each_pod(|pods| {
        for container in pods.containers() {
            let image = text(&container["image"]);
            let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
            assert!(
                tag.contains(|letter: char| letter.is_ascii_digit()),
                "{:?}: {image}",
                pods.place
            );
            let is_ours = name.split('/').any(|part| part == "segue");
            assert!(
                !is_ours || tag == env!("CARGO_PKG_VERSION"),
                "{:?}: {image}",
                pods.place
            );
        }
    });
}

#[test]
fn every_pod_carries_the_recommended_labels() {
    each_pod(|pods| {
        let labels = &pods.template["metadata"]["labels"];
        for label in ["name", "instance", "component", "part-of", "managed-by"] {
            let label = format!("app.kubernetes.io/{label}");
            assert!(labels[&label].is_string(), "{:?}: {label}", pods.place);
        }
        let version = text(&labels["app.kubernetes.io/version"]);
        let images = pods.containers().map(|container| text(&container["image"]));
        for (_, tag) in images.filter_map(|image| image.rsplit_once(':')) {
            assert!(
                !version.is_empty() && tag.starts_with(version),
                "{:?}: {version:?}",
                pods.place
            );
        }
    });
}

/// What stands in a variable is seen by everybody who may look at the pod.
#[test]
fn secrets_come_as_files_and_never_as_variables() {
    each_pod(|pods| {
        for container in pods.containers() {
            for variable in list(&container["env"]) {
                let name = text(&variable["name"]);
                assert!(variable["valueFrom"].is_null(), "{:?}: {name}", pods.place);
                let is_secret = ["PASSWORD", "KEY", "URL"].iter().any(|word| name.contains(word));
                let is_file =
                    name.ends_with("_FILE") && is_mounted(pods, container, text(&variable["value"]));
                assert!(!is_secret || is_file, "{:?}: {name}", pods.place);
            }
            let from = list(&container["envFrom"]);
            assert!(
                from.iter().all(|from| from["secretRef"].is_null()),
                "{:?}",
                pods.place
            );
        }
    });
}

/// Whether `path` is a file that a volume of secrets brings.
fn is_mounted(pods: Pods<'_>, container: &Value, path: &str) -> bool {
    let mounts = list(&container["volumeMounts"]);
    let mount = mounts
        .iter()
        .find(|mount| path.starts_with(&format!("{}/", text(&mount["mountPath"]))));
    let Some(mount) = mount else { return false };
    let file = &path[text(&mount["mountPath"]).len() + 1..];
    let volumes = list(&pods.template["spec"]["volumes"]);
    let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
    volume.is_some_and(|volume| secrets_of(volume).any(|(_, item)| item["path"] == file))
}

/// Each Secret that a volume holds, with each of its items.
fn secrets_of(volume: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let sources = list(&volume["projected"]["sources"]).iter();
    let projected = sources.flat_map(|source| {
        let secret = &source["secret"];
        list(&secret["items"])
            .iter()
            .map(move |item| (text(&secret["name"]), item))
    });
    let secret = &volume["secret"];
    let whole = list(&secret["items"])
        .iter()
        .map(move |item| (text(&secret["secretName"]), item));
    projected.chain(whole)
}

#[test]
fn every_secret_is_one_that_the_overlay_makes_or_says_it_needs() {
    let said = crate::resources::file("ops/k8s/overlays/production/kustomization.yaml");
    for overlay in OVERLAYS.iter() {
        for pods in overlay.pods() {
            for (secret, item) in list(&pods.template["spec"]["volumes"])
                .iter()
                .flat_map(secrets_of)
            {
                match overlay.name {
                    "local" => {
                        let key = text(&item["key"]);
                        let data = &overlay.get("Secret", secret)["data"];
                        assert!(!text(&data[key]).is_empty(), "{:?}: {secret} {key}", pods.place);
                    }
                    _ => assert!(SECRETS.contains(&secret) && said.contains(secret), "{secret}"),
                }
            }
        }
    }
}

#[test]
fn every_mount_has_its_volume() {
    each_pod(|pods| {
        let mut volumes: Vec<_> = list(&pods.template["spec"]["volumes"]).iter().collect();
        let claims = OVERLAYS.iter().flat_map(|overlay| overlay.of("StatefulSet"));
        let claims = claims.filter(|set| set["metadata"]["name"] == pods.place.2);
        volumes.extend(
            claims
                .flat_map(|set| list(&set["spec"]["volumeClaimTemplates"]))
                .map(|claim| &claim["metadata"]),
        );
        for mount in pods
            .containers()
            .flat_map(|container| list(&container["volumeMounts"]))
        {
            let name = &mount["name"];
            assert!(
                volumes.iter().any(|volume| volume["name"] == *name),
                "{:?}: {name}",
                pods.place
            );
        }
    });
}

/// Kubernetes would otherwise tell of each Service in variables of names that the program reads.
#[test]
fn no_pod_is_told_of_services_by_variables() {
    each_pod(|pods| {
        assert_eq!(
            pods.template["spec"]["enableServiceLinks"], false,
            "{:?}",
            pods.place
        )
    });
}
