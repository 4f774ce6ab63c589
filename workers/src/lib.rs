//! The `workers` package.
