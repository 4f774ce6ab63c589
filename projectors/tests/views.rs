//! What the views say after events were handled, in both stores.

mod common;
mod server;

mod embedded {
    async fn new_world() -> World {
        World::new().await
    }

    include!("views/suite.rs");
}

mod redis {
    async fn new_world() -> World {
        World::with_views(crate::server::shared_store().unwrap()).await
    }

    include!("views/suite.rs");
}
