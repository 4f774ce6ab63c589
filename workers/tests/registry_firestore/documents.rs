//! How a model lies in Firestore.

use bytes::Bytes;
use domain::Digest;
use serde::Serialize;
use workers::RegistryError;

use crate::contract::{UnderTest, model};
use crate::fresh;

/// Firestore's limit on a document.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// Bytes that do not repeat where chunks do.
pub(crate) fn large(length: usize) -> Bytes {
    let mut state = 0x9E37_79B9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(next).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_of_several_mebibytes_comes_back_and_no_document_nears_the_limit() {
    let world = fresh().await;
    let bytes = large((5 << 20) + 12_345);
    let digest = world.registry().put(bytes.clone()).await.unwrap();
    assert!(
        world.registry().get(digest).await.unwrap() == Some(bytes),
        "other bytes"
    );
    let chunks = world.documents("segue_model_chunks").await;
    assert_eq!(chunks.len(), 21);
    assert!(
        chunks.iter().all(|(_, size)| *size < DOCUMENT_BYTES_MAX / 2),
        "{chunks:?}"
    );
    let listed = world.registry().list().await.unwrap();
    assert_eq!(listed[0].length, (5 << 20) + 12_345);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_without_metadata_are_no_model_and_do_not_hinder_one() {
    let world = fresh().await;
    let bytes = large(700_000);
    let digest = Digest::of(&bytes);
    // As a writer leaves them that dies, and as a disk may leave them.
    world.write_chunk(digest, 0, bytes.slice(..256 << 10)).await;
    world.write_chunk(digest, 1, "half a chunk").await;
    let registry = world.registry();
    assert_eq!(registry.get(digest).await.unwrap(), None);
    assert_eq!(registry.list().await.unwrap(), []);
    registry.put(bytes.clone()).await.unwrap();
    assert!(registry.get(digest).await.unwrap() == Some(bytes), "other bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_cannot_be_is_damage_and_hides_no_other_model() {
    #[derive(Serialize)]
    struct Metadata {
        layout: u32,
        length: u64,
        chunks: u64,
        created_at: &'static str,
    }
    let world = fresh().await;
    let registry = world.registry();
    let digest = registry.put(model(1).to_bytes()).await.unwrap();
    let sound = registry.put(model(2).to_bytes()).await.unwrap();
    let created_at = "yesterday";
    for (length, chunks) in [(1 << 40, 1 << 22), (10, 7)] {
        let metadata = Metadata {
            layout: 1,
            length,
            chunks,
            created_at,
        };
        world.write("segue_models", &digest.to_string(), &metadata).await;
        let result = registry.get(digest).await;
        assert!(matches!(result, Err(RegistryError::Damaged { .. })), "{result:?}");
    }
    let listed = registry.list().await.unwrap();
    assert_eq!(
        listed.iter().map(|entry| entry.model).collect::<Vec<_>>(),
        [sound]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_move_of_the_pointer_stays_on_record() {
    let world = fresh().await;
    let registry = world.registry();
    let mut expected = None;
    for number in [1, 2, 1] {
        let digest = registry.put(model(number).to_bytes()).await.unwrap();
        expected = Some(registry.set_current(digest, expected).await.unwrap().generation);
    }
    let mut names: Vec<_> = world
        .documents("segue_registry")
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    assert_eq!(names, [1, 2, 3].map(|n| format!("current-{n:020}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_says_what_it_is() {
    let world = fresh().await;
    let bytes = large(300_000);
    let digest = world.registry().put(bytes.clone()).await.unwrap();
    let end = bytes.slice(256 << 10..);
    let is_said = async |expected: &str| {
        let error = world.registry().get(digest).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    world.write_chunk(digest, 1, [&end[..], b"more"].concat()).await;
    is_said("another length").await;
    world
        .write_chunk(digest, 1, end.iter().rev().copied().collect::<Vec<u8>>())
        .await;
    is_said("another digest").await;
    // npm's emulator adds fields to a document where Firestore replaces it.
    world.delete("segue_model_chunks", &format!("{digest}-1")).await;
    world
        .write(
            "segue_model_chunks",
            &format!("{digest}-1"),
            &serde_json::json!({"other": 1}),
        )
        .await;
    is_said("a chunk cannot be read").await;
    world.delete("segue_model_chunks", &format!("{digest}-1")).await;
    is_said("a chunk is missing").await;
    world.write_chunk(digest, 1, end).await;
    assert!(
        world.registry().get(digest).await.unwrap() == Some(bytes),
        "other bytes"
    );
}
