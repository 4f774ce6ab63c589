//! Durable commands a second through HTTP with the log on PostgreSQL, beside what PostgreSQL alone makes of such rows, and
//! beside a plain service on the same server.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use servers::Postgres;

use super::commands::{self, CONNECTIONS, TRACKS, UnderLoad};
use super::peer::Peer;
use super::{SETTLE_LIMIT, Setting, generate_catalogue, serve};
use crate::cpu::CpuWatch;
use crate::load::Loaded;
use crate::metrics::settled;
use crate::numbers::thousands;
use crate::report::Row;
use crate::server::Program;

/// For a private database on this machine.
const MASTER_KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
const DATABASE: &str = "rows";
/// A row like a record: as long, with as many indexes.
const TABLE: &str = "CREATE TABLE rows (position BIGSERIAL PRIMARY KEY, stream BIGINT NOT NULL, version BIGINT NOT NULL,
    type TEXT NOT NULL, id UUID NOT NULL UNIQUE, leaf_hash BYTEA NOT NULL, record BYTEA NOT NULL, UNIQUE (stream, version));
    CREATE INDEX ON rows (type, position); CREATE SEQUENCE versions;";
const INSERT: &str = "INSERT INTO rows (stream, version, type, id, leaf_hash, record)
    VALUES (1, nextval('versions'), 'listener.track_rated', gen_random_uuid(), decode(repeat('ab', 32), 'hex'), decode(repeat('cd', 700), 'hex'));";
/// Sessions that are left for `pgbench`: the server takes 200, and the two services have theirs.
const CLIENTS_MAX: usize = 150;
/// `pgbench` takes its time from its start and makes so many sessions first, which takes seconds on a busy machine.
const PGBENCH_MIN: Duration = Duration::from_secs(4);

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when there is no PostgreSQL.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let database = Postgres::start().await?;
    let folder = setting.temporary()?;
    let program = program(setting, &database, folder.path(), TRACKS).await?;
    let beside = Beside::start(&database).await?;
    let server = serve(&program).await?;
    let under_load = UnderLoad::new(setting, server.address()).await?;
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let mut compared = Compared::new(setting, &under_load, &beside, connections);
        compared.measure().await?;
        rows.extend(compared.rows(" on PostgreSQL"));
    }
    server.stop().await?;
    Ok(rows)
}

/// The binary with its log in a new database and all else in `folder`, with a generated catalogue.
///
/// # Errors
/// When the database cannot be made ready, or the catalogue cannot be generated.
pub(super) async fn program(
    setting: &Setting,
    database: &Postgres,
    folder: &Path,
    tracks: usize,
) -> Result<Program> {
    let program = setting
        .bare_program(folder)
        .with_env("DATABASE_URL", &database.new_database()?)
        .with_env("SEGUE_MASTER_KEY", MASTER_KEY);
    program.tool(&["migrate"], "").await?;
    generate_catalogue(&program, tracks).await?;
    Ok(program)
}

/// What is measured on the same PostgreSQL server, in databases of its own.
pub(super) struct Beside<'a> {
    database: &'a Postgres,
    peer: Peer,
}

impl<'a> Beside<'a> {
    pub(super) async fn start(database: &'a Postgres) -> Result<Self> {
        database.psql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
        database.psql(DATABASE, TABLE)?;
        let peer = Peer::start(database).await?;
        Ok(Self { database, peer })
    }
}

/// Commands beside `pgbench` and beside the peer, all on so many connections and in turns: a machine changes within a minute.
pub(super) struct Compared<'a> {
    setting: &'a Setting,
    under_load: &'a UnderLoad<'a>,
    beside: &'a Beside<'a>,
    connections: usize,
    commands: Loaded,
    inserts: Vec<f64>,
    service: Loaded,
    others: Others,
}

/// The largest share of the machine that others took in a turn of each.
#[derive(Default)]
struct Others {
    commands: f64,
    inserts: f64,
    service: f64,
}

impl<'a> Compared<'a> {
    pub(super) fn new(
        setting: &'a Setting,
        under_load: &'a UnderLoad<'a>,
        beside: &'a Beside<'a>,
        connections: usize,
    ) -> Self {
        Self {
            setting,
            under_load,
            beside,
            connections,
            commands: Loaded::default(),
            inserts: Vec::new(),
            service: Loaded::default(),
            others: Others::default(),
        }
    }

    /// Turns of all.
    pub(super) async fn measure(&mut self) -> Result<()> {
        for _ in 0..self.setting.turns() {
            self.commands().await?;
            // What the load left to be published and folded would be taken from the peers.
            settled(self.under_load.address(), SETTLE_LIMIT).await?;
            self.peers().await?;
        }
        Ok(())
    }

    async fn commands(&mut self) -> Result<()> {
        let watch = CpuWatch::start();
        let (load, duration) = (self.under_load, self.setting.turn());
        self.commands.extend(load.load(self.connections, duration).await?);
        self.others.commands = self.others.commands.max(watch.others());
        Ok(())
    }

    async fn peers(&mut self) -> Result<()> {
        let Beside { database, peer } = self.beside;
        let duration = self.setting.turn();
        let watch = CpuWatch::start();
        self.inserts.push(database.pgbench(
            DATABASE,
            INSERT,
            self.clients(),
            self.setting.duration().max(PGBENCH_MIN),
        )?);
        self.others.inserts = self.others.inserts.max(watch.others());
        let watch = CpuWatch::start();
        self.service
            .extend(peer.ratings(self.connections, duration).await?);
        self.others.service = self.others.service.max(watch.others());
        Ok(())
    }

    fn clients(&self) -> usize {
        self.connections.min(CLIENTS_MAX)
    }

    /// The commands beside `pgbench`, and beside the peer.
    pub(super) fn rows(self, where_: &str) -> [Row; 2] {
        let rate = self.commands.per_second();
        let inserts = self.inserts.iter().sum::<f64>() / self.inserts.len().max(1) as f64;
        let served = self.service.per_second();
        let of_rows = format!(
            "pgbench, one such row a transaction, {} clients: {}/s",
            self.clients(),
            thousands(inserts)
        );
        let of_service = format!(
            "axum with cqrs-es and postgres-es: {}/s, {}",
            thousands(served),
            self.service.latencies.p50_p99()
        );
        let Others {
            commands: ours,
            inserts: during_inserts,
            service: during_service,
        } = self.others;
        let row = commands::row(where_, self.connections, &self.commands, ours);
        let of_rows = row.clone().beside(of_rows, rate / inserts).among(during_inserts);
        let of_service = row.beside(of_service, rate / served).among(during_service);
        match self.connections {
            64 => [
                of_rows.reach(">= 5,000/s; ratio >= 0.6"),
                of_service.reach(">= 5 times the peer, with a lower p99"),
            ],
            _ => [of_rows, of_service],
        }
    }
}
