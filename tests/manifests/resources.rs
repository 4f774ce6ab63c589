//! Rendered overlays as data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// Both overlays.
pub(crate) static OVERLAYS: LazyLock<[Overlay; 2]> =
    LazyLock::new(|| [Overlay::rendered("local"), Overlay::rendered("production")]);

/// What an overlay comes to.
pub(crate) struct Overlay {
    pub(crate) name: &'static str,
    pub(crate) resources: Vec<Value>,
}

/// The pods of a workload.
#[derive(Clone, Copy)]
pub(crate) struct Pods<'a> {
    /// For messages: overlay, kind and name.
    pub(crate) place: (&'a str, &'a str, &'a str),
    pub(crate) template: &'a Value,
}

impl Overlay {
    fn rendered(name: &'static str) -> Self {
        let script = repository().join("ops/k8s/render");
        let output = Command::new(script).arg(name).output().expect("it can be run");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} cannot be rendered: {complaint}");
        let text = String::from_utf8(output.stdout).expect("YAML is UTF-8");
        let resources = serde_saphyr::from_multiple(&text).expect("rendered manifests are YAML");
        Self { name, resources }
    }

    /// All resources of a kind.
    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.resources
            .iter()
            .filter(move |resource| resource["kind"] == kind)
    }

    /// The resource of a kind and name, if there is one.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        self.resources
            .iter()
            .find(|resource| resource["kind"] == kind && resource["metadata"]["name"] == name)
    }

    /// The resource of a kind and name.
    #[track_caller]
    pub(crate) fn get(&self, kind: &str, name: &str) -> &Value {
        let found = self.find(kind, name);
        found.unwrap_or_else(|| panic!("{}: there is no {kind} {name}", self.name))
    }

    /// The pods of every workload.
    pub(crate) fn pods(&self) -> impl Iterator<Item = Pods<'_>> {
        self.resources.iter().filter_map(|resource| {
            let kind = text(&resource["kind"]);
            ["Deployment", "StatefulSet", "Job"]
                .contains(&kind)
                .then(|| Pods {
                    place: (self.name, kind, text(&resource["metadata"]["name"])),
                    template: &resource["spec"]["template"],
                })
        })
    }
}

impl<'a> Pods<'a> {
    /// The value of the label `app`, which everything selects by.
    pub(crate) fn app(self) -> &'a str {
        text(&self.template["metadata"]["labels"]["app"])
    }

    /// Every container, those that run before the others too.
    pub(crate) fn containers(self) -> impl Iterator<Item = &'a Value> {
        let spec = &self.template["spec"];
        list(&spec["initContainers"])
            .iter()
            .chain(list(&spec["containers"]))
    }

    /// Every port that a container listens on, with its name.
    pub(crate) fn ports(self) -> impl Iterator<Item = (&'a str, u64)> {
        self.containers()
            .flat_map(|container| list(&container["ports"]))
            .map(|port| (text(&port["name"]), number(&port["containerPort"])))
    }

    /// The port that a probe, a Service or a policy names by number or name.
    pub(crate) fn port(self, wanted: &Value) -> Option<u64> {
        self.ports()
            .find(|(name, number)| wanted == *name || wanted == *number)
            .map(|(_, number)| number)
    }
}

/// A string; the empty one where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A whole number.
#[track_caller]
pub(crate) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no whole number"))
}

/// A list; the empty one where there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether all of `wanted` stand among the labels of `pods`.
pub(crate) fn selects(wanted: &Value, pods: Pods<'_>) -> bool {
    let labels = &pods.template["metadata"]["labels"];
    let wanted = wanted.as_object().expect("a selector");
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
#[track_caller]
pub(crate) fn file(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
