//! The `segue` binary as a child process: its tools, and a server that can be killed.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How often a starting server is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(5);
/// How long a server may take to stop after SIGTERM before that counts as a failure.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Ports are taken below the range that Linux hands to outgoing connections, so that no client of ours can sit on one.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A binary, the data folder it works on, and its environment.
#[derive(Clone, Debug)]
pub struct Program {
    binary: PathBuf,
    data: PathBuf,
    env: Vec<(String, String)>,
}

impl Program {
    /// The binary at `binary` on the data folder `data`, with no settings but those given later.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            data: data.into(),
            env: Vec::new(),
        }
    }

    /// The same program with one more environment variable.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A setting of this program.
    #[must_use]
    pub fn env(&self, name: &str) -> Option<&str> {
        let found = self.env.iter().rev().find(|(of, _)| of == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where the output of every server started on this data folder is appended.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// Runs a tool to its end and hands back its standard output.
    ///
    /// # Errors
    /// When the binary cannot be started or its exit status is not 0; the message holds the end of its standard error.
    pub async fn tool<A: AsRef<OsStr>>(&self, arguments: &[A], input: &str) -> Result<String> {
        let (status, out, err) = self.run(arguments, input).await?;
        if !status.success() {
            bail!(
                "{} ended with {status}: {}{}",
                name_of(arguments),
                tail(&out),
                tail(&err)
            );
        }
        Ok(out)
    }

    /// Runs a tool to its end, whatever that is: its exit status, standard output and standard error.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub async fn run<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        input: &str,
    ) -> Result<(ExitStatus, String, String)> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A tool that reads nothing may have closed it already.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status, text(&output.stdout), text(&output.stderr)))
    }

    /// What there is before the first server: a generated catalogue, and an auditor called `the-auditor`.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn furnish(&self, tracks: usize, seed: u64) -> Result<()> {
        let (tracks, seed) = (tracks.to_string(), seed.to_string());
        let generate = ["catalogue", "generate", "--tracks", &tracks, "--seed", &seed];
        self.tool(&generate, "").await?;
        let create = ["accounts", "create", "the-auditor", "--role", "auditor"];
        self.tool(&create, crate::client::PASSWORD).await?;
        Ok(())
    }

    /// Starts `segue serve` on a free port of the loopback address, without waiting for it.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub fn start(&self) -> Result<Server> {
        self.start_role("serve")
    }

    /// Starts one role, such as `rest`, on a free port and does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub fn start_role(&self, role: &'static str) -> Result<Server> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        self.spawn(role, log.try_clone()?.into(), log.into())
    }

    /// Starts `segue serve` on a free port, with its output where the caller wants it.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub fn start_into(&self, out: Stdio, err: Stdio) -> Result<Server> {
        self.spawn("serve", out, err)
    }

    fn spawn(&self, role: &'static str, out: Stdio, err: Stdio) -> Result<Server> {
        let address = free_address()?;
        let child = self
            .command(&[role])
            .env("SEGUE_LISTEN", address.to_string())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        Ok(Server {
            child,
            address,
            log: self.log_file(),
        })
    }

    /// Starts `segue serve` and waits until it answers `/readyz` with 200.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready within `limit`; the message holds the end of its output.
    pub async fn serve(&self, limit: Duration) -> Result<Server> {
        let mut server = self.start()?;
        match server.ready(limit).await {
            Readiness::Ready => Ok(server),
            Readiness::Died(status) => bail!("segue serve ended with {status}:\n{}", server.output()),
            Readiness::TimedOut => bail!("segue serve was not ready within {limit:?}:\n{}", server.output()),
        }
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEGUE_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("SEGUE_DATA", &self.data)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        command
    }
}

/// What became of a server that was started.
#[derive(Clone, Copy, Debug)]
pub enum Readiness {
    /// It answers.
    Ready,
    /// It ended before it was ready.
    Died(ExitStatus),
    /// It still runs and does not answer.
    TimedOut,
}

/// A running `segue serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id; `None` once it has ended and been waited for.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it is ready, has ended, or `limit` has passed.
    pub async fn ready(&mut self, limit: Duration) -> Readiness {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Readiness::Died(status);
            }
            if self.answers_ready().await {
                return Readiness::Ready;
            }
            sleep(READY_POLL).await;
        }
        Readiness::TimedOut
    }

    async fn answers_ready(&self) -> bool {
        let Ok(stream) = TcpStream::connect(self.address).await else {
            return false;
        };
        let asked = crate::load::get_status(stream, "/readyz");
        matches!(timeout(Duration::from_secs(5), asked).await, Ok(Ok(200)))
    }

    /// Sends SIGKILL and waits for the end.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        // It may have ended by itself at this very moment: that is no failure.
        let _ = self.child.start_kill();
        Ok(self.child.wait().await?)
    }

    /// Sends SIGTERM and waits for an orderly end with exit status 0.
    ///
    /// # Errors
    /// When it does not end within a minute, or with another status.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.pid().context("the server has ended already")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        let status = timeout(STOP_LIMIT, self.child.wait())
            .await
            .context("segue serve did not stop after SIGTERM")??;
        if !status.success() {
            bail!("segue serve stopped with {status}:\n{}", self.output());
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Whether it has ended, and how.
    #[must_use]
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it holds in memory.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> Result<Memory> {
        let pid = self.pid().context("the server has ended")?;
        Memory::of(pid)
    }

    /// The end of what it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).map_or_else(|_| String::new(), |text| tail(&text).to_owned())
    }
}

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All resident pages now, pages of mapped files among them.
    pub resident: u64,
    /// Resident pages that belong to no file: heap and stacks.
    pub anonymous: u64,
    /// The highest `resident` so far.
    pub peak: u64,
}

impl Memory {
    fn of(pid: u32) -> Result<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| -> Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|rest| rest.split_whitespace().next());
            Ok(kibibytes
                .with_context(|| format!("no {name} in the status of {pid}"))?
                .parse::<u64>()?
                * 1024)
        };
        Ok(Self {
            resident: field("VmRSS:")?,
            anonymous: field("RssAnon:")?,
            peak: field("VmHWM:")?,
        })
    }
}

/// Where `cargo build --release` leaves the binary, or what `SEGUE_BINARY` names.
///
/// # Errors
/// When there is none; the message says how to build it.
pub fn release_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SEGUE_BINARY") {
        return Ok(path.into());
    }
    // bench and segue are built into the same folder.
    let beside = std::env::current_exe()?.with_file_name("segue");
    if beside.exists() {
        return Ok(beside);
    }
    bail!(
        "no segue beside {}: build it with `cargo build --release`, or name it in SEGUE_BINARY",
        beside.display()
    )
}

/// Copies a stopped server's data folder, file by file and folder by folder.
///
/// # Errors
/// When a file cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::io::copy(&mut File::open(entry.path())?, &mut File::create(target)?)?;
        }
    }
    Ok(())
}

pub(crate) fn free_address() -> Result<SocketAddr> {
    let start = rand::random_range(PORTS);
    for port in (start..PORTS.end).chain(PORTS.start..start) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port between {} and {}", PORTS.start, PORTS.end)
}

fn name_of<A: AsRef<OsStr>>(arguments: &[A]) -> String {
    let words = arguments.iter().map(|word| word.as_ref().to_string_lossy());
    std::iter::once("segue".into())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last 4,000 bytes or so: enough for a reason, little enough for a terminal.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(4_000);
    let start = (start..text.len())
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0);
    &text[start..]
}
