//! The plan, line by line.

use serde_json::Value;

use crate::resources::{OVERLAYS, Overlay, Pods, list, number, repository, text};

/// A component of the plan.
struct Line {
    name: &'static str,
    kind: &'static str,
    /// Port and target port of the Service of the same name; none where there is to be no Service.
    service: Option<u64>,
    container_port: Option<u64>,
    /// None where an autoscaler says how many.
    replicas: Option<u64>,
}

const PLAN: [Line; 5] = [
    Line {
        name: "redis",
        kind: "StatefulSet",
        service: Some(6379),
        container_port: Some(6379),
        replicas: Some(1),
    },
    Line {
        name: "rabbitmq",
        kind: "StatefulSet",
        service: Some(5672),
        container_port: Some(5672),
        replicas: Some(1),
    },
    Line {
        name: "classifier",
        kind: "Deployment",
        service: None,
        container_port: None,
        replicas: None,
    },
    Line {
        name: "usermanagement",
        kind: "Deployment",
        service: None,
        container_port: None,
        replicas: Some(1),
    },
    Line {
        name: "rest",
        kind: "Deployment",
        service: Some(5000),
        container_port: Some(5000),
        replicas: Some(1),
    },
];

fn each_line(mut check: impl FnMut(&Overlay, &Line, &Value)) {
    for overlay in OVERLAYS.iter() {
        for line in &PLAN {
            check(overlay, line, overlay.get(line.kind, line.name));
        }
    }
}

#[test]
fn every_component_has_a_dockerfile_of_its_own_and_runs_its_image() {
    each_line(|overlay, line, workload| {
        let name = line.name;
        let dockerfile = repository().join(format!("ops/docker/{name}/Dockerfile"));
        assert!(dockerfile.exists(), "{}", dockerfile.display());
        let containers = list(&workload["spec"]["template"]["spec"]["containers"]);
        let images: Vec<_> = containers
            .iter()
            .map(|container| text(&container["image"]))
            .collect();
        let wanted = format!("segue/{name}:{}", env!("CARGO_PKG_VERSION"));
        let is_it = |image: &&str| **image == wanted || image.ends_with(&format!("/{wanted}"));
        assert!(
            images.len() == 1 && images.iter().all(is_it),
            "{}: {images:?}",
            overlay.name
        );
    });
}

#[test]
fn every_component_carries_its_label_and_has_the_replicas_of_the_plan() {
    each_line(|overlay, line, workload| {
        let label =
            |labels: &Value| labels["app"] == line.name && labels["app.kubernetes.io/name"] == line.name;
        assert!(
            label(&workload["metadata"]["labels"]),
            "{} {}",
            overlay.name,
            line.name
        );
        assert!(
            label(&workload["spec"]["template"]["metadata"]["labels"]),
            "{}",
            line.name
        );
        let replicas = workload["spec"]["replicas"].as_u64();
        assert_eq!(replicas, line.replicas, "{} {}", overlay.name, line.name);
    });
}

#[test]
fn the_names_that_others_call_have_the_ports_of_the_plan() {
    each_line(|overlay, line, workload| {
        let Some(port) = line.service else {
            assert!(overlay.find("Service", line.name).is_none(), "{}", line.name);
            return;
        };
        let ports = list(&overlay.get("Service", line.name)["spec"]["ports"]);
        let ports: Vec<_> = ports
            .iter()
            .map(|port| (number(&port["port"]), number(&port["targetPort"])))
            .collect();
        assert_eq!(ports, [(port, port)], "{} {}", overlay.name, line.name);
        let pods = Pods {
            place: (overlay.name, line.kind, line.name),
            template: &workload["spec"]["template"],
        };
        let open: Vec<_> = pods.ports().map(|(_, port)| port).collect();
        assert_eq!(
            Some(open.as_slice()),
            line.container_port.as_ref().map(std::slice::from_ref)
        );
    });
}

#[test]
fn the_roles_find_broker_and_views_by_the_names_of_the_plan() {
    for overlay in OVERLAYS.iter() {
        for role in ["classifier", "usermanagement", "rest"] {
            let container = &overlay.get("Deployment", role)["spec"]["template"]["spec"]["containers"][0];
            let value = |name: &str| {
                let found = list(&container["env"])
                    .iter()
                    .find(|variable| variable["name"] == name);
                found.map(|variable| text(&variable["value"])).unwrap_or_default()
            };
            assert_eq!(value("RABBITMQ_HOST"), "rabbitmq", "{} {role}", overlay.name);
            assert_eq!(value("REDDIS_HOST"), "redis", "{} {role}", overlay.name);
            assert_eq!(value("REDIS_HOST"), "redis", "{} {role}", overlay.name);
        }
    }
}

#[test]
fn the_playlist_generator_scales_on_cpu_averaged_over_all_of_its_pods() {
    for overlay in OVERLAYS.iter() {
        let scaler = overlay.get("HorizontalPodAutoscaler", "classifier");
        assert_eq!(scaler["apiVersion"], "autoscaling/v2");
        let target = &scaler["spec"]["scaleTargetRef"];
        assert_eq!(
            (text(&target["kind"]), text(&target["name"])),
            ("Deployment", "classifier")
        );
        let metrics = list(&scaler["spec"]["metrics"]);
        let [metric] = metrics else { panic!("{metrics:?}") };
        assert_eq!(metric["type"], "Resource");
        assert_eq!(metric["resource"]["name"], "cpu");
        assert_eq!(metric["resource"]["target"]["type"], "Utilization");
    }
}

#[test]
fn requests_from_outside_come_to_rest_by_tls() {
    for overlay in OVERLAYS.iter() {
        let ingress = &overlay.get("Ingress", "rest")["spec"];
        for rule in list(&ingress["rules"]) {
            let is_secured =
                |tls: &&Value| list(&tls["hosts"]).contains(&rule["host"]) && tls["secretName"].is_string();
            assert!(
                list(&ingress["tls"]).iter().any(|tls| is_secured(&tls)),
                "{}: {rule}",
                overlay.name
            );
            let paths = list(&rule["http"]["paths"]);
            assert!(paths.iter().any(|path| path["path"] == "/v1"), "{}", overlay.name);
            for path in paths {
                let service = &path["backend"]["service"];
                assert_eq!(
                    (text(&service["name"]), text(&service["port"]["name"])),
                    ("rest", "http")
                );
                // These tell of the inside, and need no session.
                assert!(
                    !["/", "/livez", "/readyz", "/metrics"].contains(&text(&path["path"])),
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn a_job_trains_or_loads_the_base_model_and_publishes_it_to_firestore() {
    for overlay in OVERLAYS.iter() {
        let job = &overlay.get("Job", "base-model")["spec"]["template"]["spec"]["containers"][0];
        let args: Vec<_> = list(&job["args"]).iter().map(text).collect();
        let trains = matches!(args[..], ["model", "train", _, "--publish"]);
        let loads = matches!(args[..], ["model", "publish", _]);
        assert!(trains || loads, "{}: {args:?}", overlay.name);
        let settings = list(&job["envFrom"])[0]["configMapRef"]["name"].clone();
        let project = &overlay.get("ConfigMap", text(&settings))["data"]["FIRESTORE_PROJECT"];
        assert!(!text(project).is_empty(), "{}", overlay.name);
    }
}

#[test]
fn jobs_bring_the_database_and_the_broker_into_shape() {
    for overlay in OVERLAYS.iter() {
        for (name, wanted) in [
            ("migrate", vec!["migrate"]),
            ("topology", vec!["topology", "apply"]),
        ] {
            let job = &overlay.get("Job", name)["spec"]["template"]["spec"]["containers"][0];
            let args: Vec<_> = list(&job["args"]).iter().map(text).collect();
            assert_eq!(args, wanted, "{}", overlay.name);
        }
    }
}
