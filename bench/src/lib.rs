//! The `bench` package.
