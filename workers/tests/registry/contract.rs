//! What every registry does, whatever it lies in.

use bytes::Bytes;
use classifier::BaseModel;
use domain::{Digest, FeatureSchema};
use tokio::task::JoinSet;
use workers::registry::{Current, Generation};
use workers::{Registry, RegistryError};

/// A registry of its own, and ways to harm it behind its back.
pub(crate) trait UnderTest: Send + Sync {
    /// A handle, as another process would have it.
    fn registry(&self) -> Registry;
    /// Changes a byte of a model.
    async fn change(&self, model: Digest);
    /// Takes the end of a model away: its last chunk, where there are chunks.
    async fn cut(&self, model: Digest);
    /// Makes the record of a move unreadable.
    async fn spoil_move(&self, generation: Generation);
}

/// Makes a test of each statement, on what `$new` makes.
macro_rules! registry_contract {
    ($name:ident, $new:expr) => {
        mod $name {
            use crate::contract::registry_contract;

            registry_contract!(@tests $new,
                a_model_comes_back_byte_for_byte_and_under_its_digest,
                a_model_put_twice_is_there_once,
                models_put_at_the_same_time_are_all_there_and_whole,
                the_same_model_put_by_many_at_once_is_whole,
                an_absent_model_is_no_error,
                what_is_listed_says_what_it_is,
                a_changed_model_is_not_handed_out_and_not_replaced,
                a_model_that_lost_its_end_is_not_handed_out,
                the_pointer_starts_nowhere_and_moves_on,
                the_pointer_moves_only_from_where_the_caller_saw_it,
                of_many_who_move_the_pointer_one_succeeds,
                a_move_that_was_not_answered_can_be_made_again,
                the_pointer_names_only_sound_models,
                a_spoilt_move_is_told,
                a_model_that_is_too_large_is_refused,
            );
            registry_contract!(@tests_of crate::library, $new,
                a_library_uses_the_registry_and_says_so,
                a_changed_model_is_served_from_the_logs_copy,
                a_model_that_lost_its_end_is_served_from_the_logs_copy,
                an_absent_model_is_served_from_the_logs_copy,
                the_current_model_is_in_memory_before_it_is_asked_for,
                the_last_verified_model_is_kept_when_the_next_one_is_damaged,
                bytes_that_are_no_model_are_told_and_not_used,
                following_warms_the_current_model_and_ends_when_asked_to,
            );
        }
    };
    (@tests $new:expr, $($test:ident,)*) => {
        registry_contract!(@tests_of crate::contract, $new, $($test,)*);
    };
    (@tests_of $module:path, $new:expr, $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                use $module as statements;
                statements::$test(&$new().await).await;
            }
        )*
    };
}
pub(crate) use registry_contract;

/// A model that differs from others with another `number`.
pub(crate) fn model(number: u8) -> BaseModel {
    let mut model = BaseModel::neutral(&schema());
    model.like.mean[0] = f64::from(number);
    model
}

pub(crate) fn schema() -> FeatureSchema {
    classifier::generator::catalogue(10, 1).schema().clone()
}

/// Bytes that need several chunks, and are no model.
fn several_chunks(seed: u8) -> Bytes {
    (0..600_000_u32)
        .map(|n| (n.wrapping_mul(31) >> 3) as u8 ^ seed)
        .collect()
}

pub(crate) async fn a_model_comes_back_byte_for_byte_and_under_its_digest(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    for bytes in [Bytes::from(model(1).to_bytes()), several_chunks(0), Bytes::new()] {
        let digest = registry.put(bytes.clone()).await.unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert!(
            under_test.registry().get(digest).await.unwrap() == Some(bytes),
            "other bytes"
        );
    }
}

pub(crate) async fn a_model_put_twice_is_there_once(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let first = registry.put(model(1).to_bytes()).await.unwrap();
    let listed = registry.list().await.unwrap();
    assert_eq!(
        under_test.registry().put(model(1).to_bytes()).await.unwrap(),
        first
    );
    assert_eq!(
        registry.list().await.unwrap(),
        listed,
        "the second put changed something"
    );
}

pub(crate) async fn models_put_at_the_same_time_are_all_there_and_whole(under_test: &impl UnderTest) {
    let mut putting = JoinSet::new();
    for seed in 0..8 {
        let registry = under_test.registry();
        putting.spawn(async move { registry.put(several_chunks(seed)).await.unwrap() });
    }
    let mut digests = putting.join_all().await;
    digests.sort_unstable();
    let registry = under_test.registry();
    let listed = registry.list().await.unwrap();
    assert_eq!(
        listed.iter().map(|entry| entry.model).collect::<Vec<_>>(),
        digests
    );
    for digest in digests {
        registry.get(digest).await.unwrap().expect("it is there");
    }
}

pub(crate) async fn the_same_model_put_by_many_at_once_is_whole(under_test: &impl UnderTest) {
    let mut putting = JoinSet::new();
    for _ in 0..6 {
        let registry = under_test.registry();
        putting.spawn(async move { registry.put(several_chunks(7)).await.unwrap() });
    }
    let digests = putting.join_all().await;
    let registry = under_test.registry();
    assert!(
        registry.get(digests[0]).await.unwrap() == Some(several_chunks(7)),
        "other bytes"
    );
    assert_eq!(registry.list().await.unwrap().len(), 1);
}

pub(crate) async fn an_absent_model_is_no_error(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    assert_eq!(registry.get(Digest::of("nothing")).await.unwrap(), None);
    assert_eq!(registry.list().await.unwrap(), []);
}

pub(crate) async fn what_is_listed_says_what_it_is(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let began = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    registry.put(model(1).to_bytes()).await.unwrap();
    registry.put(several_chunks(0)).await.unwrap();
    let listed = registry.list().await.unwrap();
    assert!(listed.is_sorted_by_key(|entry| entry.model));
    let of = |digest| {
        listed
            .iter()
            .find(|entry| entry.model == digest)
            .expect("it is listed")
    };
    let known = of(model(1).fingerprint());
    assert_eq!(known.length, model(1).to_bytes().len() as u64);
    assert_eq!(known.kind.as_deref(), Some("neutral"));
    assert_eq!(known.schema, Some(schema().digest()));
    // A file system may count time in coarser steps than the clock.
    let off = (known.created_at - began).num_seconds();
    assert!((-2..60).contains(&off), "kept {off} s after it began");
    let other = of(Digest::of(several_chunks(0)));
    assert_eq!((other.length, &other.kind, other.schema), (600_000, &None, None));
}

pub(crate) async fn a_changed_model_is_not_handed_out_and_not_replaced(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    for bytes in [Bytes::from(model(1).to_bytes()), several_chunks(0)] {
        let digest = registry.put(bytes.clone()).await.unwrap();
        under_test.change(digest).await;
        for result in [
            registry.get(digest).await.map(drop),
            registry.put(bytes).await.map(drop),
        ] {
            let Err(error @ RegistryError::Damaged { model, .. }) = result else {
                panic!("{result:?}");
            };
            assert_eq!(model, digest);
            assert!(error.to_string().contains(&digest.to_string()), "{error}");
        }
    }
}

pub(crate) async fn a_model_that_lost_its_end_is_not_handed_out(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    for bytes in [Bytes::from(model(1).to_bytes()), several_chunks(0)] {
        let digest = registry.put(bytes).await.unwrap();
        under_test.cut(digest).await;
        let result = registry.get(digest).await;
        assert!(matches!(result, Err(RegistryError::Damaged { .. })), "{result:?}");
    }
}

pub(crate) async fn the_pointer_starts_nowhere_and_moves_on(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    assert_eq!(registry.current().await.unwrap(), None);
    let mut expected = None;
    // More than nine moves, so that an order of names that is none of numbers would show.
    for number in 0..12 {
        let digest = registry.put(model(number % 3).to_bytes()).await.unwrap();
        let moved = registry.set_current(digest, expected).await.unwrap();
        assert_eq!(moved.model, digest);
        assert!(expected < Some(moved.generation));
        assert_eq!(under_test.registry().current().await.unwrap(), Some(moved));
        expected = Some(moved.generation);
    }
}

pub(crate) async fn the_pointer_moves_only_from_where_the_caller_saw_it(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let [a, b] = two(&registry).await;
    let first = registry.set_current(a, None).await.unwrap();
    let second = registry.set_current(b, Some(first.generation)).await.unwrap();
    for (model, stale) in [(b, None), (a, Some(first.generation)), (a, Some(Generation(9)))] {
        let result = registry.set_current(model, stale).await;
        let Err(RegistryError::Moved(actual)) = result else {
            panic!("from {stale:?}: {result:?}");
        };
        assert_eq!(actual, Some(second));
    }
    assert_eq!(registry.current().await.unwrap(), Some(second));
}

pub(crate) async fn of_many_who_move_the_pointer_one_succeeds(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let mut expected = None;
    for _round in 0..3 {
        let mut moving = JoinSet::new();
        for number in 0..6 {
            let registry = under_test.registry();
            moving.spawn(async move {
                let digest = registry.put(model(number).to_bytes()).await.unwrap();
                registry.set_current(digest, expected).await
            });
        }
        let (moved, refused): (Vec<_>, Vec<_>) = moving.join_all().await.into_iter().partition(Result::is_ok);
        let moved: Vec<Current> = moved.into_iter().flatten().collect();
        assert_eq!(moved.len(), 1, "{refused:?}");
        let is_moved = |result: &Result<Current, _>| matches!(result, Err(RegistryError::Moved(Some(_))));
        assert!(refused.iter().all(is_moved), "{refused:?}");
        assert_eq!(registry.current().await.unwrap(), Some(moved[0]));
        expected = Some(moved[0].generation);
    }
}

pub(crate) async fn a_move_that_was_not_answered_can_be_made_again(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let [a, b] = two(&registry).await;
    let first = registry.set_current(a, None).await.unwrap();
    assert_eq!(registry.set_current(a, None).await.unwrap(), first);
    let second = registry.set_current(b, Some(first.generation)).await.unwrap();
    assert_eq!(
        registry.set_current(b, Some(first.generation)).await.unwrap(),
        second
    );
    assert_eq!(registry.current().await.unwrap(), Some(second), "it moved once");
}

pub(crate) async fn the_pointer_names_only_sound_models(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let absent = registry.set_current(Digest::of("nothing"), None).await;
    assert!(matches!(absent, Err(RegistryError::Absent(_))), "{absent:?}");
    let [a, _] = two(&registry).await;
    under_test.change(a).await;
    let damaged = registry.set_current(a, None).await;
    assert!(
        matches!(damaged, Err(RegistryError::Damaged { .. })),
        "{damaged:?}"
    );
    assert_eq!(registry.current().await.unwrap(), None);
}

pub(crate) async fn a_spoilt_move_is_told(under_test: &impl UnderTest) {
    let registry = under_test.registry();
    let [a, b] = two(&registry).await;
    let first = registry.set_current(a, None).await.unwrap();
    let second = registry.set_current(b, Some(first.generation)).await.unwrap();
    under_test.spoil_move(second.generation).await;
    let result = registry.current().await;
    assert!(
        matches!(result, Err(RegistryError::PointerDamaged(generation)) if generation == second.generation),
        "{result:?}"
    );
}

pub(crate) async fn a_model_that_is_too_large_is_refused(under_test: &impl UnderTest) {
    let bytes = vec![0_u8; workers::registry::MODEL_BYTES_MAX + 1];
    let result = under_test.registry().put(bytes).await;
    assert!(matches!(result, Err(RegistryError::TooLarge(_))), "{result:?}");
    assert_eq!(under_test.registry().list().await.unwrap(), []);
}

async fn two(registry: &Registry) -> [Digest; 2] {
    let a = registry.put(model(1).to_bytes()).await.unwrap();
    let b = registry.put(model(2).to_bytes()).await.unwrap();
    [a, b]
}
