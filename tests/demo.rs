//! The demo tells its whole story, and proves it.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_ends_with_a_playlist_and_an_identical_replay() {
    let output = Command::new(env!("CARGO_BIN_EXE_segue"))
        .args(["demo", "--format", "json"])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let story: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(story["tracks"], 10, "{told}");
    assert_eq!(story["replay_identical"], true, "{told}");
}
