//! PostgreSQL.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User, chown},
};

use crate::{Folder, Process, ServerError, certificates, ports::free_port};

const SERVER: &str = "PostgreSQL";
const PATIENCE: Duration = Duration::from_secs(60);
/// PostgreSQL refuses to run as root; Debian's package brings this user.
const SYSTEM_USER: &str = "postgres";
/// Who may do everything in a private server.
const USER: &str = "segue";
/// Their password.
const PASSWORD: &str = "private";

/// A private PostgreSQL. Its commits wait for the disk, as they would anywhere else.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    folder: Folder,
    bin: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts one in a temporary folder.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_in(Folder::temporary()?, free_port()?).await
    }

    /// Starts one in `folder`, with the data that is there already.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start_in(folder: Folder, port: u16) -> Result<Self, ServerError> {
        let bin = newest_bin()?;
        let mut server = Self {
            process: None,
            folder,
            bin,
            port,
            databases: AtomicU32::new(0),
        };
        server.initialise()?;
        server.run().await?;
        Ok(server)
    }

    /// The port it listens on, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database, and gives its URL.
    ///
    /// # Errors
    /// - `Io`: the server does not answer.
    pub fn new_database(&self) -> Result<String, ServerError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("segue_{number}");
        self.psql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// Runs `sql` in `database` and gives what it printed, without headers.
    ///
    /// # Errors
    /// - `Io`: the server does not answer, or refused; the reason is in the error.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url(database))
            .args(["-c", sql])
            .output()
            .map_err(|error| ServerError::io("cannot run psql", error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ServerError::io(
            format!("psql refused {sql:?}"),
            std::io::Error::other(reason),
        ))
    }

    /// What `pg_dump` writes of one schema of a database.
    ///
    /// # Errors
    /// - `Io`: it cannot be run, or refused; the reason is in the error.
    pub fn dump(&self, database: &str, schema: &str) -> Result<String, ServerError> {
        let mut command = Command::new(self.bin.join("pg_dump"));
        command
            .args(["--no-owner", "--schema", schema, "-d"])
            .arg(self.url(database));
        let output = command
            .output()
            .map_err(|error| ServerError::io("cannot run pg_dump", error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ServerError::io("pg_dump refused", std::io::Error::other(reason)))
    }

    /// Has `psql` carry out what [`dump`](Self::dump) gave, all of it or nothing.
    ///
    /// # Errors
    /// - `Io`: it cannot be run, or refused; the reason is in the error.
    pub fn load(&self, database: &str, dump: &str) -> Result<(), ServerError> {
        let io = |error| ServerError::io("cannot run psql", error);
        let file = self.folder.path().join("dump.sql");
        std::fs::write(&file, dump).map_err(io)?;
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.url(database))
            .arg("-f")
            .arg(&file)
            .output()
            .map_err(io)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(io(std::io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ))),
        }
    }

    /// How many transactions a second `pgbench` makes of `script` (its own language) with so many clients, for so long.
    ///
    /// # Errors
    /// - `Io`: it cannot be run, or said nothing of it.
    pub fn pgbench(
        &self,
        database: &str,
        script: &str,
        clients: usize,
        duration: Duration,
    ) -> Result<f64, ServerError> {
        let io = |error| ServerError::io("cannot run pgbench", error);
        let file = self.folder.path().join("pgbench.sql");
        std::fs::write(&file, script).map_err(io)?;
        let output = Command::new(self.bin.join("pgbench"))
            .args([
                "-n",
                "-M",
                "prepared",
                "-j",
                "2",
                "-c",
                &clients.to_string(),
                "-T",
            ])
            .arg(duration.as_secs().max(1).to_string())
            .arg("-f")
            .arg(&file)
            .arg(self.url(database))
            .output()
            .map_err(io)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            io(std::io::Error::other(said + &error))
        })
    }

    /// SIGKILL to the server; its sessions end as soon as they notice.
    pub fn kill(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill();
        }
    }

    /// SIGSTOP to the server and all of its sessions, which are process groups of their own.
    pub fn pause(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// SIGCONT to all of them.
    pub fn resume(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    fn signal_all(&self, signal: Signal) {
        let Some(server) = self.process.as_ref().map(Process::id) else {
            return;
        };
        let sessions =
            std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
        let sessions = sessions.split_whitespace().filter_map(|id| id.parse().ok());
        // The server first, so that it starts no session meanwhile.
        for id in i32::try_from(server).into_iter().chain(sessions) {
            // One that has just ended needs no signal.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }

    /// Ends it in order; sessions are cut off.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::SIGINT, PATIENCE);
        }
    }

    /// Starts it again on the same port and data, however it ended.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        // After a kill its sessions need a moment to notice, and until then it cannot start.
        for _ in 0..40 {
            if self.run().await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        self.run().await
    }

    /// Lets nobody in any more whose connection is not encrypted, and hands back the file of who vouches for the server, which
    /// proves to be `127.0.0.1`.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn encrypt(&mut self) -> Result<PathBuf, ServerError> {
        let authority = certificates::make(self.folder.path(), &self.data())?;
        if let Some(user) = other_user()? {
            let key = self.data().join(certificates::KEY);
            chown(&key, Some(user.uid), Some(user.gid))
                .map_err(|error| ServerError::io("cannot hand over the server's key", error.into()))?;
        }
        self.psql("postgres", "ALTER SYSTEM SET ssl = on")?;
        let file = self.data().join("pg_hba.conf");
        let io = |error| ServerError::io("cannot change who is let in", error);
        let rules = std::fs::read_to_string(&file).map_err(io)?;
        std::fs::write(&file, rules.replace("\nhost ", "\nhostssl ")).map_err(io)?;
        self.restart().await?;
        Ok(authority)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn initialise(&self) -> Result<(), ServerError> {
        if self.data().join("PG_VERSION").exists() {
            return Ok(());
        }
        let io = |error| ServerError::io("cannot prepare PostgreSQL's folder", error);
        let password = self.folder.path().join("password");
        std::fs::write(&password, PASSWORD).map_err(io)?;
        if let Some(user) = other_user()? {
            let own = |path: &Path| chown(path, Some(user.uid), Some(user.gid));
            own(self.folder.path())
                .and_then(|()| own(&password))
                .map_err(|error| io(error.into()))?;
        }
        let output = self
            .command("initdb")
            .args([
                "--no-sync",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-A",
                "scram-sha-256",
                "-U",
                USER,
            ])
            .arg("-D")
            .arg(self.data())
            .arg("--pwfile")
            .arg(&password)
            .output()
            .map_err(io)?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io(std::io::Error::other(said)))
    }

    async fn run(&mut self) -> Result<(), ServerError> {
        // A server that was killed leaves its number behind; the next one looks whether it still runs.
        let sockets = self.folder.path().to_owned();
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
            ])
            .arg(format!("unix_socket_directories={}", sockets.display()))
            .args(["-c", "max_connections=200"]);
        let mut process = Process::spawn(SERVER, &mut command, &self.folder)?;
        let ready = process.until_ready(PATIENCE, || async { self.psql("postgres", "SELECT 1").is_ok() });
        ready.await?;
        self.process = Some(process);
        Ok(())
    }

    /// One of PostgreSQL's programs, run by whom it accepts.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if !Uid::effective().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid",
                SYSTEM_USER,
                "--regid",
                SYSTEM_USER,
                "--clear-groups",
                "--",
            ])
            .arg(program);
        command
    }
}

/// The user to run as, when it is not the present one.
fn other_user() -> Result<Option<User>, ServerError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let found = User::from_name(SYSTEM_USER).ok().flatten();
    found.map(Some).ok_or(ServerError::NotInstalled {
        program: format!("the user {SYSTEM_USER}"),
        package: "postgresql",
    })
}

/// Debian keeps each version's programs in a folder of its own.
fn newest_bin() -> Result<PathBuf, ServerError> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let bins = versions.filter_map(|version| {
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        let bin = version.path().join("bin");
        let is_executable = |file: &Path| file.metadata().is_ok_and(|meta| meta.mode() & 0o111 != 0);
        is_executable(&bin.join("initdb")).then_some((number, bin))
    });
    bins.max_by_key(|(number, _)| *number)
        .map(|(_, bin)| bin)
        .ok_or(ServerError::NotInstalled {
            program: "PostgreSQL's initdb".to_owned(),
            package: "postgresql",
        })
}
