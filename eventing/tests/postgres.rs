//! The log in PostgreSQL, on a private server.

mod server;

use std::time::Duration;

use eventing::testing::LogUnderTest;
use server::SERVER;

async fn fresh() -> LogUnderTest {
    let url = SERVER.new_database().expect("a database");
    LogUnderTest::postgres(&url).await
}

eventing::event_log_contract!(contract, crate::fresh);

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stays_open_is_passed_by_no_reader() {
    use eventing::testing::event_log::{an_append, new_stream};
    use eventing::{ExpectedVersion, Position};
    let url = SERVER.new_database().expect("a database");
    let under_test = LogUnderTest::postgres(&url).await;
    let other = under_test.open_again().await;
    let append = || an_append(&new_stream(), ExpectedVersion::NoStream, 1);
    under_test.log.append(append()).await.expect("the first");
    let held = hold(&url);
    let waiting = tokio::spawn(async move { other.append(append()).await });
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        !waiting.is_finished(),
        "nobody commits past a transaction that is open"
    );
    assert_eq!(under_test.log.head().await.expect("the head"), Position(1));
    let seen = under_test
        .log
        .read_after(Position::START, 10)
        .await
        .expect("a read");
    assert_eq!(seen.len(), 1);
    drop(held);
    let appended = waiting.await.expect("no panic").expect("it goes on");
    assert_eq!(appended.position, Position(2));
}

/// Holds the log's lock in a session of its own, with a record inserted and not committed, until it is dropped.
fn hold(url: &str) -> Held {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut psql = Command::new("psql")
        .args(["-X", "-q", "-d", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql starts");
    let mut stdin = psql.stdin.take().expect("its input");
    stdin
        .write_all(
            b"BEGIN; SELECT pg_advisory_xact_lock(x'53656775654C6F67'::bigint);
              INSERT INTO segue.streams VALUES (2, 'test-held', 1, 2);
              INSERT INTO segue.events SELECT 2, 2, 1, type, gen_random_uuid(), leaf_hash, record FROM segue.events WHERE position = 1;\n",
        )
        .expect("it takes it");
    stdin.flush().expect("it takes it");
    std::thread::sleep(Duration::from_millis(500));
    Held { psql, _stdin: stdin }
}

struct Held {
    psql: std::process::Child,
    _stdin: std::process::ChildStdin,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}
