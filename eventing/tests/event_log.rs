//! The event log in SQLite: the contract, and what only a file can suffer.

use std::path::{Path, PathBuf};
use std::process::Command;

use eventing::log::SEARCHED_MAX;
use eventing::testing::TempDir;
use eventing::testing::event_log::{an_append, new_stream, tamper_with_file};
use eventing::{
    Append, AppendError, CorrelationId, EventFilter, EventId, EventLog, ExpectedVersion, LogConfig, LogError,
    Metadata, NewEvent, Position, RecordedEvent, SchemaVersion, SubjectId, Version,
};

eventing::event_log_contract!(sqlite, eventing::testing::LogUnderTest::sqlite);
eventing::log_search_contract!(sqlite_search, eventing::testing::LogUnderTest::sqlite);
eventing::tree_contract!(tree, eventing::testing::LogUnderTest::sqlite);

async fn open(dir: &Path) -> EventLog {
    EventLog::open(LogConfig::new(dir)).await.expect("the log opens")
}

async fn everything(log: &EventLog) -> Vec<RecordedEvent> {
    log.read_after(Position::START, usize::MAX)
        .await
        .expect("the log reads")
}

fn a_large_append() -> Append {
    let payload = format!(r#"{{"much":"{}"}}"#, "x".repeat(40_000));
    let event = NewEvent::new("test.happened", SchemaVersion(1), payload);
    Append::new(
        new_stream(),
        ExpectedVersion::NoStream,
        vec![event],
        Metadata::new(),
    )
}

/// Appends until the log says that it is full; gives what was acknowledged.
async fn fill(log: &EventLog) -> Vec<RecordedEvent> {
    let mut acknowledged = Vec::new();
    for _ in 0..10_000 {
        match log.append(a_large_append()).await {
            Ok(appended) => acknowledged.extend(appended.events),
            Err(AppendError::StorageFull) => return acknowledged,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("the disk never filled up")
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = TempDir::new();
    let log = open(dir.path()).await;
    let appended = log
        .append(an_append(&new_stream(), ExpectedVersion::NoStream, 3))
        .await
        .expect("an append");
    drop(log);
    assert_eq!(everything(&open(dir.path()).await).await, appended.events);
}

#[tokio::test]
async fn a_log_at_its_limit_refuses_and_goes_on_when_the_limit_is_lifted() {
    let dir = TempDir::new();
    let config = LogConfig {
        pages_max: Some(300),
        ..LogConfig::new(dir.path())
    };
    let limited = EventLog::open(config).await.expect("the log opens");
    let acknowledged = fill(&limited).await;
    assert!(!acknowledged.is_empty());
    assert_eq!(everything(&limited).await, acknowledged);
    let appended = open(dir.path())
        .await
        .append(a_large_append())
        .await
        .expect("there is room");
    assert_eq!(appended.position, Position(acknowledged.len() as u64 + 1));
}

/// A file system in memory, so small that it fills up.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let dir = TempDir::new();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "segue-test"])
            .arg(dir.path())
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self(dir))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_appends_go_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("not run: this process may not mount a file system");
        return;
    };
    let log = open(&disk.path()).await;
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).expect("2 MiB");
    let mut acknowledged = fill(&log).await;
    assert!(!acknowledged.is_empty());
    assert!(matches!(
        log.append(a_large_append()).await,
        Err(AppendError::StorageFull)
    ));
    assert_eq!(
        everything(&log).await,
        acknowledged,
        "what was acknowledged can be read on a full disk"
    );

    std::fs::remove_file(ballast).expect("room");
    let appended = log.append(a_large_append()).await.expect("there is room again");
    acknowledged.extend(appended.events);
    assert_eq!(everything(&log).await, acknowledged);
    drop(log);
    assert_eq!(everything(&open(&disk.path()).await).await, acknowledged);
}

#[tokio::test]
async fn a_changed_bit_in_a_record_is_noticed_and_nothing_else_is_harmed() {
    let dir = TempDir::new();
    let log = open(dir.path()).await;
    let stream = new_stream();
    log.append(an_append(&stream, ExpectedVersion::NoStream, 3))
        .await
        .expect("an append");
    let file = rusqlite::Connection::open(dir.path().join("log.db")).expect("the file");
    let sql =
        "UPDATE events SET record = CAST(replace(CAST(record AS TEXT), 'something', 'somethinG') AS BLOB)
               WHERE position = 2";
    assert_eq!(file.execute(sql, []).expect("an attack"), 1);
    let read = log.read_stream(&stream, Version::NONE, 10).await;
    assert!(matches!(read, Err(LogError::Corrupt(_))), "{read:?}");
    let later = log.read_after(Position(2), 10).await.expect("the rest is whole");
    assert_eq!(later.len(), 1);
}

#[tokio::test]
async fn an_append_waits_while_another_process_writes() {
    let dir = TempDir::new();
    let log = open(dir.path()).await;
    let file = rusqlite::Connection::open(dir.path().join("log.db")).expect("the file");
    file.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    let waiting = tokio::spawn(async move {
        log.append(an_append(&new_stream(), ExpectedVersion::NoStream, 1))
            .await
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "it cannot have been written");
    file.execute_batch("ROLLBACK").expect("the lock is free");
    waiting.await.expect("it ends").expect("it is appended");
}

#[tokio::test]
async fn a_search_that_no_index_helps_looks_through_a_bounded_part() {
    const HEAD: u64 = 500_000;
    let dir = TempDir::new();
    let log = open(dir.path()).await;
    let appended = log
        .append(an_append(&new_stream(), ExpectedVersion::NoStream, 1))
        .await
        .expect("an append");
    drop(log);
    // As if there were many records more.
    let sql = format!("UPDATE log_head SET position = {HEAD}");
    tamper_with_file(dir.path(), &sql, &[]);
    let log = open(dir.path()).await;
    let all = || EventFilter::after(Position::START, 10);
    let of_types = |name: &str| EventFilter {
        event_type: Some(name.to_owned()),
        ..all()
    };
    let looked_through = [
        of_types("test."),
        EventFilter {
            category: Some("test".to_owned()),
            ..all()
        },
        EventFilter {
            subject: Some(SubjectId(EventId::new().0)),
            ..all()
        },
        EventFilter {
            correlation: Some(CorrelationId::new()),
            ..all()
        },
    ];
    for filter in looked_through {
        let found = log.search(filter.clone()).await.expect("a search");
        assert_eq!(
            (found.searched_to, found.is_at_the_end),
            (Position(SEARCHED_MAX), false),
            "{filter:?}"
        );
        let next = EventFilter {
            after: found.searched_to,
            ..filter
        };
        let next = log.search(next).await.expect("a search");
        assert_eq!(next.searched_to, Position(2 * SEARCHED_MAX));
    }
    let found = log.search(of_types("test.happened")).await.expect("a search");
    assert_eq!((found.events, found.is_at_the_end), (appended.events, true));
}

/// As many as one query looks into, and one more.
#[tokio::test]
async fn a_search_leaves_out_no_record_where_one_part_ends_and_the_next_begins() {
    const RECORDS: usize = 20_002;
    let dir = TempDir::new();
    let log = open(dir.path()).await;
    for first in (0..RECORDS).step_by(4_000) {
        let count = 4_000.min(RECORDS - first);
        let append = an_append(&new_stream(), ExpectedVersion::NoStream, count);
        log.append(append).await.expect("an append");
    }
    let of_types = EventFilter {
        event_type: Some("test.".to_owned()),
        ..EventFilter::after(Position::START, usize::MAX)
    };
    let found = log.search(of_types).await.expect("a search");
    let positions = found.events.iter().map(|event| event.position.0);
    assert!(positions.eq(1..=RECORDS as u64), "{}", found.events.len());
    assert_eq!(
        (found.searched_to, found.is_at_the_end),
        (Position(RECORDS as u64), true)
    );
}

#[tokio::test]
async fn a_text_that_is_none_is_damage() {
    let dir = TempDir::new();
    let log = open(dir.path()).await;
    let sql = "INSERT INTO signed_checkpoints VALUES (1, zeroblob(32), CAST(x'6180' AS TEXT), 5)";
    tamper_with_file(dir.path(), sql, &[]);
    let read = log.tree().latest_checkpoint().await;
    assert!(matches!(read, Err(LogError::Corrupt(_))), "{read:?}");
}
