//! Why the catalogue says no.

/// The catalogue refuses; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueRejection {
    /// There is no track in it.
    #[error("a catalogue has at least one track")]
    Empty,
    /// The schema has no features, doubled names, or constants that cannot be computed with.
    #[error("the feature schema cannot be used")]
    UnusableSchema,
    /// The features are the same as today's, but their constants are not: they are frozen by the first import.
    #[error("the constants of the feature schema are frozen and differ")]
    SchemaMismatch,
}
