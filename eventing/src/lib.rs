//! The `eventing` package.
