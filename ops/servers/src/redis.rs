//! Redis.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{Folder, Process, ServerError, ports::free_port};

const SERVER: &str = "Redis";
const PATIENCE: Duration = Duration::from_secs(30);
const DUMP: &str = "dump.rdb";

/// How a private Redis is set up. The default holds everything in memory alone and asks for no password.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// What clients must say first.
    pub password: Option<String>,
    /// Whether each write reaches the disk before it is answered (`appendfsync always`). Otherwise a restart finds what
    /// [`Redis::dump`] has left.
    pub append_only: bool,
    /// The port on 127.0.0.1 of the server that this one follows.
    pub replica_of: Option<u16>,
    /// Further arguments, as `--maxmemory 4mb`, one word each.
    pub arguments: Vec<String>,
    /// Variables of its environment, by name.
    pub environment: Vec<(String, String)>,
}

/// A private Redis.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    folder: Folder,
    program: PathBuf,
    port: u16,
    options: RedisOptions,
}

impl Redis {
    /// Starts one in a temporary folder.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start(options: RedisOptions) -> Result<Self, ServerError> {
        Self::start_in(Folder::temporary()?, free_port()?, options).await
    }

    /// Starts one in `folder`, with the data that is there already.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start_in(folder: Folder, port: u16, options: RedisOptions) -> Result<Self, ServerError> {
        let mut server = Self {
            process: None,
            folder,
            program: program("redis-server")?,
            port,
            options,
        };
        server.run().await?;
        Ok(server)
    }

    /// The port it listens on, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password that clients must say, if any.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// Runs `redis-cli` with `arguments`, and gives what it printed.
    ///
    /// # Errors
    /// - `Io`: the server does not answer, or refused; the reason is in the error.
    pub fn cli(&self, arguments: &[&str]) -> Result<String, ServerError> {
        let mut command = Command::new(program("redis-cli")?);
        command.args(["-h", "127.0.0.1", "-e", "-p", &self.port.to_string()]);
        if let Some(password) = &self.options.password {
            command.env("REDISCLI_AUTH", password);
        }
        let output = command
            .args(arguments)
            .output()
            .map_err(|error| ServerError::io("cannot run redis-cli", error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let reason =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Err(ServerError::io(
            format!("redis-cli refused {arguments:?}"),
            std::io::Error::other(reason),
        ))
    }

    /// Writes everything to the disk, and gives a copy of it that [`restore`](Self::restore) takes.
    ///
    /// # Errors
    /// - `Io`: it could not be written or read.
    pub fn dump(&self) -> Result<Vec<u8>, ServerError> {
        self.cli(&["SAVE"])?;
        std::fs::read(self.dump_path()).map_err(|error| ServerError::io("cannot read the dump", error))
    }

    /// Starts it again with what [`dump`](Self::dump) gave, and nothing that came later.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn restore(&mut self, dump: &[u8]) -> Result<(), ServerError> {
        self.kill();
        std::fs::write(self.dump_path(), dump)
            .map_err(|error| ServerError::io("cannot write the dump", error))?;
        self.restart().await
    }

    /// SIGKILL: what was not written to the disk is lost.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGSTOP: connections stay, nothing is answered.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::SIGTERM, PATIENCE);
        }
    }

    /// Starts it again on the same port and folder, however it ended.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        self.run().await
    }

    fn dump_path(&self) -> PathBuf {
        self.folder.path().join(DUMP)
    }

    async fn run(&mut self) -> Result<(), ServerError> {
        let mut process = Process::spawn(SERVER, &mut self.command(), &self.folder)?;
        let ready = process.until_ready(PATIENCE, || async {
            self.cli(&["PING"]).is_ok_and(|said| said == "PONG")
        });
        ready.await?;
        self.process = Some(process);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .args(["--port", &self.port.to_string(), "--dbfilename", DUMP])
            .arg("--dir")
            .arg(self.folder.path());
        if self.options.append_only {
            command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        if let Some(password) = &self.options.password {
            command.args(["--requirepass", password, "--masterauth", password]);
        }
        if let Some(primary) = self.options.replica_of {
            command.args(["--replicaof", "127.0.0.1", &primary.to_string()]);
        }
        command.args(&self.options.arguments);
        command.envs(self.options.environment.iter().cloned());
        command
    }
}

fn program(name: &str) -> Result<PathBuf, ServerError> {
    let places = ["/usr/bin", "/usr/local/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name));
    let mut found = found.filter(|path| path.exists());
    found.next().ok_or(ServerError::NotInstalled {
        program: name.to_owned(),
        package: if name == "redis-cli" {
            "redis-tools"
        } else {
            "redis-server"
        },
    })
}
