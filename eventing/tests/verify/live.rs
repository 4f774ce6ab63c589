//! A live log with one thing changed behind its back.

use eventing::notes::SigningKey;
use eventing::sealer::{Sealer, SealerSettings};
use eventing::testing::TempDir;
use eventing::verify::live::{Demands, VerifiedLog, VerifyLogError, verify_log};
use eventing::verify::{Fault, FaultKind};
use eventing::{EventLog, Keys, LogConfig, MasterKey, Position};
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::history::{ORIGIN, append_all, log_key};

/// A full tile, and a part of another.
const RECORDS: u64 = 300;

struct Live {
    dir: TempDir,
    log: EventLog,
    keys: Keys,
    key: SigningKey,
}

impl Live {
    /// A log with checkpoints of 200 and of all records.
    async fn sealed(records: u64) -> Self {
        let dir = TempDir::new();
        let keys = Keys::open(dir.path(), MasterKey::random()).await.expect("keys");
        let log = EventLog::open(LogConfig::new(dir.path())).await.expect("a log");
        let key = log_key();
        let settings = || SealerSettings {
            key: Some(key.clone()),
            checkpoint_interval: None,
        };
        append_all(&log, 0..records * 2 / 3).await;
        let seal = async |position| {
            let sealer = Sealer::new(log.clone(), keys.clone(), settings());
            sealer.seal(Position(position)).await.expect("sealed");
        };
        seal(records * 2 / 3).await;
        append_all(&log, records * 2 / 3..records).await;
        seal(records).await;
        Self { dir, log, keys, key }
    }

    async fn verified(&self) -> Result<VerifiedLog, Fault> {
        let demands = Demands {
            key: Some(self.key.verifier()),
            published: self.keys.published_checkpoint().await.expect("the keys answer"),
            older_keys: self.keys.retired_audit_keys().await.expect("the keys answer"),
            old_checkpoint: None,
        };
        let verified = verify_log(&self.log, &demands, |_| {}).await;
        verified.map_err(|error| match error {
            VerifyLogError::Fault(fault) => fault,
            other => panic!("it could not be verified: {other}"),
        })
    }

    fn connection(&self) -> Connection {
        let connection = Connection::open(self.dir.path().join("log.db")).expect("the file");
        connection
            .pragma_update(None, "synchronous", "OFF")
            .expect("a setting");
        connection
    }

    /// The fault that `change` leads to. Everything is put back afterwards.
    async fn after(&self, change: &str) -> Fault {
        let tables = "events streams event_types log_head merkle_tiles merkle_frontier signed_checkpoints correlations";
        let connection = self.connection();
        for table in tables.split(' ') {
            let sql = format!("CREATE TEMP TABLE kept_{table} AS SELECT * FROM main.{table}");
            connection.execute_batch(&sql).expect(table);
        }
        connection.execute_batch(change).expect(change);
        let verified = self.verified().await;
        for table in tables.split(' ') {
            let sql = format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM kept_{table};
                 DROP TABLE kept_{table};"
            );
            connection.execute_batch(&sql).expect(table);
        }
        verified.expect_err(change)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_log_verifies_and_goes_on_to_do_so() {
    let live = Live::sealed(RECORDS).await;
    let found = live.verified().await.expect("it is sound");
    assert_eq!(
        (found.size, found.tree_size, found.streams),
        (RECORDS, RECORDS, 3)
    );
    assert_eq!((found.checkpoints, found.signed_size), (2, Some(RECORDS)));
    assert_eq!(found.published, Some(RECORDS));
    append_all(&live.log, RECORDS..RECORDS + 20).await;
    let found = live.verified().await.expect("it is sound");
    assert_eq!((found.size, found.signed_size), (RECORDS + 20, Some(RECORDS)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_log_verifies() {
    let dir = TempDir::new();
    let log = EventLog::open(LogConfig::new(dir.path())).await.expect("a log");
    let found = verify_log(&log, &Demands::default(), |_| {})
        .await
        .expect("it is sound");
    assert_eq!((found.size, found.checkpoints), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_changed_byte_of_a_row_is_found_where_it_is() {
    let live = Live::sealed(9).await;
    let connection = live.connection();
    for (position, column) in [(4_i64, "record"), (5, "record"), (5, "leaf_hash"), (5, "id")] {
        let read = format!("SELECT {column} FROM events WHERE position = ?1");
        let write = format!("UPDATE events SET {column} = ?2 WHERE position = ?1");
        let sound: Vec<u8> = connection
            .query_row(&read, [position], |row| row.get(0))
            .expect("a row");
        let put = |bytes: &[u8]| {
            connection
                .execute(&write, params![position, bytes])
                .expect("changed")
        };
        for at in 0..sound.len() {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            put(&changed);
            let fault = live.verified().await.expect_err("a change is found");
            let place = (fault.kind(), fault.position());
            let expected = (FaultKind::Corrupt, Some(Position(position as u64)));
            assert_eq!(place, expected, "byte {at} of {column} at {position}: {fault}");
            if column == "leaf_hash" {
                assert!(matches!(fault, Fault::HashChanged { .. }), "{fault}");
            }
        }
        put(&sound);
    }
    live.verified().await.expect("all is put back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_changed_column_is_found_where_it_is_and_named() {
    let live = Live::sealed(RECORDS).await;
    let column = |name| Fault::Column {
        position: Position(100),
        column: name,
    };
    for (set, fault) in [
        ("version = version + 1000", column("version")),
        ("version = 'x'", column("version")),
        ("stream = 999", column("stream")),
        ("type = 999", column("type")),
        ("id = x'00'", column("id")),
        (
            "leaf_hash = x'00'",
            Fault::HashChanged {
                position: Position(100),
            },
        ),
        (
            "leaf_hash = 7",
            Fault::HashChanged {
                position: Position(100),
            },
        ),
        (
            "position = 5000",
            Fault::OutOfPlace {
                position: Position(100),
                found: Position(101),
            },
        ),
    ] {
        let change = format!("UPDATE events SET {set} WHERE position = 100");
        assert_eq!(live.after(&change).await, fault, "{set}");
    }
    let fault = live
        .after("UPDATE events SET record = 7 WHERE position = 100")
        .await;
    assert!(
        matches!(
            fault,
            Fault::NotARecord {
                position: Position(100),
                ..
            }
        ),
        "{fault}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_missing_or_too_many_are_found() {
    let live = Live::sealed(RECORDS).await;
    assert_eq!(
        live.after("DELETE FROM events WHERE position = 7").await,
        Fault::OutOfPlace {
            position: Position(7),
            found: Position(8)
        }
    );
    assert_eq!(
        live.after("DELETE FROM events WHERE position > 290").await,
        Fault::Truncated {
            position: Position(291),
            size: RECORDS
        }
    );
    let swap = "UPDATE events SET position = -1 WHERE position = 7; UPDATE events SET position = 7 WHERE position = 9;
                UPDATE events SET position = 9 WHERE position = -1";
    assert_eq!(
        live.after(swap).await,
        Fault::OutOfPlace {
            position: Position(7),
            found: Position(9)
        }
    );
    let again =
        "INSERT INTO events SELECT 301, stream, version + 900, type, x'01', leaf_hash, record FROM events
                 WHERE position = 300";
    let head = Fault::Table {
        what: "the log's head".to_owned(),
    };
    assert_eq!(live.after(again).await, head);
    assert_eq!(live.after(&again.replace("301", "-4")).await, head);
    // The end cut off together with the head, and no trace of it in the tables.
    let cut = "DELETE FROM events WHERE position > 290; UPDATE log_head SET position = 290;
               DELETE FROM signed_checkpoints WHERE size > 290";
    assert_eq!(
        live.after(cut).await,
        Fault::Shorter {
            size: 290,
            checkpoint: RECORDS
        }
    );
}

/// Rewrites the record at `position` with the leaf hash that fits it.
fn rewrite(live: &Live, position: i64) -> String {
    let record: Vec<u8> = live
        .connection()
        .query_row(
            "SELECT record FROM events WHERE position = ?1",
            [position],
            |row| row.get(0),
        )
        .expect("a row");
    let text = String::from_utf8(record)
        .expect("UTF-8")
        .replacen("{\"a\":[1]}", "{\"a\":[2]}", 1);
    let hash = eventing::record::leaf_hash(text.as_bytes());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!(
        "UPDATE events SET record = x'{}', leaf_hash = x'{}' WHERE position = {position};",
        hex(text.as_bytes()),
        hex(&hash)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewritten_record_is_found_by_tile_or_by_root() {
    let live = Live::sealed(RECORDS).await;
    // In a full tile, which still has its true hash.
    assert_eq!(
        live.after(&rewrite(&live, 50)).await,
        Fault::RecordChanged {
            position: Position(50)
        }
    );
    // After the last full tile only roots can tell.
    assert_eq!(
        live.after(&rewrite(&live, 299)).await,
        Fault::Root { size: RECORDS }
    );
    // Without tiles it is told at the first checkpoint that covers it.
    let without_tiles = format!("{}; DELETE FROM merkle_tiles", rewrite(&live, 50));
    let fault = live.after(&without_tiles).await;
    assert_eq!(fault.kind(), FaultKind::Corrupt, "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_what_is_beside_the_records_is_named() {
    let live = Live::sealed(RECORDS).await;
    let tile: Vec<u8> = live
        .connection()
        .query_row("SELECT hashes FROM merkle_tiles WHERE level = 0", [], |row| {
            row.get(0)
        })
        .expect("a tile");
    let mut changed = tile;
    changed[32 * 40] ^= 1;
    let hex: String = changed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        live.after(&format!(
            "UPDATE merkle_tiles SET hashes = x'{hex}' WHERE level = 0"
        ))
        .await,
        Fault::Tile {
            level: 0,
            n: 0,
            position: Position(41)
        }
    );
    let no_text = "UPDATE streams SET name = CAST(x'6180' AS TEXT) WHERE no = 1";
    let fault = live.after(no_text).await;
    assert_eq!(
        (fault.kind(), fault.position()),
        (FaultKind::Corrupt, Some(Position(1))),
        "{fault}"
    );
    for change in [
        "UPDATE log_head SET recorded_at = 5",
        "UPDATE streams SET version = version + 1 WHERE no = 1",
        "UPDATE streams SET position = position - 1 WHERE no = 2",
        "UPDATE merkle_frontier SET edge = zeroblob(length(edge))",
        "UPDATE merkle_frontier SET size = 299",
        "UPDATE signed_checkpoints SET root = zeroblob(32) WHERE size = 300",
        "UPDATE signed_checkpoints SET root = x'00' WHERE size = 300",
        "UPDATE signed_checkpoints SET note = CAST(x'6180' AS TEXT) WHERE size = 300",
        "INSERT INTO streams (name, version, position) VALUES ('what', 3, 4)",
        "DELETE FROM merkle_frontier",
        "UPDATE merkle_frontier SET edge = 'an edge'",
        "DELETE FROM log_head",
        "DELETE FROM correlations WHERE position = 7",
        "UPDATE correlations SET position = 301 WHERE position = 300",
        "UPDATE correlations SET correlation = randomblob(16) WHERE position = 100",
        "UPDATE correlations SET correlation = 'none' WHERE position = 100",
        "UPDATE correlations SET position = 'none' WHERE position = 100",
        "INSERT INTO correlations SELECT correlation, 8, NULL FROM correlations WHERE position = 7",
        "INSERT INTO correlations VALUES (randomblob(16), 5000, NULL)",
        // A run of records.
        "DELETE FROM correlations WHERE position = 30",
        "UPDATE correlations SET first = 22 WHERE position = 30",
        "UPDATE correlations SET first = 20 WHERE position = 30",
        "UPDATE correlations SET first = NULL WHERE position = 30",
        "UPDATE correlations SET first = 31 WHERE position = 30",
        "UPDATE correlations SET first = 0 WHERE position = 1",
        "UPDATE correlations SET first = -9223372036854775807",
        "UPDATE correlations SET first = 1",
        "UPDATE correlations SET first = 'none' WHERE position = 30",
        "UPDATE correlations SET position = 29 WHERE position = 30",
        "UPDATE correlations SET position = 9223372036854775807 WHERE position = 30",
        "INSERT INTO correlations SELECT correlation, 25, 21 FROM correlations WHERE position = 30",
        // Two rows that change places.
        "UPDATE correlations SET position = -1 WHERE position = 7; UPDATE correlations SET position = 7 WHERE position = 8;
         UPDATE correlations SET position = 8 WHERE position = -1",
    ] {
        let fault = live.after(change).await;
        assert!(matches!(fault, Fault::Table { .. }), "{change}: {fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_may_be_signed_with_a_key_from_before() {
    let mut live = Live::sealed(RECORDS).await;
    let before = std::mem::replace(&mut live.key, SigningKey::generate("next-log").expect("a key"));
    let fault = live.verified().await.expect_err("a key of another name");
    assert!(matches!(fault, Fault::OtherLog { size: 200, .. }), "{fault}");
    live.keys
        .retire_audit_key(&before.verifier())
        .await
        .expect("it is remembered");
    let found = live.verified().await.expect("it is known that it signed before");
    assert_eq!(found.checkpoints, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stored_checkpoint_must_be_signed_and_of_this_history() {
    let live = Live::sealed(RECORDS).await;
    let connection = live.connection();
    let note: String = connection
        .query_row(
            "SELECT note FROM signed_checkpoints WHERE size = 200",
            [],
            |row| row.get(0),
        )
        .expect("a note");
    let put = |note: &str| {
        let note = Value::from(note.to_owned());
        connection
            .execute("UPDATE signed_checkpoints SET note = ?1 WHERE size = 200", [note])
            .expect("changed");
    };
    for at in 0..note.len() {
        let mut changed = note.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        put(&changed);
        let fault = live.verified().await.expect_err("a change is found");
        assert_eq!(fault.kind(), FaultKind::Unsigned, "byte {at}: {fault}");
    }
    let forger = SigningKey::generate(ORIGIN).expect("a key");
    let said = eventing::notes::SignedCheckpoint::parse(note.as_bytes()).expect("a checkpoint");
    put(&said
        .checkpoint()
        .clone()
        .sign(&forger)
        .expect("signed")
        .to_string());
    let fault = live.verified().await.expect_err("another key");
    assert!(matches!(fault, Fault::Unsigned { size: 200, .. }), "{fault}");
}
