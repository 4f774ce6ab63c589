//! The production stack on this machine: private servers, a way to each that can make trouble, and a process for each role.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use servers::{Firestore, Postgres, Proxy, RabbitMq, Redis, RedisOptions, Trouble};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::server::{Program, Readiness, Server};

/// For private servers on this machine.
const MASTER_KEY: &str = "7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c";
/// How long a role may take to be ready: after many events it first catches up.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// The project of the emulator.
const PROJECT: &str = "demo-segue";

/// The role of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `segue rest`
    Rest,
    /// `segue usermanagement`
    Usermanagement,
    /// `segue classifier`
    Classifier,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Usermanagement, Self::Classifier];

    /// The command that starts it.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Usermanagement => "usermanagement",
            Self::Classifier => "classifier",
        }
    }
}

/// Which servers a cluster has besides PostgreSQL, RabbitMQ and Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Models {
    /// Base models lie in files.
    Files,
    /// Base models lie in a Firestore emulator; the binary must be built with the feature `production`.
    Firestore,
}

/// Servers and processes. Everything ends with its value.
#[derive(Debug)]
pub struct Cluster {
    processes: Vec<(Role, Server)>,
    program: Program,
    /// PostgreSQL: log and keys.
    pub postgres: Postgres,
    /// RabbitMQ: the bus.
    pub rabbitmq: RabbitMq,
    /// Redis: the views.
    pub redis: Redis,
    /// Firestore: base models.
    pub firestore: Option<Firestore>,
    roles: [(Ways, Program); 3],
    url: String,
    _folder: TempDir,
}

/// What the processes of a role go through to reach each server.
#[derive(Debug)]
pub struct Ways {
    /// To PostgreSQL.
    pub postgres: Proxy,
    /// To RabbitMQ.
    pub rabbitmq: Proxy,
    /// To Redis.
    pub redis: Proxy,
}

impl Ways {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> [&Proxy; 3] {
        [&self.postgres, &self.rabbitmq, &self.redis]
    }

    /// `program`, which reaches the database `url` at `port` and the other servers by these ways.
    fn lead(&self, program: Program, url: &str, port: u16) -> Program {
        let url = url.replace(&format!(":{port}/"), &format!(":{}/", self.postgres.port()));
        program
            .with_env("DATABASE_URL", &url)
            .with_env("RABBITMQ_PORT", &self.rabbitmq.port().to_string())
            .with_env("REDIS_PORT", &self.redis.port().to_string())
    }
}

impl Cluster {
    /// Starts the servers, migrates the database and applies the topology. No role runs yet.
    ///
    /// # Errors
    /// When a server is not installed or does not start.
    pub async fn start(binary: impl AsRef<Path>, models: Models) -> Result<Self> {
        let folder = TempDir::with_prefix("segue-cluster-")?;
        let (postgres, rabbitmq, redis) = tokio::try_join!(
            Postgres::start(),
            RabbitMq::start(),
            Redis::start(RedisOptions::default())
        )?;
        let firestore = match models {
            Models::Files => None,
            Models::Firestore => Some(Firestore::start().await?),
        };
        let url = postgres.new_database()?;
        let mut program = Program::new(binary.as_ref(), folder.path().join("data"))
            .with_env("SEGUE_THROTTLE", "off")
            .with_env("SEGUE_MASTER_KEY", MASTER_KEY)
            .with_env("DATABASE_URL", &url)
            .with_env("RABBITMQ_HOST", rabbitmq.host())
            .with_env("RABBITMQ_PORT", &rabbitmq.port().to_string())
            .with_env("RABBITMQ_USER", rabbitmq.user())
            .with_env("RABBITMQ_PASSWORD", rabbitmq.password())
            .with_env("REDDIS_HOST", "127.0.0.1")
            .with_env("REDIS_PORT", &redis.port().to_string());
        if let Some(firestore) = &firestore {
            program = program
                .with_env("FIRESTORE_PROJECT", PROJECT)
                .with_env("FIRESTORE_EMULATOR_HOST", &firestore.host());
        }
        program.tool(&["migrate"], "").await?;
        program.tool(&["topology", "apply"], "").await?;
        let through = async || {
            let ways = Ways {
                postgres: Proxy::start(postgres.port()).await?,
                rabbitmq: Proxy::start(rabbitmq.port()).await?,
                redis: Proxy::start(redis.port()).await?,
            };
            let program = ways.lead(program.clone(), &url, postgres.port());
            anyhow::Ok((ways, program))
        };
        let roles = [through().await?, through().await?, through().await?];
        Ok(Self {
            processes: Vec::new(),
            program,
            postgres,
            rabbitmq,
            redis,
            firestore,
            roles,
            url,
            _folder: folder,
        })
    }

    /// The same with nothing between processes and servers: for measurements.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_direct(binary: impl AsRef<Path>, models: Models) -> Result<Self> {
        let mut cluster = Self::start(binary, models).await?;
        for (_, program) in &mut cluster.roles {
            *program = cluster.program.clone();
        }
        Ok(cluster)
    }

    /// The binary with the settings of this cluster, for tools: it goes to the servers without a proxy in between.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Gives every process that is started from now on one more environment variable.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.program = self.program.clone().with_env(name, value);
        for (_, program) in &mut self.roles {
            *program = program.clone().with_env(name, value);
        }
    }

    /// The database, past the proxy.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.url
    }

    /// The virtual host of the bus: the one that a broker that lost everything has again.
    #[must_use]
    pub fn vhost(&self) -> &'static str {
        "/"
    }

    /// Starts one process for each of `roles` and waits until these are ready.
    ///
    /// # Errors
    /// When one ends, or is not ready in time; the message holds the end of its output.
    pub async fn run(&mut self, roles: &[Role]) -> Result<()> {
        let before = self.processes.len();
        for role in roles {
            let server = self.start_one(*role)?;
            self.processes.push((*role, server));
        }
        ready(&mut self.processes[before..]).await
    }

    /// Waits until every process is ready.
    ///
    /// # Errors
    /// When one ends, or is not ready in time; the message holds the end of its output.
    pub async fn all_ready(&mut self) -> Result<()> {
        ready(&mut self.processes).await
    }

    /// What each process says of its parts, and the end of what it has printed.
    pub async fn told(&self) -> String {
        let mut told = String::new();
        for (role, server) in &self.processes {
            let ready = crate::load::get_text(server.address(), "/readyz?verbose").await;
            let (name, ready) = (role.command(), ready.unwrap_or_else(|error| error.to_string()));
            told += &format!("segue {name}: {ready}\n{}\n", server.output());
        }
        told
    }

    /// The processes of `role`.
    pub fn of(&mut self, role: Role) -> impl Iterator<Item = &mut Server> {
        self.processes
            .iter_mut()
            .filter(move |(of, _)| *of == role)
            .map(|(_, server)| server)
    }

    /// How many processes of `role` there are.
    #[must_use]
    pub fn count(&self, role: Role) -> usize {
        self.processes.iter().filter(|(of, _)| *of == role).count()
    }

    /// The first REST process.
    ///
    /// # Errors
    /// When none was started.
    pub fn rest(&mut self) -> Result<&mut Server> {
        self.of(Role::Rest).next().context("no REST process was started")
    }

    /// Kills the `index`-th process of `role`, round and round, and starts another in its place without waiting for it.
    ///
    /// # Errors
    /// When there is none, or it had ended by itself, or the new one cannot be started.
    pub async fn replace(&mut self, role: Role, index: usize) -> Result<()> {
        let count = self.count(role).max(1);
        let fresh = self.start_one(role)?;
        let old = self.of(role).nth(index % count).context("no such process")?;
        if let Some(status) = old.exit_status() {
            bail!(
                "segue {} had ended by itself with {status}:\n{}",
                role.command(),
                old.output()
            );
        }
        old.kill().await?;
        *old = fresh;
        Ok(())
    }

    /// Brings the processes of `role` to `count`: stops the last ones in order, or starts more and waits for them.
    ///
    /// # Errors
    /// When one does not stop in order, or does not get ready.
    pub async fn scale(&mut self, role: Role, count: usize) -> Result<()> {
        while self.count(role) > count {
            let last = self.processes.iter().rposition(|(of, _)| *of == role);
            let (_, server) = self.processes.remove(last.context("no such process")?);
            server.stop().await?;
        }
        let missing = count - self.count(role);
        self.run(&vec![role; missing]).await
    }

    /// Stops the first process of `role` in order.
    ///
    /// # Errors
    /// When there is none, or it does not stop in order.
    pub async fn stop_first(&mut self, role: Role) -> Result<()> {
        let first = self.processes.iter().position(|(of, _)| *of == role);
        let (_, server) = self.processes.remove(first.context("no such process")?);
        server.stop().await
    }

    /// Stops every process in order.
    ///
    /// # Errors
    /// When one does not stop in order.
    pub async fn stop(&mut self) -> Result<()> {
        for (_, server) in self.processes.drain(..) {
            server.stop().await?;
        }
        Ok(())
    }

    /// The ways of the processes of `role`.
    #[must_use]
    pub fn ways(&self, role: Role) -> &Ways {
        &self.roles[role as usize].0
    }

    /// Ends every trouble on the ways.
    pub fn clear_ways(&self) {
        for way in self.roles.iter().flat_map(|(ways, _)| ways.all()) {
            way.make(Trouble::None);
        }
    }

    fn start_one(&self, role: Role) -> Result<Server> {
        self.roles[role as usize].1.start_role(role.command())
    }

    /// Puts a process in the place of the `index`-th of `role`, round and round, which ends by itself at the failpoint
    /// `armed`, or is killed after `patience`; then another takes its place.
    ///
    /// # Errors
    /// When there is none, or a process cannot be started, or it ends in another way.
    pub async fn replace_at_failpoint(
        &mut self,
        role: Role,
        index: usize,
        armed: (&str, &str),
        patience: Duration,
    ) -> Result<bool> {
        let program = self.roles[role as usize].1.clone().with_env(armed.0, armed.1);
        let mut dying = program.start_role(role.command())?;
        let count = self.count(role).max(1);
        let place = self.of(role).nth(index % count).context("no such process")?;
        place.kill().await?;
        let came_by = match tokio::time::timeout(patience, dying.ended()).await {
            Ok(status) => {
                let status = status?;
                if status.code().is_some() {
                    bail!(
                        "segue {} ended with {status}:\n{}",
                        role.command(),
                        dying.output()
                    );
                }
                true
            }
            Err(_) => {
                dying.kill().await?;
                false
            }
        };
        let fresh = self.start_one(role)?;
        *self.of(role).nth(index % count).context("no such process")? = fresh;
        Ok(came_by)
    }
}

async fn ready(processes: &mut [(Role, Server)]) -> Result<()> {
    let deadline = Instant::now() + READY_LIMIT;
    for (role, server) in processes {
        let name = role.command();
        match server
            .ready(deadline.saturating_duration_since(Instant::now()))
            .await
        {
            Readiness::Ready => {}
            Readiness::Died(status) => bail!("segue {name} ended with {status}:\n{}", server.output()),
            Readiness::TimedOut => {
                let said = crate::load::get_text(server.address(), "/readyz?verbose").await;
                bail!("segue {name} is not ready: {said:?}\n{}", server.output())
            }
        }
    }
    Ok(())
}
