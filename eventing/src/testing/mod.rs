//! The contracts every adapter keeps, as suites to run on each of them, and what tests need for it.

pub mod bus;
pub mod event_log;
mod notes;
mod plain_broker;
mod plain_sqlite;
mod record;
pub mod search;
mod temp_dir;
pub mod tree;

pub use event_log::LogUnderTest;
pub use notes::{any_bytes_as_export, any_bytes_as_key, any_bytes_as_note, any_bytes_as_proof};
pub use plain_broker::{PlainBrokerError, QueueWatch, plain_broker_rate};
pub use plain_sqlite::plain_sqlite_rows_per_second;
pub use record::any_bytes_as_record;
pub use temp_dir::TempDir;
