//! x
pub mod passwords;
pub mod problem;
pub mod throttle;
