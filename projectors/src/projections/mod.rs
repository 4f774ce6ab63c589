//! The projections: one file each, with its views.

pub mod accounts;
pub mod library;
pub mod playlists;
pub mod taste_models;

pub(crate) use self::{
    accounts::Accounts, library::Library, playlists::Playlists, taste_models::TasteModels,
};
