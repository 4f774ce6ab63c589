//! Copies of an embedded log and its keys, and what a check of one finds.

use eventing::backup::{BackupError, Stop, copy_keys, copy_log, keep_known, open_copied, verify};
use eventing::testing::TempDir;
use eventing::testing::event_log::{an_append, new_stream};
use eventing::{
    EventId, EventLog, ExpectedVersion, Keys, LogConfig, MasterKey, Payload, Position, SubjectId,
};
use rusqlite::Connection;

/// A log of six records in two streams, with its keys, and a copy of both.
struct Copies {
    from: TempDir,
    to: TempDir,
    subject: SubjectId,
}

fn master() -> MasterKey {
    MasterKey::from_hex(&"5a".repeat(32)).expect("a key")
}

impl Copies {
    async fn made() -> Self {
        let (from, to) = (TempDir::new(), TempDir::new());
        let keys = Keys::open(from.path(), master()).await.expect("keys");
        let subject = SubjectId(EventId::new().0);
        keys.create(subject).await.expect("a key");
        let log = EventLog::open(LogConfig::new(from.path())).await.expect("a log");
        for _ in 0..2 {
            let append = an_append(&new_stream(), ExpectedVersion::NoStream, 3);
            log.append(append).await.expect("an append");
        }
        let copies = Self { from, to, subject };
        copies.copy();
        copies
    }

    fn copy(&self) {
        let (log, stop) = (self.to.path().join("log.db"), Stop::default());
        let copied = copy_log(self.from.path(), &log, &stop).expect("a copy of the log");
        assert_eq!(copied.head, Position(6));
        copy_keys(self.from.path(), &log, &self.to.path().join("keys.db"), &stop)
            .expect("a copy of the keys");
    }

    /// Changes the copied log as no program of ours does.
    fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.to.path().join("log.db")).expect("the copy");
        connection.execute_batch(sql).expect("it is changed");
    }

    fn verify(&self) -> Result<eventing::backup::Verified, BackupError> {
        verify(&self.to.path().join("log.db"), &Stop::default())
    }
}

#[tokio::test]
async fn a_copy_is_sound_opens_with_the_master_key_and_is_one_file() {
    let copies = Copies::made().await;
    let verified = copies.verify().expect("it is sound");
    assert_eq!((verified.head, verified.streams), (Position(6), 2));
    let files = std::fs::read_dir(copies.to.path()).expect("the folder").count();
    assert_eq!(files, 2, "nothing beside the two");
    open_copied(copies.to.path(), &master()).expect("it is their key");
    let other = MasterKey::random();
    open_copied(copies.to.path(), &other).expect_err("it is not");
}

#[tokio::test]
async fn every_kind_of_damage_is_found_at_its_position() {
    let damages = [
        ("DELETE FROM events WHERE position = 4", 4),
        ("DELETE FROM events WHERE position = 1", 1),
        ("DELETE FROM events WHERE position = 6", 5),
        (
            "UPDATE events SET record = CAST(replace(CAST(record AS TEXT), '\"position\":3', '\"position\":8') AS BLOB) WHERE position = 3",
            3,
        ),
        ("UPDATE events SET leaf_hash = zeroblob(32) WHERE position = 2", 1),
        ("UPDATE log_head SET position = 7", 6),
        ("UPDATE streams SET version = 2", 6),
    ];
    for (sql, expected) in damages {
        let copies = Copies::made().await;
        copies.tamper(sql);
        let found = copies.verify();
        let Err(BackupError::Damaged { at, what }) = found else {
            panic!("{sql}: {found:?}");
        };
        // A page that holds a damaged record is told by its beginning.
        assert!(at.0 <= expected && at.0 >= 1, "{sql}: at {at}: {what}");
    }
}

#[tokio::test]
async fn a_copy_that_is_stopped_says_so() {
    let copies = Copies::made().await;
    let stop = Stop::default();
    stop.stop();
    let stopped = copy_log(copies.from.path(), &copies.to.path().join("other.db"), &stop);
    assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
    let stopped = verify(&copies.to.path().join("log.db"), &stop);
    assert!(matches!(stopped, Err(BackupError::Stopped)), "{stopped:?}");
}

#[tokio::test]
async fn whoever_was_forgotten_since_is_forgotten_in_the_copy() {
    let copies = Copies::made().await;
    let keys = Keys::open(copies.from.path(), master()).await.expect("keys");
    let sealed = keys.seal(copies.subject, b"here", b"{}").await.expect("a key");
    keys.destroy(copies.subject).await.expect("it is destroyed");
    for expected in [1, 0] {
        let kept = keep_known(copies.from.path(), copies.to.path(), true).expect("it is added");
        assert_eq!(kept.forgotten, expected);
    }
    let restored = Keys::open(copies.to.path(), master()).await.expect("keys");
    let opened = restored.open_sealed(copies.subject, b"here", &sealed).await;
    assert_eq!(opened.expect("it answers"), Payload::Erased);
}
