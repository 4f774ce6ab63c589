//! The last events, from the log that the settings name: positions, types and streams. No payload is opened.

use std::time::Duration;

use anyhow::Context;
use chrono::SecondsFormat;
use domain::{AccessCall, Asked};
use eventing::backup::FolderLock;
use eventing::{EventLog, Position, RecordedEvent};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use top::{EventLine, PAST, Told};

use crate::access;
use crate::settings::Settings;
use crate::stack;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Events that are read at a time. What a busy log gains beyond them in the meantime is passed over: nobody could read it.
const AT_A_TIME: usize = 200;

/// Tells of the events as they are recorded, until nobody hears it any more; or why it cannot.
pub(super) async fn follow(settings: Settings, told: mpsc::Sender<Told>) {
    if let Err(error) = try_follow(&settings, &told).await {
        // The view is over when this cannot be told.
        let _ = told.send(Told::State(format!("{error:#}"))).await;
    }
}

async fn try_follow(settings: &Settings, told: &mpsc::Sender<Told>) -> anyhow::Result<()> {
    let Some((log, _in_use, place)) = open(settings).await? else {
        let state = format!("no log in {}", settings.data.display());
        return Ok(told.send(Told::State(state)).await?);
    };
    let mut after = Position(log.head().await?.get().saturating_sub(PAST));
    let asked = Asked {
        after: Some(after.get()),
        ..Asked::all()
    };
    access::record_in(&log, AccessCall::EventsFollow, asked).await?;
    told.send(Told::State(format!("from {place}"))).await?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_interrupted = false;
    loop {
        ticks.tick().await;
        let read = next(&log, after).await;
        if is_interrupted != read.is_err() {
            is_interrupted = !is_interrupted;
            told.send(Told::State(match &read {
                Ok(_) => format!("from {place}"),
                Err(error) => format!("interrupted: {error:#}"),
            }))
            .await?;
        }
        for event in read.unwrap_or_default() {
            after = event.position;
            told.send(Told::Event(line(&event))).await?;
        }
    }
}

/// The log, and where it is; nothing when there is none to open, for looking must not make one.
async fn open(settings: &Settings) -> anyhow::Result<Option<(EventLog, FolderLock, String)>> {
    let is_database = settings.database_url.is_some();
    if !is_database && !EventLog::is_in(&settings.data) {
        return Ok(None);
    }
    let (log, in_use) = stack::open_log(settings)
        .await
        .context("the log cannot be opened")?;
    let place = match is_database {
        true => "the database".to_owned(),
        false => settings.data.display().to_string(),
    };
    Ok(Some((log, in_use, place)))
}

/// The newest events after `after`, in order.
async fn next(log: &EventLog, after: Position) -> anyhow::Result<Vec<RecordedEvent>> {
    let head = log.head().await?;
    let newest = head.get().saturating_sub(AT_A_TIME as u64);
    Ok(log.read_after(after.max(Position(newest)), AT_A_TIME).await?)
}

fn line(event: &RecordedEvent) -> EventLine {
    EventLine {
        position: event.position.get(),
        time: event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        event_type: event.event_type.clone(),
        stream: event.stream.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use eventing::testing::TempDir;

    use super::*;
    use crate::stack::Stack;

    async fn first_of(told: &mut mpsc::Receiver<Told>) -> Told {
        told.recv().await.expect("something is told")
    }

    #[tokio::test]
    async fn looking_makes_no_log_where_there_is_none() {
        let dir = TempDir::new();
        let (sender, mut told) = mpsc::channel(8);
        follow(Settings::in_folder(dir.path()), sender).await;
        let Told::State(state) = first_of(&mut told).await else {
            panic!("there is no event");
        };
        assert!(state.starts_with("no log in"), "{state}");
        assert!(!EventLog::is_in(dir.path()));
    }

    #[tokio::test]
    async fn following_the_log_is_recorded_once_and_tells_types_and_streams_alone() {
        let dir = TempDir::new();
        let settings = Settings::in_folder(dir.path());
        let log = Stack::open(&settings).await.expect("an instance").log;
        let (sender, mut told) = mpsc::channel(8);
        let following = tokio::spawn(follow(settings, sender));
        let Told::State(state) = first_of(&mut told).await else {
            panic!("the state comes first");
        };
        assert!(state.starts_with("from "), "{state}");
        let Told::Event(own) = first_of(&mut told).await else {
            panic!("its own record is an event");
        };
        assert_eq!(
            (own.position, own.event_type.as_str()),
            (1, "access.history_read")
        );
        following.abort();
        assert_eq!(log.head().await.expect("the head"), Position(1));
    }
}
