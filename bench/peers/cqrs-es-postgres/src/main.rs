//! A plain service on cqrs-es and postgres-es, as their documentation shows: see README.md.

mod listener;
mod routes;
mod tables;
mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use cqrs_es::persist::GenericQuery;
use postgres_es::{PostgresViewRepository, default_postgress_pool, postgres_cqrs};
use tokio::net::TcpListener;

/// Keeps listeners' ratings with cqrs-es on PostgreSQL.
#[derive(Parser)]
struct Cli {
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:5100", value_name = "ADDR")]
    listen: SocketAddr,
    /// The database, as `postgres://user:password@host:5432/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // Their pool: ten connections.
    let pool = default_postgress_pool(&cli.database_url).await;
    tables::create(&pool).await.context("the tables cannot be made")?;
    let views = Arc::new(PostgresViewRepository::new(tables::VIEWS, pool.clone()));
    let mut query = GenericQuery::new(views.clone());
    query.use_error_handler(Box::new(|error| eprintln!("a view could not be kept: {error}")));
    let cqrs = postgres_cqrs(pool, vec![Box::new(query)], ());
    let state = routes::State {
        cqrs: Arc::new(cqrs),
        views,
    };
    let socket = TcpListener::bind(cli.listen)
        .await
        .context("the address cannot be used")?;
    eprintln!("listening on {}", socket.local_addr()?);
    axum::serve(socket, routes::router(state))
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(())
}
