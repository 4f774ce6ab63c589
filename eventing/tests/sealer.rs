//! Sealing: who signs what, when, and what is noticed when a log was put back to an older state.

mod server;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::DateTime;
use eventing::backup::{Stop, copy_log};
use eventing::merkle::verify_consistency;
use eventing::notes::{Checkpoint, SignedCheckpoint, SigningKey};
use eventing::sealer::{LostHistory, SealError, Sealer, SealerSettings, refuse_lost_history};
use eventing::testing::event_log::{an_append, new_stream};
use eventing::testing::{LogUnderTest, TempDir};
use eventing::{
    EventLog, ExpectedVersion, Keys, LogConfig, MasterKey, Position, PostgresConfig, StoreCheckpointError,
    TreeError, failpoints,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Longer than any wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A log with its keys, each where another process would find it.
struct World {
    test: LogUnderTest,
    keys: Keys,
    _dir: TempDir,
}

fn master() -> MasterKey {
    MasterKey::from_hex(&"5a".repeat(32)).expect("a key")
}

async fn in_files() -> World {
    let dir = TempDir::new();
    let keys = Keys::open(dir.path(), master()).await.expect("the keys open");
    let test = LogUnderTest::sqlite().await;
    World {
        test,
        keys,
        _dir: dir,
    }
}

async fn in_a_database() -> World {
    let url = server::SERVER.new_database().expect("a database");
    let test = LogUnderTest::postgres(&url).await;
    let config = PostgresConfig::parse(&url).expect("a URL");
    let keys = Keys::open_postgres(config, master())
        .await
        .expect("the keys open");
    let dir = TempDir::new();
    World {
        test,
        keys,
        _dir: dir,
    }
}

fn a_key() -> SigningKey {
    SigningKey::generate("test-log").expect("a key")
}

fn same(key: &SigningKey) -> SigningKey {
    SigningKey::parse(&key.text()).expect("a key")
}

impl World {
    /// A sealer in a process of its own, which signs when it is asked.
    async fn sealer(&self, key: Option<SigningKey>) -> Sealer {
        self.sealer_with(key, None).await
    }

    async fn sealer_with(&self, key: Option<SigningKey>, checkpoint_interval: Option<Duration>) -> Sealer {
        let settings = SealerSettings {
            key,
            checkpoint_interval,
        };
        Sealer::new(self.test.open_again().await, self.keys.clone(), settings)
    }

    async fn append(&self, count: usize) -> Position {
        append(&self.test.log, count).await
    }

    /// The notes of all stored checkpoints.
    async fn stored(&self) -> Vec<String> {
        let stored = self.test.log.tree().checkpoints_after(0, 10).await;
        let notes = stored.expect("a read").into_iter().map(|stored| stored.note);
        notes.collect()
    }

    async fn published(&self) -> Option<SignedCheckpoint> {
        self.keys.published_checkpoint().await.expect("an answer")
    }
}

async fn append(log: &EventLog, count: usize) -> Position {
    let append = an_append(&new_stream(), ExpectedVersion::NoStream, count);
    log.append(append).await.expect("an append").position
}

/// Makes a test of each, on files and on a database.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod files {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(super::in_files().await).await; })+
        }
        mod database {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(super::in_a_database().await).await; })+
        }
    };
}

on_both!(
    what_is_asked_for_is_signed_stored_and_remembered,
    nothing_is_signed_twice_while_the_log_stands_still,
    without_a_key_nothing_is_signed,
    a_checkpoint_that_was_stored_and_not_remembered_is_given_out_next,
    what_another_key_signed_last_is_signed_again_while_the_log_stands_still,
    keys_that_take_turns_leave_the_last_note_stored_and_remembered,
    a_retired_key_takes_no_signature_away,
    a_stored_checkpoint_that_was_changed_is_damage_and_stays,
    many_who_sign_at_once_contradict_nobody,
    the_schedule_grows_the_tree_and_signs,
    what_was_published_never_goes_back,
    a_log_that_is_shorter_than_what_was_given_out_is_noticed,
    a_log_with_another_beginning_is_noticed,
);

async fn what_is_asked_for_is_signed_stored_and_remembered(world: World) {
    let key = a_key();
    let sealer = world.sealer(Some(same(&key))).await;
    let position = world.append(300).await;
    let sealed = sealer.seal(position).await.expect("a checkpoint");
    assert_eq!(sealed.verify(&key.verifier()), Ok(()));
    assert_eq!(sealed.checkpoint().size(), 300);
    let root = sealer.tree().root(300).await.expect("a root");
    assert_eq!(sealed.checkpoint().root(), root.0);
    let stored = sealer.tree().latest_checkpoint().await.expect("a read");
    assert_eq!(stored.expect("it is stored").note, sealed.to_string());
    assert_eq!(world.published().await, Some(sealed));
    let status = sealer.status().await.expect("a status");
    assert_eq!(
        (status.tree_size, status.checkpoint.map(|(size, _)| size)),
        (300, Some(300))
    );
}

async fn nothing_is_signed_twice_while_the_log_stands_still(world: World) {
    let key = a_key();
    world.append(3).await;
    let first = world.sealer(Some(same(&key))).await.seal(Position(3)).await;
    let again = world.sealer(Some(same(&key))).await.seal(Position(2)).await;
    assert_eq!(again.expect("the same"), first.expect("a checkpoint"));
    world.append(1).await;
    let sealer = world.sealer(Some(key)).await;
    let covers = async |position| {
        sealer
            .seal(Position(position))
            .await
            .expect("a checkpoint")
            .checkpoint()
            .size()
    };
    assert_eq!((covers(3).await, covers(4).await), (3, 4));
    let beyond = sealer.seal(Position(5)).await.expect_err("there are four");
    assert!(
        matches!(beyond, SealError::Tree(TreeError::Beyond { asked: 5, size: 4 })),
        "{beyond}"
    );
}

async fn without_a_key_nothing_is_signed(world: World) {
    let position = world.append(3).await;
    let sealer = world.sealer(None).await;
    assert!(matches!(sealer.seal(position).await, Err(SealError::NoKey)));
    assert!(sealer.verifier().is_none());
    sealer.tree().extend_to(3).await.expect("the tree grows");
    sealer.tree().inclusion(Position(2), 3).await.expect("a proof");
    assert_eq!(world.published().await, None);
}

/// The process died between the two: nobody has seen the checkpoint, and it counts all the same.
async fn a_checkpoint_that_was_stored_and_not_remembered_is_given_out_next(world: World) {
    let key = a_key();
    let position = world.append(3).await;
    let tree = world.test.log.tree();
    tree.extend_to(3).await.expect("it grows");
    let root = tree.root(3).await.expect("a root");
    let signed = Checkpoint::new(key.name(), 3, root.0).and_then(|checkpoint| checkpoint.sign(&key));
    let signed = signed.expect("signed");
    let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
    tree.store_checkpoint(&signed, now).await.expect("it fits");
    let sealed = world.sealer(Some(key)).await.seal(position).await;
    assert_eq!(sealed.expect("the stored one"), signed);
    assert_eq!(world.published().await, Some(signed));
}

async fn what_another_key_signed_last_is_signed_again_while_the_log_stands_still(world: World) {
    let (before, now) = (a_key(), a_key());
    let position = world.append(300).await;
    let first = world.sealer(Some(before)).await.seal(position).await;
    let first = first.expect("a checkpoint");
    let sealer = world.sealer(Some(same(&now))).await;
    let again = sealer.seal(position).await.expect("the same, signed again");
    assert_eq!(again.verify(&now.verifier()), Ok(()));
    assert_eq!(again.checkpoint(), first.checkpoint());
    assert_eq!(world.stored().await, [again.to_string()]);
    assert_eq!(world.published().await, Some(again.clone()));
    assert_eq!(sealer.seal(position).await.expect("no third one"), again);
    let position = world.append(1).await;
    let next = sealer.seal(position).await.expect("the log has moved");
    assert_eq!(world.stored().await, [again.to_string(), next.to_string()]);
    assert_eq!(world.published().await, Some(next));
}

async fn keys_that_take_turns_leave_the_last_note_stored_and_remembered(world: World) {
    let position = world.append(3).await;
    let one = world.sealer(Some(a_key())).await;
    let other = world.sealer(Some(a_key())).await;
    for sealer in [&one, &other, &one, &other, &other] {
        let sealed = sealer.seal(position).await.expect("a checkpoint");
        let key = sealer.verifier().expect("a key");
        assert_eq!(sealed.verify(&key), Ok(()));
        assert_eq!(world.stored().await, [sealed.to_string()]);
        assert_eq!(world.published().await, Some(sealed));
    }
}

async fn a_retired_key_takes_no_signature_away(world: World) {
    let (before, now) = (a_key(), a_key());
    let position = world.append(3).await;
    let running = world.sealer(Some(same(&before))).await;
    running.seal(position).await.expect("a checkpoint");
    let retired = world.keys.retire_audit_key(&before.verifier()).await;
    retired.expect("it is remembered");
    let sealed = world.sealer(Some(now)).await.seal(position).await;
    let sealed = sealed.expect("a checkpoint");
    let refused = running.seal(position).await.expect_err("its key is retired");
    assert!(matches!(refused, SealError::Retired(_)), "{refused}");
    assert_eq!(world.stored().await, [sealed.to_string()]);
    assert_eq!(world.published().await, Some(sealed));
}

async fn a_stored_checkpoint_that_was_changed_is_damage_and_stays(world: World) {
    let position = world.append(3).await;
    let sealer = world.sealer(Some(a_key())).await;
    let sealed = sealer.seal(position).await.expect("a checkpoint").to_string();
    let changed = with_another_signature(&sealed);
    let of_another_size = sealed.replace("\n3\n", "\n2\n");
    for note in [changed, of_another_size] {
        let sql = format!("UPDATE signed_checkpoints SET note = '{note}'");
        world.test.tamper(&sql, &[]).await;
        let others = world.sealer(Some(a_key())).await;
        let sealers = match note.contains("\n3\n") {
            true => vec![&sealer],
            false => vec![&sealer, &others],
        };
        for sealer in sealers {
            let refused = sealer.seal(position).await.expect_err("it is damaged");
            assert!(refused.is_damage(), "{refused}");
            assert_eq!(world.stored().await, std::slice::from_ref(&note));
        }
    }
}

/// The note with one digit of its signature changed.
fn with_another_signature(note: &str) -> String {
    let (before, last) = note.split_at(note.len() - 10);
    let digit = if last.starts_with('A') { "B" } else { "A" };
    format!("{before}{digit}{}", &last[1..])
}

async fn many_who_sign_at_once_contradict_nobody(world: World) {
    let key = a_key();
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let (sealer, log) = (
            world.sealer(Some(same(&key))).await,
            world.test.open_again().await,
        );
        tasks.spawn(async move {
            let mut sealed = Vec::new();
            for _ in 0..8 {
                let position = append(&log, 20).await;
                let checkpoint = sealer.seal(position).await.expect("a checkpoint");
                assert!(checkpoint.checkpoint().size() >= position.0);
                sealed.push(checkpoint);
            }
            sealed
        });
    }
    let mut sealed: Vec<SignedCheckpoint> = tasks.join_all().await.into_iter().flatten().collect();
    sealed.sort_by_key(|sealed| sealed.checkpoint().size());
    let tree = world.test.log.tree();
    for pair in sealed.windows(2) {
        let (old, new) = (pair[0].checkpoint(), pair[1].checkpoint());
        let proof = tree.consistency(old.size(), new.size()).await.expect("a proof");
        let roots = (old.root().into(), new.root().into());
        assert_eq!(
            verify_consistency(old.size(), new.size(), &roots.0, &roots.1, &proof.hashes),
            Ok(())
        );
    }
    let stored = tree.checkpoints_after(0, 1_000).await.expect("all of them");
    let is_stored = |note: String| stored.iter().any(|stored| stored.note == note);
    assert!(
        sealed.iter().all(|sealed| is_stored(sealed.to_string())),
        "what was given out is kept"
    );
    let last = stored.last().map(|stored| stored.note.clone());
    assert_eq!(
        world.published().await.map(|published| published.to_string()),
        last
    );
}

async fn the_schedule_grows_the_tree_and_signs(world: World) {
    let sealer = world
        .sealer_with(Some(a_key()), Some(Duration::from_millis(10)))
        .await;
    let stopping = CancellationToken::new();
    let running = tokio::spawn(sealer.clone().run(stopping.clone()));
    for appends in [5, 1] {
        for _ in 0..appends {
            world.append(1_000).await;
        }
        let head = world.test.log.head().await.expect("the head").0;
        let sealed = async {
            while sealer
                .status()
                .await
                .expect("a status")
                .checkpoint
                .is_none_or(|(size, _)| size < head)
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, sealed)
            .await
            .expect("it is sealed");
        assert_eq!(sealer.status().await.expect("a status").tree_size, head);
    }
    stopping.cancel();
    running.await.expect("it ends in order");
    assert_eq!(sealer.status().await.expect("a status").problem, None);
}

async fn what_was_published_never_goes_back(world: World) {
    let key = a_key();
    let at = |size| {
        Checkpoint::new(key.name(), size, [7; 32])
            .and_then(|checkpoint| checkpoint.sign(&key))
            .expect("signed")
    };
    let publish = async |size| {
        world
            .keys
            .publish_checkpoint(&at(size))
            .await
            .expect("it is remembered")
    };
    assert_eq!(world.published().await, None);
    publish(5).await;
    publish(9).await;
    publish(7).await;
    assert_eq!(world.published().await, Some(at(9)));
    world
        .keys
        .forget_published_checkpoint()
        .await
        .expect("it is forgotten");
    assert_eq!(world.published().await, None);
    publish(7).await;
    assert_eq!(world.published().await, Some(at(7)));
}

async fn a_log_that_is_shorter_than_what_was_given_out_is_noticed(world: World) {
    refuse_lost_history(&world.test.log, &world.keys)
        .await
        .expect("nothing was given out");
    let position = world.append(300).await;
    world
        .sealer(Some(a_key()))
        .await
        .seal(position)
        .await
        .expect("a checkpoint");
    world.append(20).await;
    refuse_lost_history(&world.test.log, &world.keys)
        .await
        .expect("it has grown");
    world
        .test
        .tamper("DELETE FROM events WHERE position > 280", &[])
        .await;
    world.test.tamper("UPDATE log_head SET position = 280", &[]).await;
    let log = world.test.open_again().await;
    let lost = refuse_lost_history(&log, &world.keys)
        .await
        .expect_err("twenty are lost");
    assert!(
        matches!(
            lost,
            LostHistory::Shorter {
                head: 280,
                published: 300
            }
        ),
        "{lost}"
    );
    assert!(
        lost.to_string().contains("280") && lost.to_string().contains("300"),
        "{lost}"
    );
    world
        .keys
        .forget_published_checkpoint()
        .await
        .expect("a person takes it as it is");
    refuse_lost_history(&log, &world.keys)
        .await
        .expect("nothing was given out");
}

/// The log was put back, and went on before anybody looked: it is long enough again, and not the same.
async fn a_log_with_another_beginning_is_noticed(world: World) {
    let elsewhere = LogUnderTest::sqlite().await;
    append(&elsewhere.log, 3).await;
    let (key, other) = (
        a_key(),
        Sealer::new(
            elsewhere.log.clone(),
            world.keys.clone(),
            SealerSettings {
                key: Some(a_key()),
                checkpoint_interval: None,
            },
        ),
    );
    other
        .seal(Position(3))
        .await
        .expect("a checkpoint of another log");
    let position = world.append(5).await;
    let lost = refuse_lost_history(&world.test.log, &world.keys)
        .await
        .expect_err("it is another one");
    assert!(
        matches!(
            lost,
            LostHistory::Other {
                head: 5,
                published: 3
            }
        ),
        "{lost}"
    );
    let sealer = world.sealer(Some(key)).await;
    let refused = sealer.seal(position).await.expect_err("it would contradict");
    assert!(
        matches!(refused, SealError::Lost(LostHistory::Other { .. })) && refused.is_damage(),
        "{refused}"
    );
    // Signing goes on where a person wants it to.
    let forgotten = world.keys.forget_published_checkpoint().await;
    forgotten.expect("the keys are there");
    sealer.seal(position).await.expect("a checkpoint");
}

/// Tells the child where its log is; without it the child has nothing to do.
const DIR: &str = "SEGUE_SEAL_TEST_DIR";

async fn open_in(dir: &Path) -> (EventLog, Keys) {
    let log = EventLog::open(LogConfig::new(dir)).await.expect("the log opens");
    (log, Keys::open(dir, master()).await.expect("the keys open"))
}

fn sealer_in(dir: &Path, log: &EventLog, keys: &Keys) -> Sealer {
    let settings = SealerSettings {
        key: Some(SigningKey::load_or_create(dir).expect("a key")),
        checkpoint_interval: None,
    };
    Sealer::new(log.clone(), keys.clone(), settings)
}

/// Not a test of its own: the process that [`a_checkpoint_is_stored_before_it_is_remembered_and_remembered_before_it_is_given_out`]
/// lets die.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let (log, keys) = open_in(dir).await;
    let sealed = sealer_in(dir, &log, &keys)
        .seal(Position(3))
        .await
        .expect("a checkpoint");
    std::fs::write(dir.join("given-out"), sealed.to_string()).expect("it is given out");
}

fn run_child_until_it_dies_at(failpoint: &str, dir: &Path) {
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--test-threads=1"])
        .env(DIR, dir)
        .env(failpoints::VARIABLE, failpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the child runs");
    assert!(!status.success(), "{failpoint} was not hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_stored_before_it_is_remembered_and_remembered_before_it_is_given_out() {
    for (failpoint, is_stored, is_remembered) in [
        ("seal.before_store", false, false),
        ("seal.after_store", true, false),
        ("seal.after_publish", true, true),
    ] {
        let dir = TempDir::new();
        let (log, keys) = open_in(dir.path()).await;
        append(&log, 3).await;
        drop((log, keys));
        run_child_until_it_dies_at(failpoint, dir.path());
        assert!(!dir.path().join("given-out").exists(), "{failpoint}");
        let (log, keys) = open_in(dir.path()).await;
        let stored = log.tree().latest_checkpoint().await.expect("a read");
        assert_eq!(stored.is_some(), is_stored, "{failpoint}");
        let remembered = keys.published_checkpoint().await.expect("an answer");
        assert_eq!(remembered.is_some(), is_remembered, "{failpoint}");
        refuse_lost_history(&log, &keys).await.expect("nothing is lost");
        let sealed = sealer_in(dir.path(), &log, &keys)
            .seal(Position(3))
            .await
            .expect("it goes on");
        if let Some(stored) = stored {
            assert_eq!(sealed.to_string(), stored.note, "{failpoint}");
        }
        assert_eq!(
            keys.published_checkpoint().await.expect("an answer"),
            Some(sealed)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_put_back_takes_its_own_checkpoints_with_it_and_is_noticed() {
    let (dir, backup) = (TempDir::new(), TempDir::new());
    let open = async |dir: &TempDir| {
        EventLog::open(LogConfig::new(dir.path()))
            .await
            .expect("the log opens")
    };
    let keys = Keys::open(dir.path(), master()).await.expect("the keys open");
    let key = a_key();
    let sealer = |log: &EventLog| {
        let settings = SealerSettings {
            key: Some(same(&key)),
            checkpoint_interval: None,
        };
        Sealer::new(log.clone(), keys.clone(), settings)
    };
    let log = open(&dir).await;
    let position = append(&log, 10).await;
    sealer(&log).seal(position).await.expect("a checkpoint");
    copy_log(dir.path(), &backup.path().join("log.db"), &Stop::default()).expect("a copy of the log");
    let position = append(&log, 10).await;
    let given_out = sealer(&log).seal(position).await.expect("a checkpoint");
    drop(log);
    let log = open(&backup).await;
    let lost = refuse_lost_history(&log, &keys).await.expect_err("ten are lost");
    assert!(
        matches!(
            lost,
            LostHistory::Shorter {
                head: 10,
                published: 20
            }
        ),
        "{lost}"
    );
    // Nothing is signed, although it would be consistent with what the backup knows.
    let position = append(&log, 20).await;
    let refused = sealer(&log)
        .seal(position)
        .await
        .expect_err("it would contradict");
    assert!(matches!(refused, SealError::Lost(_)), "{refused}");
    // Where a person lets it, what is signed now and what was given out are told apart by anybody who has both.
    let forgotten = keys.forget_published_checkpoint().await;
    forgotten.expect("the keys are there");
    let forked = sealer(&log).seal(position).await.expect("a checkpoint");
    let proof = log.tree().consistency(20, 30).await.expect("a proof");
    let (old, new) = (
        given_out.checkpoint().root().into(),
        forked.checkpoint().root().into(),
    );
    assert!(verify_consistency(20, 30, &old, &new, &proof.hashes).is_err());
    let refused = log
        .tree()
        .store_checkpoint(&given_out, DateTime::UNIX_EPOCH)
        .await;
    assert!(matches!(
        refused,
        Err(StoreCheckpointError::OtherRoot { size: 20 })
    ));
}
