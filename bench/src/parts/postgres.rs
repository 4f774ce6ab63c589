//! Durable commands a second through HTTP with the log on PostgreSQL, beside what PostgreSQL alone makes of such rows.

use anyhow::Result;
use servers::Postgres;

use super::commands::{CONNECTIONS, TRACKS, UnderLoad};
use super::{Setting, generate_catalogue, serve};
use crate::numbers::thousands;
use crate::report::Row;

/// For a private database on this machine.
const MASTER_KEY: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";
const DATABASE: &str = "rows";
/// A row like a record: as long, with as many indexes.
const TABLE: &str = "CREATE TABLE rows (position BIGSERIAL PRIMARY KEY, stream BIGINT NOT NULL, version BIGINT NOT NULL,
    type TEXT NOT NULL, id UUID NOT NULL UNIQUE, leaf_hash BYTEA NOT NULL, record BYTEA NOT NULL, UNIQUE (stream, version));
    CREATE INDEX ON rows (type, position); CREATE SEQUENCE versions;";
const INSERT: &str = "INSERT INTO rows (stream, version, type, id, leaf_hash, record)
    VALUES (1, nextval('versions'), 'listener.track_rated', gen_random_uuid(), decode(repeat('ab', 32), 'hex'), decode(repeat('cd', 700), 'hex'));";

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when there is no PostgreSQL.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let database = Postgres::start().await?;
    let url = database.new_database()?;
    database.psql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
    database.psql(DATABASE, TABLE)?;
    let folder = setting.temporary()?;
    let program = setting
        .bare_program(folder.path())
        .with_env("DATABASE_URL", &url)
        .with_env("SEGUE_MASTER_KEY", MASTER_KEY);
    program.tool(&["migrate"], "").await?;
    generate_catalogue(&program, TRACKS).await?;
    let server = serve(&program).await?;
    let under_load = UnderLoad::new(setting, &server).await?;
    let mut rows = Vec::new();
    for connections in CONNECTIONS {
        let (rate, row) = under_load.commands(" on PostgreSQL", connections).await?;
        let clients = connections.min(150);
        let peer = database.pgbench(DATABASE, INSERT, clients, setting.duration())?;
        let text = format!(
            "pgbench, one such row a transaction, {clients} clients: {}/s",
            thousands(peer)
        );
        let row = row.beside(text, rate / peer);
        rows.push(match connections {
            64 => row.reach(">= 5,000/s; ratio >= 0.6"),
            _ => row,
        });
    }
    server.stop().await?;
    Ok(rows)
}
