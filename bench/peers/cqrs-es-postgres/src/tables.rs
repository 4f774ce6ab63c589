//! The tables, as postgres-es gives them in its `db/init.sql`.

use sqlx::{Pool, Postgres};

/// The table of the view.
pub const VIEWS: &str = "listener_view";

const EVENTS: &str = "
    CREATE TABLE IF NOT EXISTS events (
        aggregate_type text                         NOT NULL,
        aggregate_id   text                         NOT NULL,
        sequence       bigint CHECK (sequence >= 0) NOT NULL,
        event_type     text                         NOT NULL,
        event_version  text                         NOT NULL,
        payload        json                         NOT NULL,
        metadata       json                         NOT NULL,
        PRIMARY KEY (aggregate_type, aggregate_id, sequence)
    )";

const LISTENER_VIEW: &str = "
    CREATE TABLE IF NOT EXISTS listener_view (
        view_id text                        NOT NULL,
        version bigint CHECK (version >= 0) NOT NULL,
        payload json                        NOT NULL,
        PRIMARY KEY (view_id)
    )";

/// Makes the tables that are not there.
pub async fn create(pool: &Pool<Postgres>) -> sqlx::Result<()> {
    for table in [EVENTS, LISTENER_VIEW] {
        sqlx::query(table).execute(pool).await?;
    }
    Ok(())
}
