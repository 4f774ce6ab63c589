//! `segue config check`: the settings as they are, where each comes from, and what is wrong with them.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What the program says of `settings`, and its exit status.
fn check(settings: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_segue"))
        .args(["config", "check", "--format", "json"])
        .args(arguments)
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code(), report)
}

fn problems(report: &Value, severity: &str) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let worse = findings.filter(|finding| finding["severity"] == severity);
    worse
        .map(|finding| finding["problem"].as_str().expect("a problem").to_owned())
        .collect()
}

/// Checks that exactly one error is found, which holds `part`, and that the program says no.
#[track_caller]
fn refused(settings: &[(&str, &str)], arguments: &[&str], part: &str) {
    let (status, report) = check(settings, arguments);
    let errors = problems(&report, "error");
    assert!(
        errors.len() == 1 && errors[0].contains(part),
        "{settings:?}: {errors:?}"
    );
    assert_eq!((status, &report["ok"]), (Some(1), &Value::Bool(false)));
}

/// Checks that the program says yes, and warns of `part`.
#[track_caller]
fn warned(settings: &[(&str, &str)], part: &str) {
    let (status, report) = check(settings, &[]);
    let warnings = problems(&report, "warning");
    assert!(
        warnings.iter().any(|warning| warning.contains(part)),
        "{settings:?}: {report:#}"
    );
    assert_eq!(
        (status, &report["ok"]),
        (Some(0), &Value::Bool(true)),
        "{report:#}"
    );
}

fn setting<'a>(report: &'a Value, name: &str) -> (&'a Value, &'a str) {
    let settings = report["settings"].as_array().expect("settings");
    let found = settings.iter().find(|setting| setting["environment"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} is missing"));
    (&found["value"], found["source"].as_str().expect("a source"))
}

fn file(folder: &Path, text: &str) -> String {
    let mut file = tempfile::NamedTempFile::new_in(folder).expect("a file");
    file.write_all(text.as_bytes()).expect("it is written");
    let (_, path) = file.keep().expect("it stays");
    path.to_str().expect("a readable path").to_owned()
}

const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const DATABASE: &str = "postgres://segue:hunter2secret@127.0.0.1:1/segue";

#[test]
fn a_newcomers_settings_are_fine_and_nothing_is_made() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let (status, report) = check(&[], &["--data", data.to_str().expect("a path"), "--connect"]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report:#}");
    let parts = report["parts"].as_array().expect("parts");
    assert!(
        parts.len() == 5 && parts.iter().all(|part| part["is_embedded"] == true),
        "{report:#}"
    );
    assert!(!data.exists(), "looking made the data folder");
}

#[test]
fn every_setting_says_where_it_comes_from_and_no_secret_is_shown() {
    let folder = TempDir::new().expect("a folder");
    let password = file(folder.path(), "swordfish-in-a-file\n");
    let settings = [
        ("SEGUE_MASTER_KEY", MASTER_KEY),
        ("SEGUE_DRAIN_TIMEOUT_S", "7"),
        ("DATABASE_URL", DATABASE),
        ("RABBITMQ_HOST", "broker"),
        ("RABBITMQ_PASSWORD_FILE", &password),
    ];
    let (status, report) = check(&settings, &["--redis-port", "tcp://10.0.0.1:6380"]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(
        setting(&report, "SEGUE_DRAIN_TIMEOUT_S"),
        (&"7".into(), "environment")
    );
    assert_eq!(
        setting(&report, "REDIS_PORT"),
        (&"tcp://10.0.0.1:6380".into(), "flag")
    );
    assert_eq!(
        setting(&report, "SEGUE_LISTEN"),
        (&"127.0.0.1:5000".into(), "default")
    );
    assert_eq!(setting(&report, "REDIS_HOST"), (&Value::Null, "unset"));
    assert_eq!(setting(&report, "RABBITMQ_PASSWORD").1, "file");
    assert_eq!(setting(&report, "DATABASE_URL").1, "environment");
    let shown = report.to_string();
    for secret in ["hunter2secret", "swordfish", MASTER_KEY] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}

#[test]
fn the_settings_are_those_that_the_program_lists() {
    let listed = Command::new(env!("CARGO_BIN_EXE_segue"))
        .args(["settings", "--format", "json"])
        .output()
        .expect("it runs");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let names = |settings: &Value| -> Vec<String> {
        let settings = settings.as_array().expect("settings").iter();
        settings
            .map(|setting| setting["environment"].to_string())
            .collect()
    };
    let (_, report) = check(&[], &[]);
    assert_eq!(names(&report["settings"]), names(&listed["settings"]));
}

#[test]
fn each_setting_that_makes_no_sense_is_named_and_none_hides_another() {
    refused(&[("SEGUE_LISTEN", "here")], &[], "SEGUE_LISTEN is \"here\"");
    refused(&[("REDIS_PORT", "many")], &[], "REDIS_PORT");
    refused(&[("SEGUE_THROTTLE", "maybe")], &[], "must be one of on, off");
    refused(
        &[("SEGUE_ACCEPT_SHORTER_LOG", "perhaps")],
        &[],
        "SEGUE_ACCEPT_SHORTER_LOG",
    );
    refused(&[], &["--drain-delay-s=-1"], "SEGUE_DRAIN_DELAY_S");
    refused(
        &[("REDIS_HOST", "redis:6379")],
        &[],
        "the port goes into REDIS_PORT",
    );
    let (status, report) = check(
        &[("SEGUE_LISTEN", "here"), ("RABBITMQ_PORT", "0")],
        &["--redis-port", "x"],
    );
    assert_eq!(
        (status, problems(&report, "error").len()),
        (Some(1), 3),
        "{report:#}"
    );
}

#[test]
fn where_spans_go_is_checked_and_a_header_is_never_shown() {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const COLLECTOR: (&str, &str) = (ENDPOINT, "http://collector:4318");
    refused(&[(ENDPOINT, "collector:4317")], &[], "must begin with http://");
    refused(&[("OTEL_TRACES_SAMPLER_ARG", "2")], &[], "from 0 to 1");
    warned(
        &[("OTEL_SERVICE_NAME", "music")],
        "no effect without OTEL_EXPORTER_OTLP_ENDPOINT",
    );
    if cfg!(not(feature = "production")) {
        return refused(&[COLLECTOR], &[], "--features production");
    }
    let with = |headers| check(&[COLLECTOR, ("OTEL_EXPORTER_OTLP_HEADERS", headers)], &[]);
    let (status, report) = with("authorization=Bearer%20hunter2");
    assert_eq!(status, Some(0), "{report:#}");
    assert!(!report.to_string().contains("hunter2"), "{report:#}");
    let (status, report) = with("hunter2");
    assert_eq!(status, Some(1), "{report:#}");
    assert!(problems(&report, "error")[0].contains("OTEL_EXPORTER_OTLP_HEADERS"));
    assert!(!report.to_string().contains("hunter2"), "{report:#}");
}

#[test]
fn settings_that_contradict_each_other_or_are_half_given_are_errors() {
    refused(
        &[("REDIS_HOST", "one"), ("REDDIS_HOST", "two")],
        &[],
        "name two hosts",
    );
    refused(&[("RABBITMQ_HOST", "broker")], &[], "RABBITMQ_PASSWORD is not");
    refused(&[("DATABASE_URL", DATABASE)], &[], "the same master key");
    refused(
        &[
            ("SEGUE_MASTER_KEY", MASTER_KEY),
            ("SEGUE_MASTER_KEY_FILE", "/etc/key"),
        ],
        &[],
        "both set",
    );
    refused(
        &[
            ("REDIS_HOST", "r"),
            ("REDIS_PASSWORD", "a"),
            ("REDIS_PASSWORD_FILE", "/b"),
        ],
        &[],
        "both set",
    );
    refused(
        &[("DATABASE_URL", "mysql://x"), ("SEGUE_MASTER_KEY", MASTER_KEY)],
        &[],
        "no URL of a PostgreSQL",
    );
    refused(&[("SEGUE_MASTER_KEY", "short")], &[], "SEGUE_MASTER_KEY");
    refused(&[("SEGUE_MASTER_KEY", "")], &[], "SEGUE_MASTER_KEY");
    refused(&[("SEGUE_AUDIT_KEY", "PRIVATE+KEY+x")], &[], "SEGUE_AUDIT_KEY");
    refused(&[], &["--role", "classifier"], "RABBITMQ_HOST is not set");
}

#[test]
fn firestore_needs_an_emulators_address_or_an_account_and_to_be_built_in() {
    let project = ("FIRESTORE_PROJECT", "p");
    if !cfg!(feature = "production") {
        refused(&[project], &[], "built without Firestore");
        return;
    }
    refused(
        &[project, ("FIRESTORE_EMULATOR_HOST", "nowhere")],
        &[],
        "must be as 127.0.0.1:8080",
    );
    refused(
        &[project, ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/a.json")],
        &[],
        "cannot be read",
    );
    assert_eq!(
        check(&[project, ("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")], &[]).0,
        Some(0)
    );
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let folder = TempDir::new().expect("a folder");
    let (missing, empty) = (folder.path().join("missing"), file(folder.path(), "\n"));
    let missing = missing.to_str().expect("a path");
    let host = ("RABBITMQ_HOST", "broker");
    refused(
        &[host, ("RABBITMQ_PASSWORD_FILE", missing)],
        &[],
        "cannot be read",
    );
    refused(
        &[host, ("RABBITMQ_PASSWORD_FILE", &empty)],
        &[],
        "first line is empty",
    );
    refused(
        &[("SEGUE_MASTER_KEY_FILE", missing)],
        &[],
        "SEGUE_MASTER_KEY_FILE",
    );
    refused(&[("SEGUE_AUDIT_KEY_FILE", &empty)], &[], "SEGUE_AUDIT_KEY_FILE");
    refused(&[("SEGUE_DATA", &empty)], &[], "is no folder");
}

#[test]
fn what_would_start_and_deserves_a_look_is_a_warning() {
    warned(&[("SEGUE_THROTTLE", "off")], "for load tests only");
    warned(&[("SEGUE_ACCEPT_SHORTER_LOG", "1")], "unset it");
    warned(&[("SEGUE_DATTA", "/x")], "SEGUE_DATA is one");
    warned(
        &[("REDIS_PASSWORD", "x")],
        "no effect without REDIS_HOST or REDDIS_HOST",
    );
    warned(&[("REDDIS_HOST", "views")], "which every role must share");
    warned(&[("RUST_LOG", "info,=what=")], "the default holds");
    warned(
        &[("DATABASE_URL", DATABASE), ("SEGUE_MASTER_KEY", MASTER_KEY)],
        "no checkpoint is signed",
    );
}

#[test]
fn a_server_that_cannot_be_reached_is_wrong_when_it_is_tried() {
    // A port that nobody listens on: it was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    drop(listener);
    let settings = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("RABBITMQ_HOST", "127.0.0.1"),
        ("RABBITMQ_PORT", port.as_str()),
        ("RABBITMQ_PASSWORD", "hunter2secret"),
    ];
    assert_eq!(check(&settings, &[]).0, Some(0), "nobody was asked");
    let (status, report) = check(&settings, &["--connect"]);
    let errors = problems(&report, "error");
    assert_eq!((status, errors.len()), (Some(1), 2), "{report:#}");
    for part in ["bus cannot be used", "views cannot be used"] {
        assert!(errors.iter().any(|error| error.starts_with(part)), "{errors:?}");
    }
    assert!(!report.to_string().contains("hunter2secret"));
}

#[test]
fn a_person_gets_tables_and_a_sum() {
    let output = Command::new(env!("CARGO_BIN_EXE_segue"))
        .args(["config", "check"])
        .env_clear()
        .envs([
            ("REDIS_HOST", "one"),
            ("REDDIS_HOST", "two"),
            ("REDIS_PASSWORD", "hunter2secret"),
        ])
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for line in [
        "SQLite",
        "error: REDIS_HOST and REDDIS_HOST name two hosts",
        "1 error, 1 warning",
        "(set, not shown)",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
    assert!(
        output.status.code() == Some(1) && !text.contains("hunter2secret"),
        "{text}"
    );
}
