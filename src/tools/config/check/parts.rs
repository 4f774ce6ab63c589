//! Whether the parts fit together: each is embedded or elsewhere, and those that are elsewhere need more than a host.

use std::path::Path;

use eventing::PostgresConfig;
use tracing_subscriber::EnvFilter;

use super::keys::told;
use crate::roles::Role;
use crate::settings::Switch;
use crate::tools::config::finding::Finding;
use crate::tools::config::given::{Effective, Given};

/// Settings that do nothing without one of some others.
const WITHOUT_EFFECT: [(&str, &[&str]); 13] = [
    ("FIRESTORE_EMULATOR_HOST", &["FIRESTORE_PROJECT"]),
    ("OTEL_EXPORTER_OTLP_HEADERS", &["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    (
        "OTEL_EXPORTER_OTLP_HEADERS_FILE",
        &["OTEL_EXPORTER_OTLP_ENDPOINT"],
    ),
    ("OTEL_SERVICE_NAME", &["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    ("OTEL_TRACES_SAMPLER_ARG", &["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    ("RABBITMQ_PASSWORD", &["RABBITMQ_HOST"]),
    ("RABBITMQ_PASSWORD_FILE", &["RABBITMQ_HOST"]),
    ("RABBITMQ_USER", &["RABBITMQ_HOST"]),
    ("RABBITMQ_VHOST", &["RABBITMQ_HOST"]),
    ("REDIS_PASSWORD", &["REDIS_HOST", "REDDIS_HOST"]),
    ("REDIS_PASSWORD_FILE", &["REDIS_HOST", "REDDIS_HOST"]),
    ("REDIS_PREFIX", &["REDIS_HOST", "REDDIS_HOST"]),
    ("GOOGLE_APPLICATION_CREDENTIALS", &["FIRESTORE_PROJECT"]),
];
/// Whether this program can reach Firestore and a collector of traces.
const HAS_CLOUD_PARTS: bool = cfg!(feature = "production");

pub(super) fn all(given: &Given, effective: &Effective) -> Vec<Finding> {
    let found = [
        database(effective),
        broker(given, effective),
        views(effective),
        firestore(given, effective),
        traces(effective),
        private_log(given, effective),
        throttle(effective),
        shorter_log(effective),
        log_lines(given),
    ];
    found.into_iter().flatten().chain(without_effect(given)).collect()
}

fn database(effective: &Effective) -> Option<Finding> {
    let url = effective.settings.database_url.as_ref()?;
    let error = PostgresConfig::parse(url.reveal()).err()?;
    Some(Finding::error(&["DATABASE_URL"], told(&error)))
}

fn broker(given: &Given, effective: &Effective) -> Option<Finding> {
    const HOST: &str = "RABBITMQ_HOST";
    match effective.settings.hosts.rabbitmq() {
        // That its password cannot be read is told already.
        Err(_) if effective.is_unreadable("RABBITMQ_PASSWORD") => None,
        Err(error) => Some(Finding::error(&[HOST, "RABBITMQ_PASSWORD"], error.to_string())),
        Ok(Some(_)) => None,
        Ok(None) if given.arguments.role.roles() == Role::ALL => None,
        Ok(None) => Some(Finding::error(
            &[HOST],
            format!("{HOST} is not set: a role in a process of its own takes its events from the broker"),
        )),
    }
}

fn views(effective: &Effective) -> Option<Finding> {
    let error = effective.settings.hosts.redis().err()?;
    Some(Finding::error(&["REDIS_HOST", "REDDIS_HOST"], error.to_string()))
}

fn firestore(given: &Given, effective: &Effective) -> Option<Finding> {
    const PROJECT: &str = "FIRESTORE_PROJECT";
    const ACCOUNT: &str = "GOOGLE_APPLICATION_CREDENTIALS";
    let firestore = effective.settings.hosts.firestore()?;
    if !HAS_CLOUD_PARTS {
        let problem = format!(
            "{PROJECT} is set, and this program was built without Firestore: build it with `--features production`"
        );
        return Some(Finding::error(&[PROJECT], problem));
    }
    let file = given
        .text(ACCOUNT)
        .filter(|_| firestore.emulator.is_none())
        .map(Path::new)?;
    let error = std::fs::File::open(file).err()?;
    Some(Finding::error(
        &[ACCOUNT],
        format!(
            "{ACCOUNT} names {}, which cannot be read: {error}",
            file.display()
        ),
    ))
}

fn traces(effective: &Effective) -> Option<Finding> {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let traces = &effective.serving.traces;
    if !traces.are_wanted() {
        return None;
    }
    if !HAS_CLOUD_PARTS {
        let problem = format!(
            "{ENDPOINT} is set, and this program was built without the export of traces: build it with `--features production`"
        );
        return Some(Finding::error(&[ENDPOINT], problem));
    }
    let error = traces.headers().err()?;
    Some(Finding::error(&["OTEL_EXPORTER_OTLP_HEADERS"], error.to_string()))
}

/// A log in a data folder is shared by the processes of one machine alone.
fn private_log(given: &Given, effective: &Effective) -> Option<Finding> {
    let is_shared = given.is_given("DATABASE_URL") || given.is_given("DATABASE_URL_FILE");
    let others = ["RABBITMQ_HOST", "REDIS_HOST", "REDDIS_HOST"];
    let elsewhere: Vec<&str> = others.into_iter().filter(|name| given.is_given(name)).collect();
    let is_split = given.arguments.role.roles() != Role::ALL;
    if is_shared || (elsewhere.is_empty() && !is_split) {
        return None;
    }
    let problem = format!(
        "DATABASE_URL is not set: log and keys lie in {}, which every role must share",
        effective.settings.data.display()
    );
    Some(Finding::warning(
        &[&["DATABASE_URL"], &elsewhere[..]].concat(),
        problem,
    ))
}

fn throttle(effective: &Effective) -> Option<Finding> {
    let is_off = effective.serving.throttle == Switch::Off;
    is_off.then(|| {
        let problem =
            "SEGUE_THROTTLE is off: sign-ins and registrations are not limited; for load tests only";
        Finding::warning(&["SEGUE_THROTTLE"], problem)
    })
}

fn shorter_log(effective: &Effective) -> Option<Finding> {
    effective.settings.sealing.accept_shorter_log.then(|| {
        let problem = "SEGUE_ACCEPT_SHORTER_LOG is set: a log that lost its end is taken for whole; unset it after one start";
        Finding::warning(&["SEGUE_ACCEPT_SHORTER_LOG"], problem)
    })
}

fn log_lines(given: &Given) -> Option<Finding> {
    let filter = given.text("RUST_LOG")?.to_string_lossy();
    let error = EnvFilter::try_new(&filter).err()?;
    let problem = format!("RUST_LOG is {filter:?}, so the default holds: {}", told(&error));
    Some(Finding::warning(&["RUST_LOG"], problem))
}

fn without_effect(given: &Given) -> impl Iterator<Item = Finding> {
    let idle = WITHOUT_EFFECT.into_iter().filter(|(name, needed)| {
        given.text(name).is_some() && !needed.iter().any(|needed| given.is_given(needed))
    });
    idle.map(|(name, needed)| {
        Finding::warning(
            &[name],
            format!("{name} has no effect without {}", needed.join(" or ")),
        )
    })
}
