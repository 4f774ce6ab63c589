//! `ops/local/up`, `status` and `down`: the whole production stack as processes on this machine.
#![cfg(feature = "production")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

/// A stack in a folder of its own; whatever of it runs is ended with this value.
struct Stack {
    folder: TempDir,
}

impl Stack {
    fn new() -> Self {
        Self {
            folder: TempDir::with_prefix("segue-local-").expect("a folder"),
        }
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("ops/local")
            .join(script);
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env("SEGUE_LOCAL", self.folder.path())
            .env("SEGUE_BINARY", env!("CARGO_BIN_EXE_segue"))
            .env("SEGUE_TRACKS", "100");
        command.output().expect("the script can be run")
    }

    /// Starts everything, and gives the address of REST.
    #[track_caller]
    fn up(&self) -> String {
        let output = self.run("up", &["--classifiers", "2"]);
        assert!(output.status.success(), "{}", said(&output));
        let printed = said(&output);
        let address = printed
            .lines()
            .find_map(|line| line.strip_prefix("Segue serves on "));
        address.unwrap_or_else(|| panic!("{printed}")).to_owned()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run("down", &["--delete"]);
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn register(address: &str) -> StatusCode {
    let account = json!({"username": "ada", "password": "correct horse battery staple"});
    let request = reqwest::Client::new()
        .post(format!("{address}/v1/accounts"))
        .json(&account);
    request.send().await.expect("REST answers").status()
}

/// Whether any process was told of the folder.
fn is_used(folder: &Path) -> bool {
    let folder = folder.to_string_lossy();
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let mut commands = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    commands.any(|command| String::from_utf8_lossy(&command).contains(folder.as_ref()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_stack_comes_up_keeps_what_it_is_told_and_goes() {
    let stack = Stack::new();
    let address = stack.up();
    assert_eq!(register(&address).await, StatusCode::CREATED);

    let status = stack.run("status", &[]);
    assert!(status.status.success(), "{}", said(&status));
    for process in ["postgres", "redis", "rabbitmq", "firestore"] {
        assert!(
            has(&said(&status), process, "listens"),
            "{process}: {}",
            said(&status)
        );
    }
    for process in ["rest", "usermanagement", "classifier-1", "classifier-2"] {
        assert!(
            has(&said(&status), process, "ready"),
            "{process}: {}",
            said(&status)
        );
    }
    let again = stack.run("up", &[]);
    assert!(
        !again.status.success() && said(&again).contains("runs already"),
        "{}",
        said(&again)
    );

    let down = stack.run("down", &[]);
    assert!(down.status.success() && down.stderr.is_empty(), "{}", said(&down));
    assert!(!is_used(stack.folder.path()), "a process goes on");
    assert_eq!(stack.run("status", &[]).status.code(), Some(3));

    let address = stack.up();
    assert_eq!(
        register(&address).await,
        StatusCode::CONFLICT,
        "the account is still there"
    );
    assert!(stack.run("down", &["--delete"]).status.success());
    assert!(!stack.folder.path().exists());
}

/// Whether the line of a process says so.
fn has(status: &str, process: &str, state: &str) -> bool {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines = status.lines().map(words);
    lines.any(|line| {
        line.first().is_some_and(|first| first == process) && line.get(2).is_some_and(|is| is == state)
    })
}
