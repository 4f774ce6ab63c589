//! Playlists a second with one classifier and with more of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use super::super::playlists::rate_some;
use super::super::{Setting, listeners};
use super::playlists::TRACKS;
use super::{SETTLE_LIMIT, start};
use crate::client::{Client, Session};
use crate::cluster::{Cluster, Role};
use crate::cpu::CpuWatch;
use crate::metrics::{Gauges, settled, until};
use crate::numbers::thousands;
use crate::report::Row;

/// How many classifiers, in turns and back again, so that a growing log weighs on all alike.
const CLASSIFIERS: [usize; 6] = [1, 2, 4, 4, 2, 1];
/// Requests at a time.
const CONNECTIONS: usize = 32;
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, when a playlist fails, or when a server is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut cluster = start(setting, TRACKS).await?;
    let client = Client::new(cluster.rest()?.address())?;
    let sessions = Arc::new(listeners(&client, setting.pick(16, 64)).await?);
    for session in sessions.iter() {
        rate_some(session).await?;
    }
    let mut turns = Vec::new();
    for classifiers in setting.pick(CLASSIFIERS[..3].to_vec(), CLASSIFIERS.to_vec()) {
        turns.push(turn(setting, &mut cluster, &sessions, classifiers).await?);
    }
    cluster.stop().await?;
    Ok(rows(&turns))
}

/// One measurement.
struct Turn {
    classifiers: usize,
    playlists: usize,
    took: Duration,
    others: f64,
    own: f64,
}

async fn turn(
    setting: &Setting,
    cluster: &mut Cluster,
    sessions: &Arc<Vec<Session>>,
    classifiers: usize,
) -> Result<Turn> {
    cluster.scale(Role::Classifier, classifiers).await?;
    // Every classifier loads the catalogue with the first playlist that it makes.
    all_made(cluster, sessions, classifiers, 16 * classifiers).await?;
    all_made(cluster, sessions, classifiers, setting.pick(60, 1_000)).await
}

/// Requests so many playlists as fast as they are taken, and measures until the last was made. Whether
/// all are ready is looked at afterwards: to ask for each meanwhile would be work of its own.
async fn all_made(
    cluster: &mut Cluster,
    sessions: &Arc<Vec<Session>>,
    classifiers: usize,
    playlists: usize,
) -> Result<Turn> {
    let rest = cluster.rest()?.address();
    settled(rest, SETTLE_LIMIT).await?;
    let head = |gauges: &Gauges| gauges.get("log_head_position", "log");
    // A request and what came of it are one event each.
    let made = head(&Gauges::of(rest).await?)? + 2 * playlists as u64;
    let (began, watch) = (Instant::now(), CpuWatch::start());
    let paths = request_all(sessions, playlists).await?;
    until(rest, SETTLE_LIMIT, |gauges| Ok(head(gauges)? >= made)).await?;
    let turn = Turn {
        classifiers,
        playlists,
        took: began.elapsed(),
        others: watch.others(),
        own: watch.own(),
    };
    for (session, path) in paths {
        sessions[session].ready_playlist(&path, READY_LIMIT).await?;
    }
    let now = head(&Gauges::of(rest).await?)?;
    ensure!(now == made, "more was recorded than {playlists} playlists");
    Ok(turn)
}

/// Who asked for each, and its path.
async fn request_all(sessions: &Arc<Vec<Session>>, playlists: usize) -> Result<Vec<(usize, String)>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (sessions, next) = (Arc::clone(sessions), Arc::clone(&next));
        tasks.spawn(async move {
            let mut paths = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= playlists {
                    return anyhow::Ok(paths);
                }
                let session = number % sessions.len();
                let path = sessions[session]
                    .request_playlist(&json!({ "limit": 50 }))
                    .await?;
                paths.push((session, path));
            }
        });
    }
    let mut paths = Vec::new();
    while let Some(done) = tasks.join_next().await {
        paths.extend(done??);
    }
    Ok(paths)
}

/// A row for each number of classifiers, the others beside one. How busy the machine was is told because a classifier more
/// can only use what one leaves.
fn rows(turns: &[Turn]) -> Vec<Row> {
    let one = Turn::all_of(turns, 1);
    let alone = format!("1 classifier: {}/s", thousands(one.per_second()));
    let mut rows = vec![one.row()];
    for classifiers in [2, 4] {
        let more = Turn::all_of(turns, classifiers);
        let row = more
            .row()
            .beside(alone.clone(), more.per_second() / one.per_second());
        rows.push(match classifiers {
            2 => row.reach("ratio > 1"),
            _ => row,
        });
    }
    rows
}

impl Turn {
    /// All turns of so many classifiers as one, with the most that was taken from the machine in any of them.
    fn all_of(turns: &[Self], classifiers: usize) -> Self {
        let none = Self {
            classifiers,
            playlists: 0,
            took: Duration::ZERO,
            others: 0.0,
            own: 0.0,
        };
        let of = turns.iter().filter(|turn| turn.classifiers == classifiers);
        of.fold(none, |all, turn| Self {
            classifiers,
            playlists: all.playlists + turn.playlists,
            took: all.took + turn.took,
            others: all.others.max(turn.others),
            own: all.own.max(turn.own),
        })
    }

    fn per_second(&self) -> f64 {
        self.playlists as f64 / self.took.as_secs_f64()
    }

    fn row(&self) -> Row {
        let what = format!(
            "playlists of 50 made, {TRACKS} tracks, classifiers: {}",
            self.classifiers
        );
        let value = format!(
            "{}/s, {:.0}% of all cores ours",
            thousands(self.per_second()),
            self.own * 100.0
        );
        Row::new(what, value, self.others)
    }
}
