//! Both view stores keep the contract.

mod server;

use projectors::testing::TempStore;

projectors::view_store_contract!(embedded, TempStore::embedded);
projectors::view_store_contract!(redis, crate::server::shared_store);
