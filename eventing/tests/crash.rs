//! The process dies at every step of an append: what was acknowledged is there, nothing is there twice.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use eventing::testing::TempDir;
use eventing::{
    Append, Appended, EventId, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, Position,
    SchemaVersion, StreamId, Version, failpoints,
};
use uuid::Uuid;

/// Tells the child where its log is; without it the child has nothing to do.
const DIR: &str = "SEGUE_CRASH_TEST_DIR";
/// The append at which the process dies.
const CRASH_AT: u64 = 5;
/// More appends than the child lives for.
const APPENDS: u64 = 10;

/// The n-th append, the same in every process.
fn append_number(n: u64) -> Append {
    let mut event = NewEvent::new("test.happened", SchemaVersion(1), format!(r#"{{"n":{n}}}"#));
    event.id = EventId(Uuid::from_u128(u128::from(n)));
    let stream = StreamId::new("test", Uuid::nil());
    Append::new(
        stream,
        ExpectedVersion::at(Version(n - 1)),
        vec![event],
        Metadata::new(),
    )
}

async fn append_all(log: &EventLog, mut acknowledge: impl FnMut(&Appended)) {
    for n in 1..=APPENDS {
        let appended = log.append(append_number(n)).await.expect("an append");
        acknowledge(&appended);
    }
}

/// Not a test of its own: the process that [`an_append_survives_a_crash_at_each_of_its_steps`] lets die.
#[tokio::test]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let log = EventLog::open(LogConfig::new(&dir)).await.expect("the log opens");
    let mut acknowledged = std::fs::File::create(Path::new(&dir).join("acknowledged")).expect("a file");
    append_all(&log, |appended| {
        writeln!(acknowledged, "{}", appended.position).expect("a line")
    })
    .await;
}

fn run_child_until_it_dies_at(failpoint: &str, dir: &Path) {
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--test-threads=1"])
        .env(DIR, dir)
        .env(failpoints::VARIABLE, format!("{failpoint}:{CRASH_AT}"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("the child runs");
    assert!(!status.success(), "{failpoint} was not hit");
}

#[tokio::test]
async fn an_append_survives_a_crash_at_each_of_its_steps() {
    for (failpoint, survives) in [
        ("append.before_begin", false),
        ("append.before_commit", false),
        ("append.after_commit", true),
        ("append.before_answer", true),
    ] {
        let dir = TempDir::new();
        run_child_until_it_dies_at(failpoint, dir.path());
        let acknowledged = std::fs::read_to_string(dir.path().join("acknowledged"))
            .expect("a file")
            .lines()
            .count();
        assert_eq!(acknowledged as u64, CRASH_AT - 1, "{failpoint}");

        let log = EventLog::open(LogConfig::new(dir.path()))
            .await
            .expect("the log opens after a crash");
        let head = log.head().await.expect("a head");
        assert_eq!(
            head,
            Position(if survives { CRASH_AT } else { CRASH_AT - 1 }),
            "{failpoint}"
        );

        // The caller heard nothing, so it sends everything again with the same ids.
        append_all(&log, |_| {}).await;
        let events = log.read_after(Position::START, 100).await.expect("the log reads");
        let ids: Vec<u128> = events.iter().map(|event| event.id.0.as_u128()).collect();
        assert_eq!(ids, (1..=u128::from(APPENDS)).collect::<Vec<_>>(), "{failpoint}");
    }
}
