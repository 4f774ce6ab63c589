use domain::{DecodeError, UpcastError, Upcasters, decode};
use serde_json::{Value, json};

fn step_1(mut payload: Value) -> Result<Vec<(String, u16, Value)>, String> {
    let minutes = payload["minutes"].as_u64().ok_or("minutes is missing")?;
    payload["seconds"] = json!(minutes * 60);
    Ok(vec![("walk.taken".into(), 2, payload)])
}

fn step_2(payload: Value) -> Result<Vec<(String, u16, Value)>, String> {
    let ended = json!({"after_s": payload["seconds"]});
    Ok(vec![
        ("walk.started".into(), 1, json!({})),
        ("walk.ended".into(), 1, ended),
    ])
}

fn walks() -> Upcasters {
    Upcasters::new()
        .with("walk.taken", 1, step_1)
        .with("walk.taken", 2, step_2)
        .with_current("walk.started", 1)
        .with_current("walk.ended", 1)
}

#[test]
fn an_old_shape_goes_through_every_step_and_may_become_several() {
    let shapes = walks().upcast("walk.taken", 1, json!({"minutes": 2})).unwrap();
    assert_eq!(
        shapes,
        [
            ("walk.started".into(), 1, json!({})),
            ("walk.ended".into(), 1, json!({"after_s": 120}))
        ]
    );
}

#[test]
fn a_shape_of_today_is_left_alone() {
    let shapes = walks().upcast("walk.started", 1, json!({"x": 1})).unwrap();
    assert_eq!(shapes, [("walk.started".into(), 1, json!({"x": 1}))]);
}

#[test]
fn a_shape_that_no_step_reads_is_named() {
    let error = walks().upcast("walk.taken", 3, json!({})).unwrap_err();
    assert_eq!(
        error,
        UpcastError::NoStep {
            event_type: "walk.taken".into(),
            schema_version: 3
        }
    );
}

#[test]
fn a_step_that_misses_something_says_what() {
    let error = walks().upcast("walk.taken", 1, json!({})).unwrap_err();
    assert!(matches!(error, UpcastError::Refused { reason, .. } if reason == "minutes is missing"));
}

#[test]
fn steps_that_run_in_a_circle_come_to_an_end() {
    let circle = Upcasters::new().with("a.b", 1, |payload| Ok(vec![("a.b".into(), 1, payload)]));
    assert_eq!(
        circle.upcast("a.b", 1, json!({})),
        Err(UpcastError::Endless {
            event_type: "a.b".into()
        })
    );
}

#[test]
fn decoding_tells_unknown_types_unknown_versions_and_broken_payloads_apart() {
    assert!(matches!(
        decode("no.such", 1, b"{}"),
        Err(DecodeError::UnknownType { .. })
    ));
    assert!(matches!(
        decode("account.erased", 9, b"{}"),
        Err(DecodeError::UnknownVersion { .. })
    ));
    assert!(matches!(
        decode("account.erased", 1, b"{}"),
        Err(DecodeError::Malformed { .. })
    ));
}
