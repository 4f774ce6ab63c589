//! The shape of the database: numbered migrations, applied by [`migrate`] and by nobody else.

use tokio_postgres::Client;

use super::connect::PostgresConfig;
use crate::append::StorageFault;
use crate::log::OpenError;

/// Every migration, in order. One that was released never changes.
const MIGRATIONS: &[(i32, &str)] = &[
    (1, include_str!("migrations/0001_log.sql")),
    (2, include_str!("migrations/0002_keys.sql")),
    (3, include_str!("migrations/0003_tree.sql")),
    (4, include_str!("migrations/0004_forgetting.sql")),
    (5, include_str!("migrations/0005_retired_audit_keys.sql")),
    (6, include_str!("migrations/0006_runs.sql")),
    (7, include_str!("migrations/0007_mark.sql")),
];
/// Held while migrations run: two programs that migrate at the same time wait for each other.
const MIGRATION_LOCK: i64 = 0x5365_6775_654D;

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The migrations that were applied now.
    pub applied: Vec<i32>,
    /// The shape that the database has.
    pub version: i32,
}

/// Brings the database at `config` to the shape that this program knows, in one transaction.
///
/// # Errors
/// [`OpenError`]: it cannot be reached, is newer than this program, or a migration failed. Nothing is changed.
pub async fn migrate(config: &PostgresConfig) -> Result<Migrated, OpenError> {
    let mut client = config.connect_at_start().await?;
    let failed = |error: tokio_postgres::Error| OpenError::Database {
        problem: "could not be migrated".to_owned(),
        cause: Some(StorageFault::new(
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), ToString::to_string),
        )),
    };
    let transaction = client.transaction().await.map_err(failed)?;
    transaction
        .query("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await
        .map_err(failed)?;
    let found = found_version(transaction.client()).await.map_err(failed)?;
    refuse_newer(found)?;
    let mut applied = Vec::new();
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| *number > found) {
        if *number == 1 {
            transaction.batch_execute(FOUNDATION).await.map_err(failed)?;
        }
        transaction.batch_execute(sql).await.map_err(failed)?;
        transaction
            .execute("INSERT INTO segue.migrations (number) VALUES ($1)", &[number])
            .await
            .map_err(failed)?;
        applied.push(*number);
    }
    transaction.commit().await.map_err(failed)?;
    Ok(Migrated {
        applied,
        version: known_version(),
    })
}

/// What the migrations themselves stand on.
const FOUNDATION: &str = "CREATE SCHEMA IF NOT EXISTS segue;
CREATE TABLE segue.migrations (number INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now());";

fn known_version() -> i32 {
    MIGRATIONS.last().map_or(0, |(number, _)| *number)
}

async fn found_version(client: &Client) -> Result<i32, tokio_postgres::Error> {
    let there = client
        .query_one("SELECT to_regclass('segue.migrations') IS NOT NULL", &[])
        .await?;
    if !there.get::<_, bool>(0) {
        return Ok(0);
    }
    let row = client
        .query_one("SELECT coalesce(max(number), 0) FROM segue.migrations", &[])
        .await?;
    Ok(row.get(0))
}

fn refuse_newer(found: i32) -> Result<(), OpenError> {
    let known = known_version();
    if found > known {
        return Err(OpenError::Database {
            problem: format!(
                "was migrated by a newer program (shape {found}; this program knows up to {known}): update the program"
            ),
            cause: None,
        });
    }
    Ok(())
}

/// Refuses a database of another shape than this program knows.
pub(super) async fn check(client: &Client) -> Result<(), OpenError> {
    let found = found_version(client).await.map_err(|error| OpenError::Database {
        problem: "cannot be read: check the rights of the user".to_owned(),
        cause: Some(StorageFault::new(error)),
    })?;
    refuse_newer(found)?;
    let known = known_version();
    if found < known {
        return Err(OpenError::Database {
            problem: format!("has shape {found}, this program needs {known}: run `segue migrate`"),
            cause: None,
        });
    }
    Ok(())
}
