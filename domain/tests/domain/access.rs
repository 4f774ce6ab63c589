//! What is recorded of those who read the history.

use domain::access::{EventTypes, Reader, StreamName};
use domain::{AccessCall, AccessId, Asked, EVENT_TYPES, HistoryRead, StoredEvent};
use serde_json::{Value, json};

use crate::samples::account_id;

fn payload(read: HistoryRead) -> Value {
    serde_json::from_slice(&domain::AccessEvent::from(read).encode().payload).unwrap()
}

#[test]
fn only_what_was_said_is_recorded() {
    let read = HistoryRead::by_account(account_id(), AccessCall::InclusionProve, Asked::position(3));
    assert_eq!(read.stream(), AccessId::of(account_id()));
    assert_eq!(
        payload(read),
        json!({
            "by": "account", "account": account_id(), "call": "inclusion.prove", "asked": {"position": 3}
        })
    );
}

#[test]
fn the_command_line_has_a_stream_of_its_own() {
    let read = HistoryRead::by_command_line(AccessCall::HistoryReplay, Asked::all());
    assert_eq!(
        (read.by, read.stream()),
        (Reader::CommandLine, AccessId::COMMAND_LINE)
    );
    assert_eq!(
        payload(read),
        json!({"by": "command_line", "call": "history.replay", "asked": {}})
    );
}

#[test]
fn the_name_of_a_stream_has_no_room_for_a_text() {
    let id = account_id();
    for category in StreamName::CATEGORIES {
        let name = format!("{category}-{id}");
        assert_eq!(StreamName::parse(&name).unwrap().as_str(), name);
    }
    assert!(StreamName::CATEGORIES.is_sorted());
    for other in [
        String::new(),
        "account".into(),
        format!("ada-{id}"),
        format!("account-{id}x"),
        format!("account-{{{id}}}"),
        "account-00000000-0000-0000-0000-00000000000A".into(),
    ] {
        assert!(StreamName::parse(&other).is_err(), "{other}");
    }
}

#[test]
fn a_type_is_one_of_the_list_or_the_beginning_of_one() {
    for (name, _) in EVENT_TYPES {
        assert_eq!(EventTypes::parse(name).unwrap().as_str(), *name);
    }
    for (types, are) in [
        ("account.", false),
        ("access.", true),
        ("access.history_read", true),
    ] {
        assert_eq!(
            EventTypes::parse(types).unwrap().are_of_the_access_log(),
            are,
            "{types}"
        );
    }
    for other in [
        "",
        ".",
        "account",
        "acc.",
        "ada lovelace",
        "account.Erased",
        "account.erased.",
    ] {
        assert!(EventTypes::parse(other).is_err(), "{other}");
    }
}
