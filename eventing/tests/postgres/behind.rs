//! Transactions that are sent one behind the other, and what comes of the second when the first comes to nothing.

use std::time::Duration;

use eventing::testing::LogUnderTest;
use eventing::testing::event_log::{an_append, new_stream};
use eventing::{Append, AppendError, Appended, EventLog, ExpectedVersion, Position, StreamId, Version};
use futures::future::join_all;
use servers::Trouble;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::faults::behind_proxy_to;
use super::{Held, SERVER};

/// More than are sent behind a transaction at least.
const MANY: usize = 40;
/// Longer than the way of a request to the database.
const MOMENT: Duration = Duration::from_millis(400);
const LOCK: &str = "BEGIN; SELECT pg_advisory_xact_lock(x'53656775654C6F67'::bigint);";
/// What another process does when it appends one record; one of an older version, which leaves no mark.
const APPEND: &str = "INSERT INTO segue.streams SELECT position + 1, 'test-other', 1, position + 1 FROM segue.log_head;
    INSERT INTO segue.events SELECT h.position + 1, h.position + 1, 1, e.type, gen_random_uuid(), e.leaf_hash, e.record
        FROM segue.events e, segue.log_head h WHERE e.position = 1;
    UPDATE segue.log_head SET position = position + 1;";

type Answer = Result<Appended, AppendError>;

/// Many streams of one record each, which a log remembers.
async fn streams(log: &EventLog) -> Vec<StreamId> {
    let streams: Vec<StreamId> = (0..MANY).map(|_| new_stream()).collect();
    let first = |stream| log.append(an_append(stream, ExpectedVersion::NoStream, 1));
    for answer in join_all(streams.iter().map(first)).await {
        answer.expect("an append");
    }
    streams
}

fn at(stream: &StreamId, version: u64) -> Append {
    an_append(stream, ExpectedVersion::at(Version(version)), 1)
}

fn begin(log: &EventLog, appends: impl IntoIterator<Item = Append>) -> Vec<JoinHandle<Answer>> {
    let appends = appends.into_iter().map(|append| {
        let log = log.clone();
        tokio::spawn(async move { log.append(append).await })
    });
    appends.collect()
}

/// A session that holds the log's lock, and a transaction that was sent and waits for it.
async fn first_that_waits(url: &str, log: &EventLog, stream: &StreamId) -> (Held, Vec<JoinHandle<Answer>>) {
    let mut other = Held::start(url);
    other.say(LOCK);
    sleep(MOMENT).await;
    let begun = begin(log, [at(stream, 1)]);
    sleep(MOMENT).await;
    (other, begun)
}

async fn answers(begun: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let ended = join_all(begun).await.into_iter();
    ended.map(|ended| ended.expect("no panic")).collect()
}

async fn versions(log: &EventLog, stream: &StreamId) -> Vec<u64> {
    let events = log.read_stream(stream, Version::NONE, 10).await.expect("a read");
    events.iter().map(|event| event.version.0).collect()
}

/// The head is then where the second supposes it, and what the second supposes of its stream is not so.
#[tokio::test]
async fn what_was_sent_behind_a_transaction_that_came_to_nothing_is_written_after_it() {
    let url = SERVER.new_database().expect("a database");
    let log = LogUnderTest::postgres(&url).await.log;
    let streams = streams(&log).await;
    let (mut other, mut begun) = first_that_waits(&url, &log, &streams[0]).await;
    // In a runtime of one thread they come in this order, so the first is surely sent behind.
    let behind = streams[1..].iter().map(|stream| at(stream, 1));
    begun.extend(begin(&log, [at(&streams[0], 2)].into_iter().chain(behind)));
    sleep(MOMENT).await;
    other.say(&format!("{APPEND} COMMIT;"));
    for answer in answers(begun).await {
        answer.expect("it is written in the end");
    }
    assert_eq!(versions(&log, &streams[0]).await, [1, 2, 3]);
    for stream in &streams[1..] {
        assert_eq!(versions(&log, stream).await, [1, 2]);
    }
    let appended = 2 * MANY as u64 + 1;
    assert_eq!(log.head().await.expect("the head"), Position(appended + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_transaction_is_sent_behind_the_first_and_both_are_answered_truly_when_they_are_cut_off() {
    let url = SERVER.new_database().expect("a database");
    let (proxy, log, straight) = behind_proxy_to(&url).await;
    let streams = streams(&log).await;
    let (mut other, mut begun) = first_that_waits(&url, &log, &streams[0]).await;
    proxy.make(Trouble::ResetAfter(b"COMMIT".to_vec()));
    begun.extend(begin(&log, streams[1..].iter().map(|stream| at(stream, 1))));
    sleep(MOMENT).await;
    assert_eq!(
        proxy.trouble(),
        Trouble::None,
        "it was sent while the first was not answered"
    );
    other.say("ROLLBACK;");
    let answers = answers(begun).await;
    let head = straight.log.head().await.expect("the head");
    for (stream, answer) in streams.iter().zip(&answers) {
        let stored = versions(&straight.log, stream).await;
        match answer {
            Ok(appended) => {
                assert_eq!(appended.version, Version(2));
                assert_eq!(stored, [1, 2]);
            }
            Err(AppendError::Unavailable(_)) => assert_eq!(stored, [1]),
            Err(other) => panic!("{other:?}"),
        }
    }
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(head, Position((MANY + done) as u64));
}

/// A transaction whose way to the database took longer than its writer waits was once written after all.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_as_not_done_never_happens_later() {
    let url = SERVER.new_database().expect("a database");
    let (proxy, log, straight) = behind_proxy_to(&url).await;
    let stream = new_stream();
    let first = an_append(&stream, ExpectedVersion::NoStream, 1);
    log.append(first).await.expect("an append");
    let late = Duration::from_secs(13);
    proxy.make(Trouble::Delay(late));
    let begun = begin(&log, [at(&stream, 1)]);
    sleep(MOMENT).await;
    proxy.make(Trouble::None);
    let answers = answers(begun).await;
    assert!(
        matches!(&answers[..], [Err(AppendError::Unavailable(_))]),
        "{answers:?}"
    );
    // It was answered after ten seconds, so what was late has arrived by then.
    sleep(late.saturating_sub(Duration::from_secs(8))).await;
    assert_eq!(versions(&straight.log, &stream).await, [1]);
    let again = log.append(at(&stream, 1)).await.expect("it goes on");
    assert_eq!(again.version, Version(2));
}
