//! RabbitMQ.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::sys::signal::Signal;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Folder, Process, ServerError, ports::free_port};

const SERVER: &str = "RabbitMQ";
const PATIENCE: Duration = Duration::from_secs(120);
/// Who may do everything in a private broker.
const USER: &str = "segue";
/// Their password.
const PASSWORD: &str = "private";
/// What an AMQP 0-9-1 client says first; a broker that has started answers it.
const GREETING: &[u8] = b"AMQP\0\0\x09\x01";
/// Virtual hosts made at first, then twice as many each time: one call of the broker's tool costs seconds, and each virtual
/// host some milliseconds at every start.
const VHOSTS_AT_FIRST: u32 = 4;
/// Where the programs lie on Debian.
const BIN: &str = "/usr/lib/rabbitmq/bin";
/// Names a folder that holds another Debian, to run its RabbitMQ instead: an absolute path, for `chroot`.
const ROOT: &str = "SEGUE_RABBITMQ_ROOT";

/// A private RabbitMQ node. It confirms a message when it is on the disk, as it would anywhere else.
#[derive(Debug)]
pub struct RabbitMq {
    process: Option<Process>,
    /// Tells nodes and tools where each other is; the broker would start one that outlives it.
    _name_server: Process,
    place: Place,
    ports: Ports,
    vhosts: Mutex<Vhosts>,
}

/// Where the node keeps its files, and the root that its programs see.
#[derive(Debug)]
struct Place {
    folder: Folder,
    root: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    amqp: u16,
    distribution: u16,
    name_server: u16,
}

#[derive(Debug, Default)]
struct Vhosts {
    made: u32,
    unused: Vec<String>,
}

impl RabbitMq {
    /// Starts one in a temporary folder.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start() -> Result<Self, ServerError> {
        let place = Place::temporary()?;
        let ports = Ports {
            amqp: free_port()?,
            distribution: free_port()?,
            name_server: free_port()?,
        };
        place.is_installed()?;
        place.write_settings(ports)?;
        let mut name_server = place.command("/usr/bin/epmd", ports);
        name_server.args(["-address", "127.0.0.1", "-port", &ports.name_server.to_string()]);
        let mut server = Self {
            process: None,
            _name_server: Process::spawn("epmd", &mut name_server, &place.folder)?,
            place,
            ports,
            vhosts: Mutex::default(),
        };
        server.run().await?;
        Ok(server)
    }

    /// The host it listens on.
    #[must_use]
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// A user who may do everything.
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// That user's password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The URL of a virtual host whose name needs no escaping.
    #[must_use]
    pub fn url(&self, vhost: &str) -> String {
        format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{}/{vhost}", self.ports.amqp)
    }

    /// Makes an empty virtual host, which shares nothing with others, and gives its name.
    ///
    /// # Errors
    /// - `Io`: the broker does not answer.
    pub fn new_vhost(&self) -> Result<String, ServerError> {
        let mut vhosts = self.vhosts.lock();
        if vhosts.unused.is_empty() {
            let until = (vhosts.made * 2).max(VHOSTS_AT_FIRST);
            let names: Vec<String> = (vhosts.made..until).map(|number| format!("v{number}")).collect();
            self.ctl(["eval", &make_vhosts(&names)])?;
            vhosts.made = until;
            vhosts.unused = names;
        }
        Ok(vhosts.unused.pop().expect("some were made"))
    }

    /// Runs `rabbitmqctl` on the node and gives what it printed.
    ///
    /// # Errors
    /// - `Io`: the node does not answer, or refused; the reason is in the error.
    pub fn ctl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String, ServerError> {
        let output = self
            .place
            .command(&format!("{BIN}/rabbitmqctl"), self.ports)
            .arg("--quiet")
            .args(args)
            .output()
            .map_err(|error| ServerError::io("cannot run rabbitmqctl", error))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() {
            return Ok(said);
        }
        let reason = said + &String::from_utf8_lossy(&output.stderr);
        Err(ServerError::io(
            "rabbitmqctl refused",
            std::io::Error::other(reason),
        ))
    }

    /// Whether it was started and neither killed nor stopped since.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// SIGKILL to the node.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::SIGTERM, PATIENCE);
        }
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    /// Ends the pause.
    pub fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    /// Starts it again on the same ports and data, however it ended.
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        self.run().await
    }

    /// Deletes all that a node that does not run has stored: queues, messages, virtual hosts, all but the user.
    ///
    /// # Errors
    /// - `Io`: it cannot be deleted.
    pub fn lose_volume(&mut self) -> Result<(), ServerError> {
        self.kill();
        *self.vhosts.lock() = Vhosts::default();
        let data = self.place.folder.path().join("mnesia");
        std::fs::remove_dir_all(data)
            .map_err(|error| ServerError::io("cannot delete the broker's data", error))
    }

    async fn run(&mut self) -> Result<(), ServerError> {
        let mut command = self.place.command(&format!("{BIN}/rabbitmq-server"), self.ports);
        let mut process = Process::spawn(SERVER, &mut command, &self.place.folder)?;
        let port = self.ports.amqp;
        process.until_ready(PATIENCE, || answers(port)).await?;
        self.process = Some(process);
        Ok(())
    }
}

impl Place {
    fn temporary() -> Result<Self, ServerError> {
        let Some(root) = std::env::var_os(ROOT).map(PathBuf::from) else {
            return Ok(Self {
                folder: Folder::temporary()?,
                root: None,
            });
        };
        Ok(Self {
            folder: Folder::temporary_in(&root.join("tmp"))?,
            root: Some(root),
        })
    }

    fn is_installed(&self) -> Result<(), ServerError> {
        let program = format!("{BIN}/rabbitmq-server");
        let seen = match &self.root {
            Some(root) => root.join(program.trim_start_matches('/')),
            None => PathBuf::from(&program),
        };
        if seen.exists() {
            return Ok(());
        }
        Err(ServerError::NotInstalled {
            program: seen.display().to_string(),
            package: "rabbitmq-server",
        })
    }

    /// The folder as the programs see it.
    fn inside(&self) -> PathBuf {
        let path = self.folder.path();
        match &self.root {
            Some(root) => Path::new("/").join(path.strip_prefix(root).unwrap_or(path)),
            None => path.to_owned(),
        }
    }

    fn write_settings(&self, ports: Ports) -> Result<(), ServerError> {
        let io = |error| ServerError::io("cannot write RabbitMQ's settings", error);
        let settings = format!(
            "listeners.tcp.local = 127.0.0.1:{}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n\
             vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n",
            ports.amqp
        );
        let folder = self.folder.path();
        std::fs::write(folder.join("rabbitmq.conf"), settings).map_err(io)?;
        std::fs::write(folder.join("environment"), "").map_err(io)?;
        std::fs::write(folder.join("enabled_plugins"), "[].").map_err(io)
    }

    /// One of RabbitMQ's programs, in an environment that knows nothing of the machine's own broker.
    fn command(&self, program: &str, ports: Ports) -> Command {
        let mut command = match &self.root {
            Some(root) => {
                let mut command = Command::new("chroot");
                command.arg(root).arg(program);
                command
            }
            None => Command::new(program),
        };
        let inside = self.inside();
        let within = |name: &str| inside.join(name);
        command
            .env_clear()
            .current_dir("/")
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", &inside)
            .env("LC_ALL", "C.UTF-8")
            .env("RABBITMQ_NODENAME", "segue@localhost")
            .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
            .env("ERL_EPMD_PORT", ports.name_server.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONF_ENV_FILE", within("environment"))
            .env("RABBITMQ_CONFIG_FILE", within("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", within("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", within("mnesia"))
            .env("RABBITMQ_LOG_BASE", within("log"))
            .env("RABBITMQ_PID_FILE", within("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang_args())
            .env("RABBITMQ_CTL_ERL_ARGS", OsStr::new("+S 1:1 +sbwt none"));
        command
    }
}

/// Everything on 127.0.0.1, no name server of its own, and no schedulers that spin while they wait.
fn erlang_args() -> &'static str {
    "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none"
}

/// What makes virtual hosts, in the broker's own language.
fn make_vhosts(names: &[String]) -> String {
    let list = names
        .iter()
        .map(|name| format!("<<\"{name}\">>"))
        .collect::<Vec<_>>()
        .join(",");
    format!(
        "[begin rabbit_vhost:add(V, <<\"{USER}\">>), rabbit_auth_backend_internal:set_permissions(<<\"{USER}\">>, V, \
         <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"{USER}\">>) end || V <- [{list}]], ok."
    )
}

async fn answers(port: u16) -> bool {
    let asking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(GREETING).await?;
        stream.read_u8().await
    };
    matches!(
        tokio::time::timeout(Duration::from_secs(2), asking).await,
        Ok(Ok(_))
    )
}

#[cfg(test)]
mod tests {
    use super::RabbitMq;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_private_broker_starts_stops_and_forgets_what_is_deleted() {
        let mut broker = RabbitMq::start().await.expect("it starts");
        let vhost = broker.new_vhost().expect("a virtual host");
        let listed = broker.ctl(["list_vhosts", "name"]).expect("it answers");
        assert!(listed.lines().any(|line| line == vhost), "{listed}");
        broker.stop();
        assert!(broker.ctl(["status"]).is_err(), "it is down");
        broker.restart().await.expect("it starts again");
        let listed = broker.ctl(["list_vhosts", "name"]).expect("it answers");
        assert!(listed.lines().any(|line| line == vhost), "{listed}");
        broker.lose_volume().expect("deleted");
        broker.restart().await.expect("it starts anew");
        let listed = broker.ctl(["list_vhosts", "name"]).expect("it answers");
        assert_eq!(listed.lines().last(), Some("/"));
    }
}
