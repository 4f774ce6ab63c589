//! The `classifier` package.
