//! Folding the log again, in both stores.

mod common;
mod server;

mod embedded {
    async fn new_world() -> World {
        World::new().await
    }

    include!("rebuild/suite.rs");
}

mod redis {
    async fn new_world() -> World {
        World::with_views(crate::server::shared_store().unwrap()).await
    }

    include!("rebuild/suite.rs");
}
