//! What auditors are given to hold the service to its history.

use eventing::Position;
use eventing::merkle::{Hash, TileId, verify_consistency, verify_inclusion};
use eventing::notes::{Checkpoint, InclusionNote, SignedCheckpoint, VerifierKey};
use eventing::testing::event_log::{an_append, new_stream, tamper_with_file};
use serde_json::{Value, json};

use crate::common::{App, Listener, Reply};

/// A service with an auditor and some records.
async fn audited() -> (App, Listener) {
    let app = App::new().await;
    let auditor = app.auditor().await;
    (app, auditor)
}

async fn checkpoint(app: &App, auditor: &Listener) -> (SignedCheckpoint, Reply) {
    let call = app.call("GET /v1/audit/checkpoint").by(&auditor.token);
    let reply = call.send().await.expect(200);
    (
        SignedCheckpoint::parse(&reply.body).expect("a signed checkpoint"),
        reply,
    )
}

/// One that covers all there is now, reads of the history too.
async fn checkpoint_of_all(app: &App, auditor: &Listener) -> SignedCheckpoint {
    let head = app.log.head().await.unwrap();
    let call = app.call("GET /v1/audit/checkpoint").by(&auditor.token);
    let reply = call.header("segue-min-position", head.0).send().await.expect(200);
    SignedCheckpoint::parse(&reply.body).expect("a signed checkpoint")
}

async fn inclusion(app: &App, auditor: &Listener, query: &str) -> Value {
    let call = app
        .call("GET /v1/audit/inclusion")
        .query(query)
        .by(&auditor.token);
    call.send().await.expect(200).json()
}

async fn key(app: &App, auditor: &Listener) -> VerifierKey {
    let call = app.call("GET /v1/audit/key").by(&auditor.token);
    let reply = call.send().await.expect(200);
    String::from_utf8_lossy(&reply.body)
        .parse()
        .expect("a verifier key")
}

fn hash(value: &Value) -> Hash {
    value
        .as_str()
        .expect("a text")
        .parse()
        .expect("a hash in lower case")
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().expect("a list").iter().map(hash).collect()
}

fn said(note: &Value) -> Checkpoint {
    let note = note.as_str().expect("a note");
    SignedCheckpoint::parse(note.as_bytes())
        .expect("a checkpoint")
        .checkpoint()
        .clone()
}

/// The calls that were recorded in the access log, in order.
async fn recorded(app: &App) -> Vec<Value> {
    let events = app.log.read_after(Position::START, usize::MAX).await.unwrap();
    let reads = events
        .iter()
        .filter(|event| event.event_type == "access.history_read");
    let payload = |body: &eventing::Body| match body {
        eventing::Body::Open(payload) => serde_json::from_slice(payload).unwrap(),
        eventing::Body::Sealed(_) => panic!("the access log is open"),
    };
    reads.map(|event| payload(&event.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_covers_whatever_was_there_and_verifies_with_the_key() {
    let (app, auditor) = audited().await;
    let key = key(&app, &auditor).await;
    let head = app.log.head().await.unwrap().0;
    let (first, reply) = checkpoint(&app, &auditor).await;
    assert_eq!(first.verify(&key), Ok(()));
    assert!(first.checkpoint().size() >= head);
    assert_eq!(reply.position(), first.checkpoint().size());
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    let ada = app.listener("ada").await;
    let head = app.log.head().await.unwrap();
    let call = app.call("GET /v1/audit/checkpoint").by(&auditor.token);
    let reply = call.header("segue-min-position", head.0).send().await.expect(200);
    assert!(reply.position() >= head.0, "it moved on with the log");
    let call = app.call("GET /v1/audit/checkpoint").by(&auditor.token);
    call.header("segue-min-position", head.0 + 1_000)
        .send()
        .await
        .problem(503, "behind");
    app.call("GET /v1/audit/checkpoint")
        .by(&ada.token)
        .send()
        .await
        .problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_checkpoints_signs_none_for_the_reads_themselves() {
    let (app, auditor) = audited().await;
    let first = checkpoint(&app, &auditor).await.0.to_string();
    for _ in 0..3 {
        assert_eq!(checkpoint(&app, &auditor).await.0.to_string(), first);
    }
    let all = checkpoint_of_all(&app, &auditor).await;
    assert_ne!(all.to_string(), first, "it was asked to cover the reads");
    app.listener("ada").await;
    let head = app.log.head().await.unwrap().0;
    let next = checkpoint(&app, &auditor).await.0;
    assert!(next.checkpoint().size() >= head, "something else was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_checkpoint_that_was_signed_is_listed_in_pages() {
    let (app, auditor) = audited().await;
    let mut signed = Vec::new();
    for _ in 0..5 {
        signed.push(checkpoint_of_all(&app, &auditor).await.to_string());
    }
    let (mut listed, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let call = app
            .call("GET /v1/audit/checkpoints")
            .query(&query)
            .by(&auditor.token);
        let page = call.send().await.expect(200).json();
        for item in page["items"].as_array().unwrap() {
            assert_eq!(said(&item["checkpoint"]).size(), item["size"].as_u64().unwrap());
            assert_eq!(said(&item["checkpoint"]).root(), hash(&item["root_hash"]).0);
            assert!(item["signed_at"].as_str().unwrap().ends_with('Z'));
            listed.push(item["checkpoint"].as_str().unwrap().to_owned());
        }
        let Some(next) = page.get("next_cursor") else {
            break;
        };
        query = format!("limit=2&cursor={}", next.as_str().unwrap());
    }
    assert_eq!(listed, signed);
    let call = app
        .call("GET /v1/audit/checkpoints")
        .query("cursor=x")
        .by(&auditor.token);
    call.send().await.problem(400, "invalid-query");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_proved_to_be_in_the_log() {
    let (app, auditor) = audited().await;
    let head = app.log.head().await.unwrap().0;
    let events = app.log.read_after(Position::START, usize::MAX).await.unwrap();
    for position in 1..=head {
        let proof = inclusion(&app, &auditor, &format!("position={position}")).await;
        let event = &events[position as usize - 1];
        assert_eq!(hash(&proof["leaf_hash"]).0, event.leaf_hash);
        let (index, size) = (
            proof["leaf_index"].as_u64().unwrap(),
            proof["tree_size"].as_u64().unwrap(),
        );
        assert_eq!(
            (proof["position"].as_u64(), index),
            (Some(position), position - 1)
        );
        let said = said(&proof["checkpoint"]);
        assert_eq!((said.size(), said.root()), (size, hash(&proof["root_hash"]).0));
        let verified = verify_inclusion(
            &event.leaf_hash.into(),
            index,
            size,
            &hashes(&proof["hashes"]),
            &said.root().into(),
        );
        assert_eq!(verified, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_given_at_any_size_and_with_the_checkpoint_of_that_size() {
    let (app, auditor) = audited().await;
    let (old, _) = checkpoint(&app, &auditor).await;
    let size = old.checkpoint().size();
    checkpoint_of_all(&app, &auditor).await;
    let proof = inclusion(&app, &auditor, &format!("position=2&size={size}")).await;
    assert_eq!(proof["checkpoint"], old.to_string());
    let proof = inclusion(&app, &auditor, "position=2&size=2").await;
    assert_eq!(
        (proof["tree_size"].as_u64(), proof.get("checkpoint")),
        (Some(2), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_as_a_file_stands_for_itself() {
    let (app, auditor) = audited().await;
    let key = key(&app, &auditor).await;
    let asking = |query: &str| {
        let call = app
            .call("GET /v1/audit/inclusion")
            .query(query)
            .by(&auditor.token);
        call.header("accept", "text/plain").send()
    };
    let reply = asking("position=3").await.expect(200);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    let file = InclusionNote::parse(&reply.body).expect("a proof");
    assert_eq!(file.checkpoint.verify(&key), Ok(()));
    let event = app.log.read_after(Position(2), 1).await.unwrap().remove(0);
    let hashes: Vec<Hash> = file.hashes.iter().copied().map(Hash).collect();
    let said = file.checkpoint.checkpoint();
    let verified = verify_inclusion(
        &event.leaf_hash.into(),
        file.index,
        said.size(),
        &hashes,
        &said.root().into(),
    );
    assert_eq!(verified, Ok(()));
    let unsigned = asking("position=2&size=2").await.problem(400, "invalid-query");
    assert_eq!(unsigned.json()["errors"][0]["field"], "size");
    let call = app
        .call("GET /v1/audit/inclusion")
        .query("position=3")
        .by(&auditor.token);
    call.header("accept", "image/png")
        .send()
        .await
        .problem(406, "not-acceptable");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_checkpoint_is_the_beginning_of_a_new_one() {
    let (app, auditor) = audited().await;
    let (old, _) = checkpoint(&app, &auditor).await;
    app.listener("ada").await;
    let (new, _) = checkpoint(&app, &auditor).await;
    let (from, to) = (old.checkpoint().size(), new.checkpoint().size());
    let call = app
        .call("GET /v1/audit/consistency")
        .query(&format!("from={from}&to={to}"));
    let proof = call.by(&auditor.token).send().await.expect(200).json();
    let roots = (hash(&proof["from_root"]), hash(&proof["to_root"]));
    assert_eq!(
        (roots.0.0, roots.1.0),
        (old.checkpoint().root(), new.checkpoint().root())
    );
    let verified = verify_consistency(from, to, &roots.0, &roots.1, &hashes(&proof["hashes"]));
    assert_eq!(verified, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_are_the_hashes_themselves() {
    let (app, auditor) = audited().await;
    let (signed, _) = checkpoint(&app, &auditor).await;
    let size = signed.checkpoint().size() as usize;
    let events = app.log.read_after(Position::START, size).await.unwrap();
    let leaves: Vec<u8> = events.iter().flat_map(|event| event.leaf_hash).collect();
    let tile = |path: &str| {
        let call = app.call("GET /v1/audit/tile/{level}/{*path}").with("level", "0");
        call.with("*path", path).by(&auditor.token).send()
    };
    let partial = tile(&format!("000.p/{size}")).await.expect(200);
    assert_eq!(partial.body, leaves);
    assert_eq!(partial.header("content-type"), "application/octet-stream");
    assert_eq!(partial.header("cache-control"), "private, no-cache");
    assert_eq!(
        tile("000.p/2").await.expect(200).body,
        leaves[..64],
        "an older size of it"
    );
    for beyond in ["000", "000.p/255", "001.p/1", "x001/000"] {
        tile(beyond).await.problem(404, "not-found");
    }
    for malformed in ["0", "0000", "x000/000", "000.p/0", "000.p/256", "000.p/", "abc"] {
        let refused = tile(malformed).await.problem(400, "invalid-path");
        assert_eq!(refused.json()["errors"][0]["field"], "tile", "{malformed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_tile_may_be_kept_for_ever() {
    let (app, auditor) = audited().await;
    for _ in 0..3 {
        let append = an_append(&new_stream(), eventing::ExpectedVersion::NoStream, 100);
        app.log.append(append).await.unwrap();
    }
    checkpoint(&app, &auditor).await;
    let call = app
        .call("GET /v1/audit/tile/{level}/{*path}")
        .with("level", 0)
        .with("*path", "000");
    let full = call.by(&auditor.token).send().await.expect(200);
    assert_eq!(
        full.header("cache-control"),
        "private, max-age=31536000, immutable"
    );
    let tile = app.log.tree().tile(TileId { level: 0, n: 0 }).await.unwrap();
    assert_eq!(full.body, Hash::write_all(&tile));
    let call = app
        .call("GET /v1/audit/tile/{level}/{*path}")
        .with("level", 1)
        .with("*path", "000.p/1");
    let above = call.by(&auditor.token).send().await.expect(200);
    assert_eq!(above.body, app.log.tree().root(256).await.unwrap().0.to_vec());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proved_is_refused_and_the_parameter_named() {
    let (app, auditor) = audited().await;
    for (route, query, field) in [
        ("GET /v1/audit/inclusion", "position=0", "position"),
        ("GET /v1/audit/inclusion", "position=100000", "position"),
        (
            "GET /v1/audit/inclusion",
            "position=18446744073709551615",
            "position",
        ),
        (
            "GET /v1/audit/inclusion",
            "position=18446744073709551616",
            "position",
        ),
        ("GET /v1/audit/inclusion", "position=-1", "position"),
        ("GET /v1/audit/inclusion", "position=%2B1", "position"),
        ("GET /v1/audit/inclusion", "position=", "position"),
        ("GET /v1/audit/inclusion", "", "position"),
        ("GET /v1/audit/inclusion", "position=3&size=2", "size"),
        ("GET /v1/audit/inclusion", "position=3&size=100000", "size"),
        ("GET /v1/audit/inclusion", "position=3&size=x", "size"),
        ("GET /v1/audit/consistency", "from=2&to=1", "from"),
        ("GET /v1/audit/consistency", "from=1&to=100000", "to"),
        ("GET /v1/audit/consistency", "from=1", "to"),
        ("GET /v1/audit/consistency", "to=1", "from"),
        ("GET /v1/audit/consistency", "from=one&to=2", "from"),
    ] {
        let call = app.call(route).query(query).by(&auditor.token);
        let refused = call.send().await.problem(400, "invalid-query");
        assert_eq!(refused.json()["errors"][0]["field"], field, "{query}");
    }
    assert!(recorded(&app).await.is_empty(), "nothing of the history was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_proofs_go_on_and_what_is_missing_is_said() {
    let app = App::without_audit_key().await;
    let auditor = app.auditor().await;
    for route in ["GET /v1/audit/checkpoint", "GET /v1/audit/key"] {
        let refused = app
            .call(route)
            .by(&auditor.token)
            .send()
            .await
            .problem(503, "audit-key-missing");
        assert!(
            refused.json()["detail"]
                .as_str()
                .unwrap()
                .contains("SEGUE_AUDIT_KEY_FILE")
        );
    }
    let proof = inclusion(&app, &auditor, "position=2").await;
    assert!(proof.get("checkpoint").is_none());
    let root = hash(&proof["root_hash"]);
    let size = proof["tree_size"].as_u64().unwrap();
    assert_eq!(
        verify_inclusion(
            &hash(&proof["leaf_hash"]),
            1,
            size,
            &hashes(&proof["hashes"]),
            &root
        ),
        Ok(())
    );
    let call = app
        .call("GET /v1/audit/inclusion")
        .query("position=2")
        .by(&auditor.token);
    call.header("accept", "text/plain")
        .send()
        .await
        .problem(503, "audit-key-missing");
    let call = app.call("GET /v1/audit/checkpoints").by(&auditor.token);
    assert_eq!(call.send().await.expect(200).json(), json!({"items": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_is_recorded_before_it_is_answered() {
    let (app, auditor) = audited().await;
    let (signed, _) = checkpoint(&app, &auditor).await;
    let size = signed.checkpoint().size();
    key(&app, &auditor).await;
    inclusion(&app, &auditor, "position=2").await;
    for (route, query) in [
        ("GET /v1/audit/consistency", "from=1&to=3"),
        ("GET /v1/audit/checkpoints", ""),
    ] {
        app.call(route)
            .query(query)
            .by(&auditor.token)
            .send()
            .await
            .expect(200);
    }
    let call = app
        .call("GET /v1/audit/tile/{level}/{*path}")
        .with("level", 0)
        .with("*path", "000.p/1");
    call.by(&auditor.token).send().await.expect(200);
    let reads = recorded(&app).await;
    let asked: Vec<_> = reads
        .iter()
        .map(|read| (read["call"].as_str().unwrap(), read["asked"].clone()))
        .collect();
    assert_eq!(
        asked,
        [
            ("checkpoint.read", json!({})),
            ("key.read", json!({})),
            ("inclusion.prove", json!({"position": 2, "until": size})),
            ("consistency.prove", json!({"after": 1, "until": 3})),
            ("checkpoint.list", json!({})),
            ("tile.read", json!({"position": 1})),
        ]
    );
    assert!(reads.iter().all(|read| read["account"] == auditor.id.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_was_changed_is_not_proved_and_nothing_inner_is_told() {
    let (app, auditor) = audited().await;
    checkpoint(&app, &auditor).await;
    let sql = "UPDATE events SET leaf_hash = zeroblob(32) WHERE position = 2";
    tamper_with_file(app.dir.path(), sql, &[]);
    let call = app
        .call("GET /v1/audit/inclusion")
        .query("position=2")
        .by(&auditor.token);
    let refused = call.send().await.problem(500, "internal");
    assert!(!String::from_utf8_lossy(&refused.body).contains("tree"));
}
