//! The master key and the audit key: whether they can be read, and are there where they must be.

use eventing::notes::{KEY_FILE, SigningKey};
use eventing::{Keys, MasterKey};

use crate::settings::Settings;
use crate::tools::config::finding::Finding;
use crate::tools::config::given::{Effective, Given};

const MASTER: (&str, &str) = ("SEGUE_MASTER_KEY", "SEGUE_MASTER_KEY_FILE");
const AUDIT: (&str, &str) = ("SEGUE_AUDIT_KEY", "SEGUE_AUDIT_KEY_FILE");

pub(super) fn all(given: &Given, effective: &Effective) -> Vec<Finding> {
    // A database whose URL cannot be read is a database.
    let is_shared = effective.settings.database_url.is_some() || effective.is_unreadable("DATABASE_URL");
    let found = [
        twice(given, MASTER).or_else(|| master(&effective.settings, is_shared)),
        twice(given, AUDIT).or_else(|| audit(&effective.settings, is_shared)),
    ];
    found.into_iter().flatten().collect()
}

fn twice(given: &Given, (key, file): (&str, &str)) -> Option<Finding> {
    let both = given.said(key).is_some() && given.said(file).is_some();
    both.then(|| Finding::error(&[key, file], format!("{key} and {file} are both set; set one")))
}

fn master(settings: &Settings, is_shared: bool) -> Option<Finding> {
    let (key, file) = MASTER;
    let wrong = |name: &str, error: &dyn std::error::Error| {
        Some(Finding::error(&[name], format!("{name}: {}", told(error))))
    };
    if let Some(hex) = &settings.master_key {
        return MasterKey::from_hex(hex.reveal())
            .err()
            .and_then(|error| wrong(key, &error));
    }
    if let Some(path) = &settings.master_key_file {
        return MasterKey::from_file(path)
            .err()
            .and_then(|error| wrong(file, &error));
    }
    if is_shared {
        return Some(Finding::error(
            &["DATABASE_URL", key, file],
            format!(
                "DATABASE_URL is set, and {key} or {file} is not: every process on a database needs the same master key"
            ),
        ));
    }
    let own = MasterKey::path_in(&settings.data);
    match own.exists() {
        true => MasterKey::from_file(own)
            .err()
            .and_then(|error| wrong("SEGUE_DATA", &error)),
        false => Keys::is_in(&settings.data).then(|| {
            let problem = format!(
                "{} holds subject keys, and neither {key} nor its master.key is there: they cannot be opened",
                settings.data.display()
            );
            Finding::error(&["SEGUE_DATA", key, file], problem)
        }),
    }
}

fn audit(settings: &Settings, is_shared: bool) -> Option<Finding> {
    let (key, file) = AUDIT;
    let wrong = |name: &str, error: &dyn std::error::Error| {
        Some(Finding::error(&[name], format!("{name}: {}", told(error))))
    };
    if let Some(text) = &settings.sealing.audit_key {
        return SigningKey::parse(text.reveal())
            .err()
            .and_then(|error| wrong(key, &error));
    }
    if let Some(path) = &settings.sealing.audit_key_file {
        return SigningKey::from_file(path)
            .err()
            .and_then(|error| wrong(file, &error));
    }
    if is_shared {
        let problem =
            format!("{key} and {file} are not set: the log can be proved, and no checkpoint is signed");
        return Some(Finding::warning(&[key, file], problem));
    }
    let own = settings.data.join(KEY_FILE);
    let error = own.exists().then(|| SigningKey::from_file(own).err()).flatten()?;
    wrong("SEGUE_DATA", &error)
}

/// An error with its causes.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !sentence.ends_with(&said) {
            sentence = format!("{sentence}: {said}");
        }
        cause = next.source();
    }
    sentence
}
