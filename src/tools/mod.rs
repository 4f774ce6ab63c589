//! The tools. Each works on a stopped instance and beside a running one.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod catalogue;
pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod model;
pub(crate) mod projections;
pub(crate) mod restore;
pub(crate) mod settings;
pub(crate) mod top;
pub(crate) mod topology;
