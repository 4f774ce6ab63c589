//! Everything that drives the real `segue` binary as a black box: a child process and plain HTTP.
//!
//! Three things are built on it. `bench` measures (its results are printed, never asserted), `continuation` asks for
//! playlists on real data, and the fault tests of the root package kill the binary while it works. None of them knows
//! the inside of a running Segue; where a comparison needs a part alone (the log, the scorer), the part is called directly.
//!
//! Load goes to loopback only, and stops at the first answer that was not expected.

pub mod autoscaler;
pub mod client;
pub mod cluster;
pub mod cpu;
pub mod load;
pub mod metrics;
pub mod numbers;
pub mod paced;
pub mod parts;
pub mod playlists;
pub mod report;
pub mod scale;
pub mod server;
mod wire;
