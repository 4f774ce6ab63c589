//! The projections: one file each, with its views.

pub mod accounts;
pub mod library;
pub mod playlists;
pub mod taste_models;

/// The indexes of all lookups that lead to a view about somebody.
pub(crate) const INDEXES: &[&str] = &[accounts::SESSION, playlists::PENDING, playlists::PLAYLISTS_OF];

pub(crate) use self::{
    accounts::Accounts, library::Library, playlists::Playlists, taste_models::TasteModels,
};
