//! The same of a log in PostgreSQL: its columns have types, so only values can change.

use std::process::Command;

use eventing::sealer::{Sealer, SealerSettings};
use eventing::testing::{LogUnderTest, TempDir};
use eventing::verify::live::{Demands, VerifyLogError, verify_log};
use eventing::verify::{Fault, FaultKind};
use eventing::{Keys, MasterKey, Position};

use crate::history::{append_all, log_key};
use crate::server::SERVER;

const RECORDS: u64 = 300;

fn run(url: &str, sql: &str) {
    let psql = Command::new("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
        .output()
        .expect("psql runs");
    assert!(
        psql.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&psql.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_row_is_found_where_it_is() {
    let url = SERVER.new_database().expect("a database");
    let log = LogUnderTest::postgres(&url).await.log;
    let dir = TempDir::new();
    let keys = Keys::open(dir.path(), MasterKey::random()).await.expect("keys");
    let key = log_key();
    append_all(&log, 0..RECORDS).await;
    let settings = SealerSettings {
        key: Some(key.clone()),
        checkpoint_interval: None,
    };
    let sealer = Sealer::new(log.clone(), keys.clone(), settings);
    sealer.seal(Position(RECORDS)).await.expect("sealed");
    let demands = Demands {
        key: Some(key.verifier()),
        published: keys.published_checkpoint().await.expect("the keys answer"),
        older_keys: Vec::new(),
        old_checkpoint: None,
    };
    let verified = async || verify_log(&log, &demands, |_| {}).await;
    let found = verified().await.expect("it is sound");
    assert_eq!((found.size, found.streams, found.checkpoints), (RECORDS, 3, 1));

    let at = |change: &str| format!("UPDATE segue.events SET {change} WHERE position = 100");
    let tables =
        "events streams log_head merkle_tiles merkle_frontier signed_checkpoints correlations".split(' ');
    let kept: String = tables
        .clone()
        .map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM segue.{table};"))
        .collect();
    run(&url, &kept);
    let put_back: String = tables
        .map(|table| format!("TRUNCATE segue.{table}; INSERT INTO segue.{table} SELECT * FROM kept_{table};"))
        .collect();
    let (corrupt, inconsistent) = (FaultKind::Corrupt, FaultKind::Inconsistent);
    for (change, kind, position) in [
        (at("record = set_byte(record, 40, 33)"), corrupt, Some(100)),
        (
            at("leaf_hash = set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1)"),
            corrupt,
            Some(100),
        ),
        (at("leaf_hash = ''"), corrupt, Some(100)),
        (at("version = version + 1000"), corrupt, Some(100)),
        (at("stream = 999"), corrupt, Some(100)),
        (at("type = 'test.other'"), corrupt, Some(100)),
        (at("id = gen_random_uuid()"), corrupt, Some(100)),
        (at("position = 5000"), corrupt, Some(100)),
        (
            "DELETE FROM segue.events WHERE position > 290".to_owned(),
            FaultKind::Truncated,
            Some(291),
        ),
        (
            "DELETE FROM segue.events WHERE position > 290; UPDATE segue.log_head SET position = 290;
             DELETE FROM segue.signed_checkpoints"
                .to_owned(),
            inconsistent,
            None,
        ),
        (
            "UPDATE segue.streams SET version = version + 1".to_owned(),
            corrupt,
            None,
        ),
        (
            "UPDATE segue.merkle_tiles SET hashes = set_byte(hashes, 1280, get_byte(hashes, 1280) # 1)"
                .to_owned(),
            corrupt,
            Some(41),
        ),
        (
            "UPDATE segue.signed_checkpoints SET note = replace(note, E'\\n300\\n', E'\\n299\\n')".to_owned(),
            FaultKind::Unsigned,
            None,
        ),
        ("DELETE FROM segue.merkle_frontier".to_owned(), corrupt, None),
        ("DELETE FROM segue.log_head".to_owned(), corrupt, None),
        (
            "DELETE FROM segue.correlations WHERE position = 7".to_owned(),
            corrupt,
            None,
        ),
        (
            "UPDATE segue.correlations SET position = 301 WHERE position = 300".to_owned(),
            corrupt,
            None,
        ),
        (
            "INSERT INTO segue.correlations VALUES (gen_random_uuid(), 8)".to_owned(),
            corrupt,
            None,
        ),
        (
            "UPDATE segue.correlations SET first = 22 WHERE position = 30".to_owned(),
            corrupt,
            None,
        ),
        (
            "UPDATE segue.correlations SET first = NULL WHERE position = 30".to_owned(),
            corrupt,
            None,
        ),
        (
            "UPDATE segue.correlations SET first = 1".to_owned(),
            corrupt,
            None,
        ),
    ] {
        run(&url, &change);
        let fault: Fault = match verified().await {
            Err(VerifyLogError::Fault(fault)) => fault,
            other => panic!("{change}: {other:?}"),
        };
        let place = (fault.kind(), fault.position().map(Position::get));
        assert_eq!(place, (kind, position), "{change}: {fault}");
        run(&url, &put_back);
    }
    verified().await.expect("all is put back");
}
