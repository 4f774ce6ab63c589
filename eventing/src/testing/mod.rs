//! The contracts every adapter keeps, as suites to run on each of them, and what tests need for it.

pub mod event_log;
mod temp_dir;

pub use event_log::LogUnderTest;
pub use temp_dir::TempDir;
