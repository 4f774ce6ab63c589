//! The stored shapes. The files in `tests/events` only grow: a file that must change means that old events turn unreadable.

use std::collections::BTreeSet;
use std::path::PathBuf;

use domain::{EVENT_TYPES, StoredEvent, decode, is_personal};
use serde_json::Value;

pub(crate) fn events_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/events")
}

pub(crate) fn golden(event_type: &str, version: u16) -> Value {
    let path = events_dir().join(format!("{event_type}.v{version}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_event_type_has_a_golden_file_for_every_version() {
    let expected: BTreeSet<String> = EVENT_TYPES
        .iter()
        .flat_map(|(name, current)| (1..=*current).map(move |version| format!("{name}.v{version}.json")))
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(events_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(expected, found);
}

#[test]
fn every_golden_event_is_read_and_written_again_without_a_change() {
    for (name, version) in EVENT_TYPES {
        let payload = golden(name, *version);
        let events = decode(name, *version, payload.to_string().as_bytes()).unwrap();
        let [event] = events.as_slice() else {
            panic!("{name} became {} events", events.len())
        };
        let encoded = event.encode();
        assert_eq!((encoded.event_type, encoded.schema_version), (*name, *version));
        assert_eq!(
            serde_json::from_slice::<Value>(&encoded.payload).unwrap(),
            payload,
            "{name}"
        );
    }
}

#[test]
fn a_field_that_is_not_known_yet_is_ignored() {
    for (name, version) in EVENT_TYPES {
        let mut payload = golden(name, *version);
        payload["of_a_later_program"] = Value::from(1);
        decode(name, *version, payload.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Fields that came later are left out when they say nothing, so a playlist is recorded as it was before them.
#[test]
fn what_was_recorded_before_a_field_existed_keeps_its_bytes() {
    let mut requested = golden("playlist.requested", 1);
    remove(&mut requested["request"], &["arc"]);
    let mut generated = golden("playlist.generated", 1);
    remove(&mut generated, &["arrangement", "learned_from"]);
    remove(&mut generated["tracks"][0], &["rank", "propensity"]);
    for (name, payload) in [
        ("playlist.requested", requested),
        ("playlist.generated", generated),
    ] {
        let events = decode(name, 1, payload.to_string().as_bytes()).unwrap();
        let again: Value = serde_json::from_slice(&events[0].encode().payload).unwrap();
        assert_eq!(again, payload, "{name}");
    }
}

fn remove(object: &mut Value, fields: &[&str]) {
    for field in fields {
        let removed = object.as_object_mut().unwrap().remove(*field);
        assert!(removed.is_some(), "{field} is in no golden file");
    }
}

#[test]
fn the_list_of_types_is_sorted_and_complete() {
    assert!(EVENT_TYPES.is_sorted());
    let mut declared = [
        domain::AccessEvent::TYPES,
        domain::AccountEvent::TYPES,
        domain::BaseModelEvent::TYPES,
        domain::CatalogueEvent::TYPES,
        domain::CompanionsEvent::TYPES,
        domain::ListenerEvent::TYPES,
        domain::PlaylistEvent::TYPES,
    ]
    .concat();
    declared.sort_unstable();
    assert_eq!(declared, EVENT_TYPES);
}

#[test]
fn an_aggregate_reads_its_own_events_only() {
    let payload = golden("account.erased", 1).to_string();
    assert!(domain::AccountEvent::decode("account.erased", 1, payload.as_bytes()).is_ok());
    assert!(domain::PlaylistEvent::decode("account.erased", 1, payload.as_bytes()).is_err());
}

#[test]
fn what_is_about_a_person_is_personal_and_nothing_else() {
    let impersonal: Vec<&str> = EVENT_TYPES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !is_personal(name))
        .collect();
    assert_eq!(
        impersonal,
        [
            "access.history_read",
            "account.erased",
            "catalogue.imported",
            "companions.published",
            "model.published"
        ]
    );
}
