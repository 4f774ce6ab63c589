//! `segue top` against a running process: one frame as text and as data, and the screen of a real terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::client::Client;
use bench::server::{Program, Server};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take to appear.
const LIMIT: Duration = Duration::from_secs(60);

async fn started(folder: &TempDir) -> Result<(Program, Server)> {
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program.furnish(50, 1).await?;
    let server = program.serve(LIMIT).await?;
    Ok((program, server))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_frame_tells_of_a_running_process_and_of_one_that_is_away() -> Result<()> {
    let folder = TempDir::with_prefix("segue-top-")?;
    let (program, server) = started(&folder).await?;
    Client::new(server.address())?.register("ada-lovelace").await?;
    let (here, away) = (format!("http://{}", server.address()), "http://127.0.0.1:1");
    let asked = ["top", "--once", "--url", &here, "--url", away];
    let (status, printed, said) = program
        .run(&[&asked[..], &["--format", "json"]].concat(), "")
        .await?;
    ensure!(status.success(), "{said}");
    let frame: Value = serde_json::from_str(&printed)?;
    assert_eq!(frame["processes"][0]["is_ready"], true, "{frame:#}");
    assert_eq!(frame["processes"][1]["answers"], false, "{frame:#}");
    assert!(frame["processes"][1]["trouble"].is_string(), "{frame:#}");
    assert!(frame["log"]["head"].as_f64() > Some(0.0), "{frame:#}");
    assert!(frame["rates"]["records_per_s"].is_number(), "{frame:#}");
    let followers = frame["followers"].as_array().context("followers")?;
    for name in ["accounts", "classifier", "usermanagement", "relay"] {
        assert!(
            followers.iter().any(|follower| follower["name"] == name),
            "no {name} in {frame:#}"
        );
    }
    let events = frame["events"].as_array().context("events")?;
    assert!(
        events.iter().any(|event| event["type"] == "account.registered"),
        "{frame:#}"
    );
    assert!(!printed.contains("ada-lovelace"), "a name is shown");
    let (_, text, _) = program.run(&asked, "").await?;
    for part in ["1 of 2 processes answer", "Behind the log", "account.registered"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_said_and_no_log_is_made() -> Result<()> {
    let folder = TempDir::with_prefix("segue-top-")?;
    let data = folder.path().join("data");
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), &data);
    let (status, printed, _) = program
        .run(&["top", "--once", "--url", "http://127.0.0.1:1"], "")
        .await?;
    assert_eq!(status.code(), Some(1));
    assert!(
        printed.contains("the process does not answer") && printed.contains("no log in"),
        "{printed}"
    );
    assert!(!data.join("log.db").exists());
    let (status, _, said) = program.run(&["top", "--url", "https://127.0.0.1"], "").await?;
    assert!(status.code() == Some(2) && said.contains("without TLS"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditors_token_shows_the_events_of_a_process() -> Result<()> {
    let folder = TempDir::with_prefix("segue-top-")?;
    let (program, server) = started(&folder).await?;
    let auditor = Client::new(server.address())?.sign_in("the-auditor").await?;
    let file = folder.path().join("token");
    std::fs::write(&file, auditor.token())?;
    let (here, file) = (
        format!("http://{}", server.address()),
        file.to_str().context("a path")?,
    );
    let asked = [
        "top",
        "--once",
        "--format",
        "json",
        "--interval",
        "3",
        "--url",
        &here,
        "--token-file",
        file,
    ];
    let (_, printed, said) = program.run(&asked, "").await?;
    let frame: Value = serde_json::from_str(&printed).with_context(|| said)?;
    let events = frame["events"].as_array().context("events")?;
    assert!(
        events.iter().any(|event| event["type"] == "account.signed_in"),
        "{frame:#}"
    );
    std::fs::write(file, "no-such-token")?;
    let (_, printed, _) = program.run(&asked, "").await?;
    let frame: Value = serde_json::from_str(&printed)?;
    let state = frame["events_state"].as_str().context("a state")?;
    assert!(state.contains("refused"), "{state}");
    Ok(())
}

/// The program in a terminal of 80 columns and 24 rows.
struct Terminal {
    child: std::process::Child,
    master: File,
    /// What the program writes, as it comes.
    written: mpsc::Receiver<Vec<u8>>,
    seen: String,
    slave: std::os::fd::OwnedFd,
}

impl Terminal {
    fn start() -> Result<Self> {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(&size, None)?;
        let end = || -> Result<Stdio> { Ok(slave.try_clone()?.into()) };
        let child = Command::new(env!("CARGO_BIN_EXE_segue"))
            .args(["top", "--url", "http://127.0.0.1:1", "--no-events"])
            .env("TERM", "xterm-256color")
            .stdin(end()?)
            .stdout(end()?)
            .stderr(end()?)
            .spawn()?;
        let master = File::from(master);
        let (sender, written) = mpsc::channel();
        let mut reader = master.try_clone()?;
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            master,
            written,
            seen: String::new(),
            slave,
        })
    }

    fn is_raw(&self) -> Result<bool> {
        Ok(!tcgetattr(&self.slave)?.local_flags.contains(LocalFlags::ICANON))
    }

    /// Waits until the program has written `part`.
    fn shows(&mut self, part: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !self.seen.contains(part) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.written.recv_timeout(left);
            let bytes = bytes.with_context(|| format!("no {part} in {:?}", self.seen))?;
            self.seen += &String::from_utf8_lossy(&bytes);
        }
        Ok(())
    }

    /// Waits for the end, which must be in order and leave the terminal as it was.
    fn ends_clean(mut self) -> Result<()> {
        self.shows("\u{1b}[?1049l")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}: {}", self.seen);
        ensure!(!self.is_raw()?, "the terminal is still raw");
        Ok(())
    }
}

impl Drop for Terminal {
    /// A test that failed leaves nobody behind. One that has ended already cannot be killed, and need not be.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_screen_of_a_terminal_is_taken_over_and_given_back_at_q() -> Result<()> {
    let mut terminal = Terminal::start()?;
    terminal.shows("\u{1b}[?1049h")?;
    terminal.shows("Behind the log")?;
    ensure!(terminal.is_raw()?);
    terminal.master.write_all(b"\t")?;
    terminal.shows("Parts of http://127.0.0.1:1")?;
    terminal.shows("away for")?;
    terminal.master.write_all(b"p")?;
    terminal.shows("PAUSED")?;
    terminal.master.write_all(b"q")?;
    terminal.ends_clean()
}

#[test]
fn the_terminal_is_given_back_at_sigterm() -> Result<()> {
    let mut terminal = Terminal::start()?;
    terminal.shows("Behind the log")?;
    let process = Pid::from_raw(i32::try_from(terminal.child.id())?);
    kill(process, Signal::SIGTERM)?;
    terminal.ends_clean()
}
