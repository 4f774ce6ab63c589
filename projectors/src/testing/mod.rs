//! What tests of this and other packages need: a small world, and the contract of every view store.

pub mod contract;
mod world;

use std::ops::Deref;

use tempfile::TempDir;

pub use self::world::World;
use crate::{ViewError, ViewStore};

/// A view store in a folder that is deleted with it.
#[derive(Debug)]
pub struct TempStore {
    store: ViewStore,
    dir: TempDir,
}

impl TempStore {
    /// An empty embedded store.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    pub fn embedded() -> Result<Self, ViewError> {
        let dir = tempfile::tempdir().map_err(ViewError::unavailable)?;
        Ok(Self {
            store: ViewStore::open(dir.path())?,
            dir,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }
}

impl Deref for TempStore {
    type Target = ViewStore;

    fn deref(&self) -> &ViewStore {
        &self.store
    }
}

/// Runs the contract of view stores on an adapter: `view_store_contract!(embedded, || TempStore::embedded())`.
#[macro_export]
macro_rules! view_store_contract {
    ($adapter:ident, $make:expr) => {
        $crate::view_store_contract!(@each $adapter, $make,
            a_batch_is_stored_whole,
            a_large_batch_is_stored_with_its_checkpoint,
            a_write_from_another_version_is_refused_alone,
            a_checkpoint_never_goes_back,
            a_removed_view_keeps_its_version_and_nothing_else,
            a_removed_view_does_not_come_back,
            nothing_is_written_about_a_forgotten_person,
            a_write_to_a_generation_that_was_replaced_is_refused,
            a_switch_replaces_all_views_at_once,
            what_a_snapshot_has_read_does_not_move,
            entries_come_in_key_order_and_stay_within_their_prefix,
            what_was_read_of_two_versions_is_told,
            what_is_missing_from_a_dropped_generation_is_told,
            what_is_made_exclusively_is_stored_whatever_others_do,
            nothing_comes_up_while_a_person_is_forgotten,
            a_checkpoint_does_not_pass_a_refused_write,
            a_checkpoint_is_raised_only_from_where_the_writer_left_it,
            views_of_another_log_are_refused,
            pages_of_lookups_follow_each_other_both_ways,
            another_revision_begins_empty,
            a_swept_generation_leaves_no_rows,
            only_one_rebuild_runs_at_a_time,
        );
    };
    (@each $adapter:ident, $make:expr, $($name:ident,)+) => {
        mod $adapter {
            use super::*;

            $(#[test]
            fn $name() {
                let store = ($make)().expect("the adapter makes an empty store");
                $crate::testing::contract::$name(&store);
            })+
        }
    };
}
