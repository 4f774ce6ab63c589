//! A server's process and all that it starts, as one process group on a leash: it ends with the program that started it,
//! however that ends.

use std::{
    fs::File,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{Folder, ServerError};

/// How much of a log is shown when a server does not get ready.
const TAIL_BYTES: usize = 2_000;

/// Ends the group when its standard input ends, which it does with the program that holds the other end.
const LEASH: &str = r#"cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null; [ -z "$2" ] || rm -rf -- "$2""#;

/// A running process group. Dropping it kills the group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    leash: Child,
    holding: Option<ChildStdin>,
    server: &'static str,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in a process group of its own; what it prints is appended to `server.log` in `folder`.
    ///
    /// # Errors
    /// - `Io`: the log cannot be written, or the program cannot be started.
    pub fn spawn(server: &'static str, command: &mut Command, folder: &Folder) -> Result<Self, ServerError> {
        let log = folder.path().join("server.log");
        let io = |error| ServerError::io(format!("cannot start {server}"), error);
        let out = File::options().create(true).append(true).open(&log).map_err(io)?;
        let err = out.try_clone().map_err(io)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(io)?;
        let mut leash = leash(child.id(), folder).spawn().map_err(io)?;
        Ok(Self {
            child,
            holding: leash.stdin.take(),
            leash,
            server,
            log,
        })
    }

    /// Waits until `is_ready` says so.
    ///
    /// # Errors
    /// - `NotReady`: the process ended, or `patience` did.
    pub async fn until_ready<F: Future<Output = bool>>(
        &mut self,
        patience: Duration,
        mut is_ready: impl FnMut() -> F,
    ) -> Result<(), ServerError> {
        let deadline = Instant::now() + patience;
        while !is_ready().await {
            if self.has_ended() || Instant::now() > deadline {
                return Err(self.not_ready());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// SIGKILL to the whole group, and waits until the process is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // It is gone, or was never ours to wait for.
        let _ = self.child.wait();
    }

    /// SIGSTOP to the whole group.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT to the whole group.
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// `signal` to the whole group; SIGKILL when that was not enough in `patience`.
    pub fn stop(&mut self, signal: Signal, patience: Duration) -> ExitStatus {
        self.signal(signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        ExitStatus::from_raw(Signal::SIGKILL as i32)
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The process's number, which is its group's too.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, with: Signal) {
        signal(self.child.id(), with);
    }

    fn not_ready(&self) -> ServerError {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let tail = &said[said.len().saturating_sub(TAIL_BYTES)..];
        ServerError::NotReady {
            server: self.server,
            log: self.log.clone(),
            tail: String::from_utf8_lossy(tail).into_owned(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // The folder may be needed for the next start, so the leash ends before it comes to it.
        signal(self.leash.id(), Signal::SIGKILL);
        drop(self.holding.take());
        let _ = self.leash.wait();
    }
}

fn signal(group: u32, signal: Signal) {
    if let Ok(group) = i32::try_from(group) {
        // A group that is gone needs no signal.
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

fn leash(group: u32, folder: &Folder) -> Command {
    let leftover = match folder {
        Folder::Temporary(dir) => dir.path(),
        Folder::Kept(_) => Path::new(""),
    };
    let mut command = Command::new("sh");
    command
        .args(["-c", LEASH, "leash"])
        .arg(group.to_string())
        .arg(leftover)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}
