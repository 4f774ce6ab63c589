//! The log in PostgreSQL, on a private server.

mod behind;
#[path = "../server/mod.rs"]
mod server;

use std::time::Duration;

use eventing::testing::LogUnderTest;
use server::SERVER;

async fn fresh() -> LogUnderTest {
    let url = SERVER.new_database().expect("a database");
    LogUnderTest::postgres(&url).await
}

eventing::event_log_contract!(contract, crate::fresh);
eventing::log_search_contract!(search, crate::fresh);
eventing::tree_contract!(tree, crate::fresh);

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

/// Holds the log's lock in a session of its own, with a record inserted and not committed, until it is dropped. The log holds one
/// record.
fn hold(url: &str) -> Held {
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(x'53656775654C6F67'::bigint)";
    let insert = "INSERT INTO segue.streams VALUES (2, 'test-held', 1, 2);
        INSERT INTO segue.events SELECT 2, 2, 1, type, gen_random_uuid(), leaf_hash, record FROM segue.events WHERE position = 1";
    let mut held = Held::start(url);
    held.say(&format!("{lock}; {insert};"));
    std::thread::sleep(Duration::from_millis(500));
    held
}

/// A session of a program of its own, which ends with its value, and with it its transaction.
struct Held {
    psql: std::process::Child,
    stdin: std::process::ChildStdin,
}

impl Held {
    fn start(url: &str) -> Self {
        use std::process::{Command, Stdio};
        let mut psql = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("psql starts");
        let stdin = psql.stdin.take().expect("its input");
        Self { psql, stdin }
    }

    fn say(&mut self, sql: &str) {
        use std::io::Write;
        writeln!(self.stdin, "{sql}").expect("it takes it");
        self.stdin.flush().expect("it takes it");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}

mod faults {
    use std::time::Duration;

    use eventing::testing::LogUnderTest;
    use eventing::testing::event_log::{an_append, new_stream};
    use eventing::{Append, AppendError, EventLog, ExpectedVersion, Position, PostgresConfig, Version};
    use servers::{Postgres, Proxy, Trouble};

    use crate::server::SERVER;

    fn append() -> Append {
        an_append(&new_stream(), ExpectedVersion::NoStream, 1)
    }

    /// A log behind a proxy, and the same log straight.
    async fn behind_proxy() -> (Proxy, EventLog, LogUnderTest) {
        behind_proxy_to(&SERVER.new_database().expect("a database")).await
    }

    /// The same in the empty database at `url`.
    pub(super) async fn behind_proxy_to(url: &str) -> (Proxy, EventLog, LogUnderTest) {
        let straight = LogUnderTest::postgres(url).await;
        let proxy = Proxy::start(SERVER.port()).await.expect("a proxy");
        let url = url.replace(&format!(":{}/", SERVER.port()), &format!(":{}/", proxy.port()));
        let config = PostgresConfig::parse(&url).expect("a URL");
        let log = EventLog::open_postgres(config).await.expect("the log opens");
        (proxy, log, straight)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_that_was_cut_off_after_the_server_had_it_is_answered_as_done() {
        let (proxy, log, straight) = behind_proxy().await;
        log.append(append()).await.expect("an append");
        proxy.make(Trouble::ResetAfter(b"COMMIT".to_vec()));
        let appended = log.append(append()).await.expect("it happened, and is known to");
        assert_eq!(proxy.trouble(), Trouble::None, "the reset was met");
        assert_eq!(appended.position, Position(2));
        let stored = straight
            .log
            .read_after(Position::START, 10)
            .await
            .expect("a read");
        assert_eq!(stored.len(), 2, "and only once");
        assert_eq!(stored[1], appended.events[0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_that_never_reached_the_server_is_answered_as_not_done() {
        let (proxy, log, straight) = behind_proxy().await;
        let wish = append();
        proxy.make(Trouble::ResetBefore(b"COMMIT".to_vec()));
        let refused = log.append(wish.clone()).await.expect_err("it did not happen");
        assert!(matches!(refused, AppendError::Unavailable(_)), "{refused:?}");
        assert_eq!(proxy.trouble(), Trouble::None, "the reset was met");
        assert_eq!(straight.log.head().await.expect("the head"), Position::START);
        let appended = log.append(wish).await.expect("the same again");
        assert_eq!(appended.position, Position(1));
    }

    /// Each of a batch once took some seconds more, with all later appends behind it.
    #[tokio::test]
    async fn a_batch_whose_commit_stays_unknown_is_told_so_all_together() {
        let (proxy, log, straight) = behind_proxy().await;
        log.append(append()).await.expect("an append");
        proxy.make(Trouble::ResetAfter(b"COMMIT".to_vec()));
        let silence = async {
            while proxy.trouble() != Trouble::None {
                tokio::task::yield_now().await;
            }
            proxy.make(Trouble::Silence);
        };
        // In a runtime of one thread all of them are sent before the writer takes the first.
        let appending = (0..15).map(|_| log.append(append()));
        let begun = std::time::Instant::now();
        let (answers, ()) = tokio::join!(futures::future::join_all(appending), silence);
        assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
        for answer in answers {
            assert!(
                matches!(answer, Err(AppendError::OutcomeUnknown(_))),
                "{answer:?}"
            );
        }
        assert_eq!(straight.log.head().await.expect("the head"), Position(16));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_that_is_away_is_told_in_time_and_comes_back_by_itself() {
        let (proxy, log, _straight) = behind_proxy().await;
        log.append(append()).await.expect("an append");
        proxy.make(Trouble::Refuse);
        let limit = Duration::from_secs(30);
        let refused = tokio::time::timeout(limit, log.append(append())).await;
        let refused = refused.expect("it does not hang").expect_err("it cannot");
        assert!(matches!(refused, AppendError::Unavailable(_)), "{refused:?}");
        assert!(log.head().await.is_err(), "nor can it be read");
        proxy.make(Trouble::None);
        let appended = log.append(append()).await.expect("it is back");
        assert_eq!(appended.position, Position(2));
        assert_eq!(log.head().await.expect("the head"), Position(2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_that_says_nothing_does_not_hang_those_who_ask_it() {
        let (proxy, log, straight) = behind_proxy().await;
        proxy.make(Trouble::Silence);
        let wish = append();
        let limit = Duration::from_secs(60);
        let answer = tokio::time::timeout(limit, log.append(wish.clone())).await;
        assert!(answer.expect("it does not hang").is_err());
        proxy.make(Trouble::None);
        log.append(wish).await.expect("the same again");
        assert_eq!(straight.log.head().await.expect("the head"), Position(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whatever_was_acknowledged_survives_a_killed_server() {
        let mut server = Postgres::start().await.expect("PostgreSQL starts");
        let url = server.new_database().expect("a database");
        let under_test = LogUnderTest::postgres(&url).await;
        let callers: Vec<_> = (0..8)
            .map(|_| tokio::spawn(append_until_refused(under_test.log.clone())))
            .collect();
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.kill();
        let mut acknowledged = Vec::new();
        for caller in callers {
            acknowledged.extend(caller.await.expect("no panic"));
        }
        server.restart().await.expect("it starts again");
        assert!(
            acknowledged.len() > 100,
            "{} were acknowledged",
            acknowledged.len()
        );
        let stored = read_all(&under_test.open_again().await).await;
        for (position, event) in (1..).zip(&stored) {
            assert_eq!(event.position, Position(position), "gapless");
        }
        for event in &acknowledged {
            assert_eq!(stored.get(event.position.0 as usize - 1), Some(event));
        }
        under_test
            .log
            .append(append())
            .await
            .expect("the old handle goes on");
    }

    /// Appends as long as it goes, and gives what was acknowledged.
    async fn append_until_refused(log: EventLog) -> Vec<eventing::RecordedEvent> {
        let mut acknowledged = Vec::new();
        while let Ok(appended) = log.append(append()).await {
            acknowledged.extend(appended.events);
        }
        acknowledged
    }

    async fn read_all(log: &EventLog) -> Vec<eventing::RecordedEvent> {
        let mut events = Vec::new();
        loop {
            let after = Position(events.len() as u64);
            let page = log.read_after(after, 1_000).await.expect("a page");
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }

    /// Says in which database the child races; without it the child has nothing to do.
    const RACE: &str = "SEGUE_RACE_URL";
    const STREAMS: u128 = 20;
    const ROUNDS: u64 = 30;

    /// Not a test of its own: one of the processes of the race below.
    #[tokio::test(flavor = "multi_thread")]
    async fn racer() {
        let Ok(url) = std::env::var(RACE) else { return };
        let config = PostgresConfig::parse(&url).expect("a URL");
        let log = EventLog::open_postgres(config).await.expect("the log opens");
        let mut won = 0;
        for round in 0..ROUNDS {
            let racing = (0..STREAMS).map(|number| {
                let stream = eventing::StreamId::new("race", uuid::Uuid::from_u128(number));
                let wish = an_append(&stream, ExpectedVersion::at(Version(round)), 1);
                let log = log.clone();
                async move { compete(&log, wish).await }
            });
            won += futures::future::join_all(racing)
                .await
                .into_iter()
                .filter(|won| *won)
                .count();
        }
        let place = std::env::var("SEGUE_RACE_OUT").expect("a place for the result");
        std::fs::write(place, won.to_string()).expect("it is written");
    }

    /// Appends, or waits until the other one has.
    async fn compete(log: &EventLog, wish: Append) -> bool {
        match log.append(wish).await {
            Ok(_) => true,
            Err(AppendError::VersionConflict { .. }) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_processes_race_and_every_version_has_one_winner() {
        let url = SERVER.new_database().expect("a database");
        let under_test = LogUnderTest::postgres(&url).await;
        let dir = eventing::testing::TempDir::new();
        let racers = ["one", "two"].map(|name| {
            let out = dir.path().join(name);
            let process = std::process::Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "faults::racer", "--test-threads=1"])
                .env(RACE, &url)
                .env("SEGUE_RACE_OUT", &out)
                .stdout(std::process::Stdio::null())
                .spawn()
                .expect("it starts");
            (process, out)
        });
        let mut won = Vec::new();
        for (mut process, out) in racers {
            assert!(process.wait().expect("it ends").success());
            let text = std::fs::read_to_string(out).expect("a result");
            won.push(text.parse::<u64>().expect("a number"));
        }
        let wishes = ROUNDS * u64::try_from(STREAMS).expect("a small number");
        assert_eq!(
            won.iter().sum::<u64>(),
            wishes,
            "each version was won once: {won:?}"
        );
        let stored = read_all(&under_test.log).await;
        assert_eq!(stored.len() as u64, wishes);
        for number in 0..STREAMS {
            let stream = eventing::StreamId::new("race", uuid::Uuid::from_u128(number));
            let versions: Vec<_> = stored
                .iter()
                .filter(|event| event.stream == stream)
                .map(|event| event.version.0)
                .collect();
            assert_eq!(versions, (1..=ROUNDS).collect::<Vec<_>>(), "dense, in order");
        }
    }
}

mod opening {
    use eventing::{EventLog, PostgresConfig, migrate};

    use crate::server::SERVER;

    async fn refusal(url: &str) -> String {
        let config = PostgresConfig::parse(url).expect("a URL");
        let refused = EventLog::open_postgres(config).await.expect_err("it is refused");
        let text = format!("{refused}");
        assert!(text.starts_with("DATABASE_URL "), "{text}");
        assert!(
            !format!("{refused:?}").contains("private"),
            "no password: {refused:?}"
        );
        text
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_is_migrated_once_and_again_without_effect() {
        let url = SERVER.new_database().expect("a database");
        assert!(refusal(&url).await.contains("run `segue migrate`"));
        let config = PostgresConfig::parse(&url).expect("a URL");
        let (first, second) = tokio::join!(migrate(&config), migrate(&config));
        let mut applied = [
            first.expect("one migrates").applied,
            second.expect("the other waits").applied,
        ];
        applied.sort();
        assert_eq!(applied, [vec![], vec![1, 2, 3, 4, 5, 6, 7]]);
        EventLog::open_postgres(config).await.expect("it opens now");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_database_of_a_newer_program_is_refused_by_both() {
        let url = SERVER.new_database().expect("a database");
        let config = PostgresConfig::parse(&url).expect("a URL");
        migrate(&config).await.expect("it is migrated");
        let database = url.rsplit('/').next().expect("a name");
        SERVER
            .psql(database, "INSERT INTO segue.migrations (number) VALUES (999)")
            .expect("it is newer now");
        assert!(refusal(&url).await.contains("newer program"));
        let refused = migrate(&config).await.expect_err("it is refused");
        assert!(refused.to_string().contains("newer program"), "{refused}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_wrong_with_a_database_is_told_with_what_helps() {
        let url = SERVER.url("postgres");
        let wrong_password = url.replace(":private@", ":guess-private@");
        assert!(refusal(&wrong_password).await.contains("user or password"));
        assert!(refusal(&SERVER.url("nowhere")).await.contains("no such database"));
        let port = servers::ports::free_port().expect("a port");
        let nobody = url.replace(&format!(":{}/", SERVER.port()), &format!(":{port}/"));
        assert!(refusal(&nobody).await.contains("cannot be reached"));
        let no_url = PostgresConfig::parse("my-private-database").expect_err("it is none");
        assert!(no_url.to_string().contains("is no URL"), "{no_url}");
        assert!(!no_url.to_string().contains("private"), "{no_url}");
    }
}

mod relays {
    use std::time::Duration;

    use eventing::bus::{Bus, Topology};
    use eventing::relay::{Relay, RelayRole, RelayStart, RelayStatus};
    use eventing::testing::LogUnderTest;
    use eventing::testing::event_log::{an_append, new_stream};
    use eventing::{EventLog, ExpectedVersion, Position};
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use crate::server::SERVER;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn start(log: EventLog, stop: &CancellationToken) -> watch::Receiver<RelayStatus> {
        let bus = Bus::in_process();
        let topology = Topology::by_tag(|_| Some("all"), &["all"]);
        bus.declare(&topology).await.expect("declared");
        let relay = Relay::new(log, bus, RelayStart::Noted);
        let status = relay.status();
        tokio::spawn(relay.run(stop.clone()));
        status
    }

    async fn until(status: &mut watch::Receiver<RelayStatus>, holds: impl FnMut(&RelayStatus) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, status.wait_for(holds)).await;
        let in_time = waited.is_ok();
        drop(waited);
        assert!(in_time, "{:?}", status.borrow());
    }

    /// The test of a relay that was paused, replaced and resumed, without waiting for the server to end its session.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_relay_that_loses_its_session_stops_until_it_has_the_lock_again() {
        let url = SERVER.new_database().expect("a database");
        let test = LogUnderTest::postgres(&url).await;
        let stop = CancellationToken::new();
        let mut one = start(test.log.clone(), &stop).await;
        until(&mut one, |status| status.role == RelayRole::Leading).await;
        let mut two = start(test.open_again().await, &stop).await;
        let append = || an_append(&new_stream(), ExpectedVersion::NoStream, 10);
        test.log.append(append()).await.expect("an append");
        until(&mut one, |status| status.published == Position(10)).await;
        until(&mut two, |status| status.published == Position(10)).await;
        assert_eq!(two.borrow().role, RelayRole::Standby);

        let database = url.rsplit('/').next().expect("a name");
        let ended =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert_eq!(SERVER.psql(database, ended).expect("it answers"), "1");
        until(&mut one, |status| status.role == RelayRole::Standby).await;
        test.log.append(append()).await.expect("an append");
        until(&mut one, |status| status.published == Position(20)).await;
        until(&mut two, |status| status.published == Position(20)).await;
        let roles = [one.borrow().role, two.borrow().role];
        let leading = roles.iter().filter(|role| **role == RelayRole::Leading).count();
        assert_eq!(leading, 1, "{roles:?}");
        assert_eq!(
            test.log.checkpoint("relay").await.expect("a read"),
            Some(Position(20))
        );
        stop.cancel();
    }
}
