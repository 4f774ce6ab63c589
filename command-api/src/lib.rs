//! The `command-api` package.
