//! The embedded view store keeps the contract.

use projectors::testing::TempStore;

projectors::view_store_contract!(embedded, TempStore::embedded);
