//! Durable commands a second through HTTP with the log on PostgreSQL, beside what PostgreSQL alone makes of such rows, and
//! beside a plain service on the same server.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use servers::Postgres;

use super::commands::{CONNECTIONS, TRACKS, UnderLoad};
use super::peer::Peer;
use super::{Setting, generate_catalogue, serve};
use crate::cpu::CpuWatch;
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
/// `pgbench` counts from its start and makes so many sessions first, which takes seconds on a busy machine.
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
        let (rate, row) = under_load.commands(" on PostgreSQL", connections).await?;
        rows.extend(beside.measure(setting, connections, rate, row).await?);
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

    /// `row`, measured at `rate` a second, beside `pgbench` and beside the peer.
    pub(super) async fn measure(
        &self,
        setting: &Setting,
        connections: usize,
        rate: f64,
        row: Row,
    ) -> Result<[Row; 2]> {
        let clients = connections.min(CLIENTS_MAX);
        let duration = setting.duration().max(PGBENCH_MIN);
        let watch = CpuWatch::start();
        let alone = self.database.pgbench(DATABASE, INSERT, clients, duration)?;
        let others = watch.others();
        let text = format!(
            "pgbench, one such row a transaction, {clients} clients: {}/s",
            thousands(alone)
        );
        let of_service = self.peer.beside(setting, connections, rate, row.clone()).await?;
        let of_rows = row.beside(text, rate / alone).among(others);
        Ok(match connections {
            64 => [
                of_rows.reach(">= 5,000/s; ratio >= 0.6"),
                of_service.reach(">= 5 times the peer, with a lower p99"),
            ],
            _ => [of_rows, of_service],
        })
    }
}
