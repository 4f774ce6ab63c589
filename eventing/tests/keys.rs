//! Subject keys: sealing, forgetting, and what other processes notice.

mod server;

use std::time::Duration;

use eventing::keys::RECHECK_AFTER;
use eventing::notes::SigningKey;
use eventing::testing::TempDir;
use eventing::{EventId, KeyError, Keys, MasterKey, Payload, PostgresConfig, SubjectId, migrate};

const CONTEXT: &[u8] = b"a place";
const TEXT: &[u8] = br#"{"said":"something"}"#;

fn someone() -> SubjectId {
    SubjectId(EventId::new().0)
}

fn master() -> MasterKey {
    MasterKey::from_hex(&"5a".repeat(32)).expect("a key")
}

/// Where keys lie.
enum Place {
    Folder(TempDir),
    Database(Box<PostgresConfig>),
}

/// Gives a place without keys.
type Fresh = fn() -> Place;

fn folder() -> Place {
    Place::Folder(TempDir::new())
}

fn database() -> Place {
    let url = server::SERVER.new_database().expect("a database");
    Place::Database(Box::new(PostgresConfig::parse(&url).expect("a URL")))
}

impl Place {
    async fn open(&self, master: MasterKey) -> Result<Keys, KeyError> {
        match self {
            Self::Folder(dir) => Keys::open(dir.path(), master).await,
            Self::Database(config) => {
                migrate(config).await.expect("the database is made ready");
                Keys::open_postgres(*config.clone(), master).await
            }
        }
    }
}

async fn open(place: &Place) -> Keys {
    place.open(master()).await.expect("the keys open")
}

macro_rules! wherever_they_lie {
    ($($test:ident),+ $(,)?) => {
        mod in_a_file {
            $(#[tokio::test] async fn $test() { super::$test(super::folder).await; })+
        }
        mod in_postgres {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::database).await; })+
        }
    };
}

wherever_they_lie! {
    what_was_sealed_opens_in_another_process,
    a_key_that_was_made_twice_is_the_same,
    a_destroyed_key_is_gone_for_good,
    a_key_that_is_merely_missing_is_not_taken_for_an_erasure,
    another_process_notices_a_destroyed_key_in_time,
    whoever_hears_of_an_erasure_first_can_forget_at_once,
    another_master_key_is_refused,
    the_same_name_hashes_alike_here_and_differently_elsewhere,
    a_retired_audit_key_is_remembered_once_in_its_order_and_by_everybody,
}

async fn what_was_sealed_opens_in_another_process(fresh: Fresh) {
    let dir = fresh();
    let (keys, subject) = (open(&dir).await, someone());
    keys.create(subject).await.expect("a key");
    let sealed = keys.seal(subject, CONTEXT, TEXT).await.expect("it is sealed");
    let opened = open(&dir)
        .await
        .open_sealed(subject, CONTEXT, &sealed)
        .await
        .expect("it opens");
    assert_eq!(opened, Payload::Open(TEXT.into()));
}

async fn a_key_that_was_made_twice_is_the_same(fresh: Fresh) {
    let dir = fresh();
    let (keys, subject) = (open(&dir).await, someone());
    keys.create(subject).await.expect("a key");
    let sealed = keys.seal(subject, CONTEXT, TEXT).await.expect("it is sealed");
    open(&dir).await.create(subject).await.expect("it exists");
    keys.forget_cached(subject);
    assert!(matches!(
        keys.open_sealed(subject, CONTEXT, &sealed).await,
        Ok(Payload::Open(_))
    ));
}

async fn a_destroyed_key_is_gone_for_good(fresh: Fresh) {
    let dir = fresh();
    let (keys, subject) = (open(&dir).await, someone());
    keys.create(subject).await.expect("a key");
    let sealed = keys.seal(subject, CONTEXT, TEXT).await.expect("it is sealed");
    keys.destroy(subject).await.expect("it is destroyed");
    keys.destroy(subject).await.expect("destroying it again is fine");
    for keys in [keys, open(&dir).await] {
        let opened = keys
            .open_sealed(subject, CONTEXT, &sealed)
            .await
            .expect("an answer");
        assert_eq!(opened, Payload::Erased);
        assert!(matches!(
            keys.seal(subject, CONTEXT, TEXT).await,
            Err(KeyError::Destroyed(_))
        ));
        assert!(matches!(keys.create(subject).await, Err(KeyError::Destroyed(_))));
    }
}

/// A lost or foreign file of keys must not look like a world in which everybody was erased.
async fn a_key_that_is_merely_missing_is_not_taken_for_an_erasure(fresh: Fresh) {
    let dir = fresh();
    let (keys, subject) = (open(&dir).await, someone());
    keys.create(subject).await.expect("a key");
    let sealed = keys.seal(subject, CONTEXT, TEXT).await.expect("it is sealed");
    let elsewhere = open(&fresh()).await;
    assert!(matches!(
        elsewhere.open_sealed(subject, CONTEXT, &sealed).await,
        Err(KeyError::Missing(_))
    ));
}

async fn another_process_notices_a_destroyed_key_in_time(fresh: Fresh) {
    let dir = fresh();
    let (here, there, subject) = (open(&dir).await, open(&dir).await, someone());
    here.create(subject).await.expect("a key");
    let sealed = here.seal(subject, CONTEXT, TEXT).await.expect("it is sealed");
    assert!(matches!(
        there.open_sealed(subject, CONTEXT, &sealed).await,
        Ok(Payload::Open(_))
    ));
    here.destroy(subject).await.expect("it is destroyed");
    tokio::time::sleep(RECHECK_AFTER + Duration::from_millis(50)).await;
    assert!(matches!(
        there.open_sealed(subject, CONTEXT, &sealed).await,
        Ok(Payload::Erased)
    ));
}

async fn whoever_hears_of_an_erasure_first_can_forget_at_once(fresh: Fresh) {
    let dir = fresh();
    let (here, there, subject) = (open(&dir).await, open(&dir).await, someone());
    here.create(subject).await.expect("a key");
    let sealed = here.seal(subject, CONTEXT, TEXT).await.expect("it is sealed");
    assert!(matches!(
        there.open_sealed(subject, CONTEXT, &sealed).await,
        Ok(Payload::Open(_))
    ));
    here.destroy(subject).await.expect("it is destroyed");
    there.forget_cached(subject);
    assert!(matches!(
        there.open_sealed(subject, CONTEXT, &sealed).await,
        Ok(Payload::Erased)
    ));
}

async fn another_master_key_is_refused(fresh: Fresh) {
    let dir = fresh();
    drop(open(&dir).await);
    let refused = dir.open(MasterKey::random()).await;
    assert!(matches!(refused, Err(KeyError::WrongMasterKey)));
    open(&dir).await;
}

async fn the_same_name_hashes_alike_here_and_differently_elsewhere(fresh: Fresh) {
    let (dir, other) = (fresh(), fresh());
    let hash = open(&dir).await.hmac("username", b"ann");
    assert_eq!(open(&dir).await.hmac("username", b"ann"), hash);
    assert_ne!(open(&dir).await.hmac("fingerprint", b"ann"), hash);
    assert_ne!(open(&dir).await.hmac("usernam", b"eann"), hash);
    assert_ne!(open(&other).await.hmac("username", b"ann"), hash);
}

async fn a_retired_audit_key_is_remembered_once_in_its_order_and_by_everybody(fresh: Fresh) {
    let (place, other) = (fresh(), fresh());
    let (here, there) = (open(&place).await, open(&place).await);
    assert_eq!(here.retired_audit_keys().await.expect("an answer"), []);
    let [first, second] = [(); 2].map(|()| SigningKey::generate("some-log").expect("a key").verifier());
    for key in [&first, &second, &first] {
        here.retire_audit_key(key).await.expect("it is remembered");
    }
    let later = open(&place).await;
    for keys in [here, there, later] {
        let retired = keys.retired_audit_keys().await.expect("an answer");
        assert_eq!(retired, [first.clone(), second.clone()]);
    }
    let elsewhere = open(&other).await.retired_audit_keys().await;
    assert_eq!(elsewhere.expect("an answer"), []);
}

#[tokio::test]
async fn a_destroyed_key_is_in_no_file_any_more() {
    let dir = TempDir::new();
    let (keys, subject) = (
        Keys::open(dir.path(), master()).await.expect("the keys open"),
        someone(),
    );
    keys.create(subject).await.expect("a key");
    let file = rusqlite::Connection::open(dir.path().join("keys.db")).expect("the file");
    let wrapped: Vec<u8> = file
        .query_row("SELECT wrapped FROM subject_keys", [], |row| row.get(0))
        .expect("a wrapped key");
    let is_anywhere = || {
        std::fs::read_dir(dir.path()).expect("the folder").any(|entry| {
            let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
            bytes.windows(wrapped.len()).any(|window| window == wrapped)
        })
    };
    assert!(is_anywhere());
    keys.destroy(subject).await.expect("it is destroyed");
    assert!(!is_anywhere());
}
