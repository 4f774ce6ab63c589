//! Several handles of one log: who hears of an append, whose turn it is.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{LogUnderTest, PATIENCE, append, assert_gapless, everything, new_stream};
use crate::{Duty, EventLog, Position};

async fn wait_for_head(log: &EventLog, position: Position) {
    let mut head = log.subscribe_head();
    let waited = tokio::time::timeout(PATIENCE, head.wait_for(|head| *head >= position)).await;
    waited.expect("the head comes in time").expect("the log is open");
}

/// See the name.
pub async fn the_head_wakes_whoever_waits(test: LogUnderTest) {
    let log = test.log.clone();
    let waiting = tokio::spawn(async move { wait_for_head(&log, Position(2)).await });
    append(&test.log, &new_stream(), 1).await;
    append(&test.log, &new_stream(), 1).await;
    waiting.await.expect("it woke");
}

/// See the name.
pub async fn another_handle_is_noticed_and_sees_everything(test: LogUnderTest) {
    let other = test.open_again().await;
    let appended = append(&other, &new_stream(), 3).await;
    wait_for_head(&test.log, Position(3)).await;
    assert_eq!(everything(&test.log).await, appended.events);
}

/// See the name.
pub async fn two_handles_append_to_one_order(test: LogUnderTest) {
    let other = test.open_again().await;
    let shared = new_stream();
    let mut tasks = JoinSet::new();
    for log in [test.log.clone(), other] {
        let shared = shared.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                append(&log, &shared, 1).await;
                append(&log, &new_stream(), 1).await;
            }
        });
    }
    tasks.join_all().await;
    let events = everything(&test.log).await;
    assert_gapless(&events);
    assert_eq!(events.len(), 200);
    let versions = events
        .iter()
        .filter(|event| event.stream == shared)
        .map(|event| event.version.0);
    assert!(versions.eq(1..=100));
}

/// See the name.
pub async fn one_handle_at_a_time_has_the_right_to_a_duty(test: LogUnderTest) {
    let other = test.open_again().await;
    let lock = test
        .log
        .duty_lock(Duty::RELAY)
        .await
        .expect("it answers")
        .expect("it is free");
    assert!(lock.is_held().await);
    assert!(other.duty_lock(Duty::RELAY).await.expect("it answers").is_none());
    let another = Duty::new("another.lock", *b"SegueTst");
    assert!(other.duty_lock(another).await.expect("it answers").is_some());
    drop(lock);
    let taken = async {
        loop {
            if let Some(lock) = other.duty_lock(Duty::RELAY).await.expect("it answers") {
                return lock;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let lock = tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("it is free again");
    assert!(lock.is_held().await);
}
