//! Private servers, started from Debian's packages: PostgreSQL, RabbitMQ, Redis, a Firestore emulator.
//!
//! Each runs on 127.0.0.1, on a free port, in a folder of its own, and is gone with its value. None of the machine's own
//! servers is ever touched. A server that is not installed is an error that names the package, never a skipped test.
//!
//! Every server can be killed, paused, resumed, stopped and started again on the same port and folder.

mod certificates;
mod error;
pub mod firestore;
pub mod folder;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod rabbitmq;
pub mod redis;

pub use error::ServerError;
pub use firestore::{Emulator, Firestore};
pub use folder::Folder;
pub use postgres::Postgres;
pub use process::Process;
pub use proxy::{Proxy, Trouble};
pub use rabbitmq::RabbitMq;
pub use redis::{Redis, RedisOptions};
