//! The program's settings, as it tells them, against what the manifests and the documentation say.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::resources::{OVERLAYS, file, list, number, text};

/// What `segue settings` says in a form.
fn told(format: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segue"));
    let output = command
        .args(["settings", "--format", format])
        .output()
        .expect("it runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What `segue settings` says, as data.
pub(crate) fn listing() -> Value {
    serde_json::from_str(&told("json")).expect("JSON")
}

/// Every environment variable that the program knows.
pub(crate) fn known() -> BTreeSet<String> {
    let listing = listing();
    let names = list(&listing["settings"]).iter();
    names
        .map(|setting| text(&setting["environment"]).to_owned())
        .collect()
}

/// The value of a setting in whole seconds, when nobody sets it.
pub(crate) fn default_s(name: &str) -> u64 {
    let listing = listing();
    let setting = list(&listing["settings"])
        .iter()
        .find(|setting| setting["environment"] == name);
    let default = setting.map(|setting| text(&setting["default"]).parse());
    default
        .and_then(Result::ok)
        .unwrap_or_else(|| panic!("{name} has no default in seconds"))
}

/// How long roles may take to end.
pub(crate) fn stop_limit_s() -> u64 {
    number(&listing()["stop_limit_s"])
}

#[test]
fn every_variable_in_the_manifests_is_one_that_the_program_knows() {
    let known = known();
    for overlay in OVERLAYS.iter() {
        let roles = overlay.pods().flat_map(|pods| pods.containers());
        for container in roles.filter(|container| is_the_program(text(&container["image"]))) {
            let mut names: Vec<String> = list(&container["env"])
                .iter()
                .map(|one| text(&one["name"]).to_owned())
                .collect();
            for from in list(&container["envFrom"]) {
                let map = overlay.get("ConfigMap", text(&from["configMapRef"]["name"]));
                names.extend(map["data"].as_object().expect("settings").keys().cloned());
            }
            for name in &names {
                assert!(
                    known.contains(name),
                    "{}: the program does not know {name}",
                    overlay.name
                );
            }
            let distinct: BTreeSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{}: {names:?}", overlay.name);
        }
    }
}

/// Whether the image holds the program, and not a server.
pub(crate) fn is_the_program(image: &str) -> bool {
    ["rest", "usermanagement", "classifier"]
        .iter()
        .any(|role| image.contains(&format!("segue/{role}:")))
}

#[test]
fn operations_md_lists_every_setting_as_the_program_tells_it() {
    let page = file("docs/operations.md");
    let table = told("text");
    assert!(
        page.contains(table.trim()),
        "put what `segue settings` prints into docs/operations.md"
    );
}
