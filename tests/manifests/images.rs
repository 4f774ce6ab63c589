//! What holds for every Dockerfile.

use crate::resources::{file, repository};

/// Every image, with the port that it listens on.
const IMAGES: [(&str, Option<u16>); 7] = [
    ("classifier", Some(5000)),
    ("firestore", Some(8080)),
    ("rabbitmq", Some(5672)),
    ("redis", Some(6379)),
    ("rest", Some(5000)),
    ("segue", None),
    ("usermanagement", Some(5000)),
];

/// A Dockerfile's instructions, each on one line.
fn instructions(image: &str) -> Vec<String> {
    let text = file(format!("ops/docker/{image}/Dockerfile"));
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

/// What comes after the instruction, of each of its kind.
fn of<'a>(instructions: &'a [String], name: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
    instructions
        .iter()
        .filter_map(move |line| line.strip_prefix(name)?.strip_prefix(' '))
}

#[test]
fn every_folder_with_a_dockerfile_is_known() {
    let folders = std::fs::read_dir(repository().join("ops/docker")).expect("it is there");
    let folders = folders
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Dockerfile").exists());
    let mut found: Vec<_> = folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, IMAGES.map(|(name, _)| name));
}

#[test]
fn every_image_runs_as_a_user_with_a_number_and_without_rights() {
    for (image, _) in IMAGES {
        let instructions = instructions(image);
        assert_eq!(
            of(&instructions, "USER").next_back(),
            Some("10001:10001"),
            "{image}"
        );
    }
}

#[test]
fn every_image_stands_on_a_version_that_is_named() {
    for (image, _) in IMAGES {
        let instructions = instructions(image);
        let arguments: Vec<_> = of(&instructions, "ARG").collect();
        for from in of(&instructions, "FROM") {
            let from = from.split(' ').next().expect("a name");
            let argument = arguments
                .iter()
                .find_map(|argument| argument.strip_prefix("BASE="));
            let from = if from == "${BASE}" {
                argument.expect("a default")
            } else {
                from
            };
            let has_version = from.split_once(':').is_some_and(|(_, tag)| tag != "latest");
            assert!(has_version || from == "scratch", "{image}: {from}");
        }
        let versions = arguments
            .iter()
            .filter_map(|argument| argument.strip_prefix("VERSION="));
        assert!(
            versions
                .clone()
                .all(|version| version == env!("CARGO_PKG_VERSION")),
            "{image}"
        );
    }
}

#[test]
fn every_image_says_what_it_is_and_where_it_listens() {
    for (image, port) in IMAGES {
        let instructions = instructions(image);
        let labels = of(&instructions, "LABEL").collect::<Vec<_>>().join(" ");
        for label in ["title", "description"] {
            assert!(
                labels.contains(&format!("org.opencontainers.image.{label}=")),
                "{image}: {label}"
            );
        }
        let exposed = of(&instructions, "EXPOSE")
            .next()
            .map(|port| port.parse().expect("a port"));
        assert_eq!(exposed, port, "{image}");
    }
}

/// A shell between would keep SIGTERM to itself.
#[test]
fn every_image_starts_its_program_without_a_shell() {
    for (image, _) in IMAGES {
        let instructions = instructions(image);
        let starts = of(&instructions, "ENTRYPOINT").chain(of(&instructions, "CMD"));
        let starts: Vec<_> = starts.collect();
        assert!(
            !starts.is_empty() && starts.iter().all(|start| start.starts_with("[\"")),
            "{image}: {starts:?}"
        );
    }
    for role in ["rest", "usermanagement", "classifier"] {
        let wanted = format!("[\"/usr/bin/segue\", \"{role}\"]");
        assert_eq!(
            of(&instructions(role), "ENTRYPOINT").collect::<Vec<_>>(),
            [wanted]
        );
    }
}

#[test]
fn no_image_holds_a_secret_or_a_user_that_everybody_knows() {
    for (image, _) in IMAGES {
        for line in instructions(image) {
            let sets = line.starts_with("ENV") || line.starts_with("ARG");
            let names_secret = ["PASSWORD", "SECRET", "TOKEN", "KEY"]
                .iter()
                .any(|word| line.contains(word));
            assert!(!(sets && names_secret), "{image}: {line}");
            assert!(!line.starts_with("ADD "), "{image}: {line}");
        }
    }
    for path in ["rabbitmq.conf", "rabbitmq-env.conf", "start"] {
        let text = file(format!("ops/docker/rabbitmq/{path}"));
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.all(|line| !line.contains("guest")), "{path}");
    }
}

/// What a build sees is named; a new folder with secrets in it is not among that.
#[test]
fn a_build_sees_only_what_it_is_shown() {
    let text = file(".dockerignore");
    let mut lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"));
    let shown: Vec<_> = lines.filter_map(|line| line.strip_prefix('!')).collect();
    for path in &shown {
        assert!(repository().join(path).exists(), "{path}");
    }
    let members = file("Cargo.toml");
    let members = members
        .lines()
        .find_map(|line| line.strip_prefix("members = "))
        .expect("members");
    let members: Vec<String> = serde_json::from_str(members).expect("a list");
    for member in members.iter().filter(|member| *member != ".") {
        assert!(
            shown.contains(&member.as_str()),
            "{member} is missing, and cargo would refuse to build"
        );
    }
}
