//! The registry in Firestore, on a private emulator: Google's, or npm's where the machine has no other.

#[path = "../registry/contract.rs"]
mod contract;
mod documents;
mod faults;
#[path = "../registry/library.rs"]
mod library;
mod server;

use contract::registry_contract;
use server::{InFirestore, SERVER};

async fn fresh() -> InFirestore {
    InFirestore::at(&SERVER.host()).await
}

registry_contract!(firestore, crate::fresh);
