//! The contract of the event log, for every backend.
//!
//! [`event_log_contract!`](crate::event_log_contract) makes a test of each function here.

mod appending;
mod beside;
mod claims;
mod forgetting;
mod handles;
mod reading;
mod under_test;

use std::time::Duration;

use crate::{
    Append, Appended, EventId, EventLog, ExpectedVersion, Metadata, NewEvent, Position, RecordedEvent,
    SchemaVersion, StreamId,
};

pub use appending::*;
pub use beside::*;
pub use claims::*;
pub use forgetting::*;
pub use handles::*;
pub use reading::*;
pub use under_test::*;

/// Longer than any wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a module `$name` with a test for every sentence of the log's contract. `$factory` is an async function
/// that gives a fresh [`LogUnderTest`](crate::testing::event_log::LogUnderTest).
#[macro_export]
macro_rules! event_log_contract {
    ($name:ident, $factory:expr) => {
        $crate::event_log_contract! { @each $name, $factory,
            what_was_answered_is_what_reads_back,
            an_append_that_was_answered_is_counted,
            positions_are_gapless_whoever_appends,
            a_later_append_never_has_an_earlier_time,
            one_of_many_first_appends_wins,
            every_append_of_a_batch_sees_the_ones_before,
            a_conflict_tells_where_the_stream_stands_and_writes_nothing,
            the_same_events_again_are_written_once,
            an_id_that_is_in_use_fails_its_own_append_only,
            what_can_never_be_stored_is_refused,
            a_claim_has_one_holder_until_it_is_released,
            a_taken_claim_leaves_nothing_of_its_append,
            a_receipt_keeps_the_first_answer,
            an_append_without_events_stores_its_receipt,
            a_stream_reads_in_pages,
            every_filter_lets_through_what_fits,
            the_past_is_found_by_position,
            a_record_is_known_by_its_hash,
            the_head_wakes_whoever_waits,
            another_handle_is_noticed_and_sees_everything,
            two_handles_append_to_one_order,
            a_blob_reads_back_and_an_unknown_one_is_none,
            a_checkpoint_stays_where_it_was_put,
            a_checkpoint_that_is_raised_never_goes_back,
            one_handle_at_a_time_has_the_right_to_a_duty,
            dead_letters_are_kept_listed_and_deleted,
            a_dead_letter_that_is_skipped_stays_so,
            what_is_kept_about_somebody_is_deleted_and_their_first_key_is_spent,
            what_is_set_aside_of_somebody_is_deleted_behind_however_much_of_others,
        }
    };
    (@each $name:ident, $factory:expr, $($test:ident),+ $(,)?) => {
        mod $name {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    $crate::testing::event_log::$test($factory().await).await;
                }
            )+
        }
    };
}

/// A stream of category `test` that does not exist yet.
#[must_use]
pub fn new_stream() -> StreamId {
    StreamId::new("test", EventId::new().0)
}

/// Some event.
#[must_use]
pub fn some_event() -> NewEvent {
    NewEvent::new("test.happened", SchemaVersion(1), r#"{"what":"something"}"#)
}

/// So many events.
#[must_use]
pub fn some_events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| some_event()).collect()
}

/// An append of `count` events.
#[must_use]
pub fn an_append(stream: &StreamId, expected: ExpectedVersion, count: usize) -> Append {
    Append::new(stream.clone(), expected, some_events(count), Metadata::new())
}

async fn append(log: &EventLog, stream: &StreamId, count: usize) -> Appended {
    log.append(an_append(stream, ExpectedVersion::Any, count))
        .await
        .expect("an append")
}

async fn everything(log: &EventLog) -> Vec<RecordedEvent> {
    log.read_after(Position::START, usize::MAX)
        .await
        .expect("the log reads")
}

#[track_caller]
fn assert_gapless(events: &[RecordedEvent]) {
    for (index, event) in (1..).zip(events) {
        assert_eq!(event.position, Position(index), "a gap, or out of order");
    }
}
