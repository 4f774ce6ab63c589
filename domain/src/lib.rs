//! The `domain` package.
