//! What `segue config check --connect` says of servers that answer, and how the program reaches a database that wants encryption.

use anyhow::{Context, Result, ensure};
use bench::cluster::Cluster;
use serde_json::Value;

use crate::MODELS;

const CHECK: [&str; 5] = ["config", "check", "--connect", "--format", "json"];

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_answer_are_told_with_where_they_stand() -> Result<()> {
    let mut cluster = Cluster::start(env!("CARGO_BIN_EXE_segue"), MODELS).await?;
    let report: Value = serde_json::from_str(&cluster.program().tool(&CHECK, "").await?)?;
    let connections = report["connections"].as_array().context("no connections")?;
    let told: Vec<_> = connections
        .iter()
        .map(|connection| (connection["part"].as_str().unwrap_or_default(), &connection["ok"]))
        .collect();
    let wanted = ["log", "bus", "views", "models"];
    let wanted = &wanted[..if cfg!(feature = "production") { 4 } else { 3 }];
    ensure!(
        told.iter().map(|(part, _)| part).eq(wanted) && told.iter().all(|(_, ok)| **ok == true),
        "{report:#}"
    );
    ensure!(report["ok"] == true, "{report:#}");
    cluster.rabbitmq.stop();
    let (status, told, _) = cluster.program().run(&CHECK, "").await?;
    let report: Value = serde_json::from_str(&told)?;
    ensure!(status.code() == Some(1), "{report:#}");
    let away = report["connections"].as_array().context("no connections")?;
    let away: Vec<_> = away
        .iter()
        .filter(|connection| connection["ok"] == false)
        .collect();
    ensure!(away.len() == 1 && away[0]["part"] == "bus", "{report:#}");
    Ok(())
}

#[cfg(feature = "production")]
mod encrypted {
    use std::time::Duration;

    use anyhow::{Result, ensure};
    use bench::server::Program;
    use servers::Postgres;
    use tempfile::TempDir;

    const LIMIT: Duration = Duration::from_secs(60);

    fn program(folder: &TempDir, url: &str) -> Program {
        Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"))
            .with_env("SEGUE_MASTER_KEY", &"7c".repeat(32))
            .with_env("DATABASE_URL", url)
    }

    async fn refusal(folder: &TempDir, url: &str) -> Result<String> {
        let (status, _, said) = program(folder, url).run(&["migrate"], "").await?;
        ensure!(status.code() == Some(1), "{url}: {status}: {said}");
        ensure!(!said.contains("private"), "the password is told: {said}");
        Ok(said)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_that_wants_encryption_is_served_when_it_proves_who_it_is() -> Result<()> {
        let folder = TempDir::with_prefix("segue-encrypted-")?;
        let mut postgres = Postgres::start().await?;
        let url = postgres.new_database()?;
        let authority = postgres.encrypt().await?;
        let said = refusal(&folder, &url).await?;
        ensure!(said.contains("no encryption"), "{said}");
        let said = refusal(&folder, &format!("{url}?sslmode=require")).await?;
        ensure!(
            said.contains("sslrootcert"),
            "nobody that Mozilla trusts vouches for it: {said}"
        );
        let trusted = format!("sslmode=verify-full&sslrootcert={}", authority.display());
        let by_another_name = url.replace("127.0.0.1", "localhost");
        let said = refusal(&folder, &format!("{by_another_name}?{trusted}")).await?;
        ensure!(
            said.contains("sslrootcert"),
            "it does not prove to be localhost: {said}"
        );

        let program = program(&folder, &format!("{url}?{trusted}"));
        program.tool(&["migrate"], "").await?;
        let server = program.serve(LIMIT).await?;
        let sessions = postgres.psql(
            "postgres",
            "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE application_name = 'segue'",
        )?;
        let (all, encrypted) = sessions.split_once('|').unwrap_or_default();
        ensure!(all != "0" && all == encrypted, "{sessions}");
        server.stop().await
    }
}
