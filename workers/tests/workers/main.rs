//! Tests of the roles on a real log, real keys and real views in a folder.

mod answering;
mod auditing;
mod companions;
mod crashing;
mod replaying;
mod world;
