//! The one binary: parses the command line, reads configuration, composes roles.
fn main() {}
