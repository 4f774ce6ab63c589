//! The `projectors` package.
