//! One private Redis for all tests of a program, which are told apart by their prefixes; it goes away with the program.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses a part of this"
)]

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use projectors::{RedisConfig, ViewError, ViewStore};
use servers::{Redis, RedisOptions};

pub(crate) static SERVER: LazyLock<Redis> = LazyLock::new(|| start(RedisOptions::default()));

/// A Redis of a test's own. The test's own runtime must not be blocked, so it is started beside it.
pub(crate) fn start(options: RedisOptions) -> Redis {
    let starting = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(Redis::start(options)).expect("Redis starts")
    });
    starting.join().expect("Redis starts")
}

/// How a server is reached.
pub(crate) fn config_of(server: &Redis) -> RedisConfig {
    RedisConfig::new("127.0.0.1", server.port()).with_password(server.password().map(str::to_owned))
}

/// An empty part of the shared server.
pub(crate) fn shared_config() -> RedisConfig {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    config_of(&SERVER).with_prefix(format!("test-{number}:"))
}

/// An empty store on the shared server.
pub(crate) fn shared_store() -> Result<ViewStore, ViewError> {
    ViewStore::redis(shared_config())
}
